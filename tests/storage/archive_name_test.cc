#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "storage/archive.h"
#include "tests/storage/scratch.h"

namespace hutch {
namespace {

TEST(ArchiveName, KnownSuffixes) {
  for (const char* name : {"a.tar", "/x/a.tar.gz", "a.tar.xz", "a.tar.zst", "a.tar.bz2"})
    check_archive_name(name);
  for (const char* name : {"a.tgz", "a", "/x/.tar", "a.tar.lzo", "a.tar/", "a.tar.zst.part"}) {
    EXPECT_THAT(error_of([&] { check_archive_name(name); }), ::testing::HasSubstr("unknown suffix")) << name;
  }
}

}  // namespace
}  // namespace hutch
