#include "storage/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/storage/scratch.h"
#include "tests/storage/tar_maker.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Template : public ::testing::Test {
 protected:
  Template() : sysroot_(scratch_.path()), config_(StorageConfig::load(sysroot_)) {
    make_directories(scratch_ / "var/lib/vz/template/cache");
  }
  std::string refusal(const std::string& name) const {
    return error_of([&] { find_template(config_, sysroot_, name); });
  }

  Scratch scratch_;
  Sysroot sysroot_;
  StorageConfig config_;
};

TEST_F(Template, FindsVolumes) {
  write_text(scratch_ / "var/lib/vz/template/cache/debian.tar.zst", "x");
  EXPECT_EQ(find_template(config_, sysroot_, "local:vztmpl/debian.tar.zst").path,
            scratch_ / "var/lib/vz/template/cache/debian.tar.zst");
}

TEST_F(Template, FindsFiles) {
  write_text(scratch_ / "a.tar", "x");
  EXPECT_EQ(find_template(config_, sysroot_, scratch_ / "a.tar").path, scratch_ / "a.tar");
}

TEST_F(Template, NamesWhatIsWrong) {
  EXPECT_THAT(refusal("/no/such.tar"), StartsWith("can't find file '/no/such.tar'"));
  EXPECT_THAT(refusal("local:vztmpl/none.tar"), StartsWith("volume 'local:vztmpl/none.tar' does not exist"));
  EXPECT_THAT(refusal("local:backup/x.tar"), AllOf(HasSubstr("'local:backup/x.tar'"), HasSubstr("'vztmpl'")));
  EXPECT_THAT(refusal("other:vztmpl/x.tar"), StartsWith("storage 'other' does not exist"));
  EXPECT_THAT(refusal("local:vztmpl/../../x.tar"), HasSubstr("'..' is not allowed"));
  EXPECT_THAT(refusal(scratch_.path()), HasSubstr("not a regular file"));
  write_text(scratch_ / "a.zip", "x");
  EXPECT_THAT(refusal(scratch_ / "a.zip"), HasSubstr("unknown suffix"));
  EXPECT_THAT(refusal(std::string(256, 'x')), HasSubstr("longer than 255"));
}

}  // namespace
}  // namespace hutch
