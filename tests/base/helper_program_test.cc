#include "base/helper_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"

namespace hutch {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(HelperProgram, IsFoundBesideThisProgram) {
  EXPECT_THAT(helper_program_path("base_test", "nowhere"), EndsWith("/base_test"));
}

TEST(HelperProgram, IsLookedForInFourPlaces) {
  try {
    helper_program_path("hutch-none", "folder");
    ADD_FAILURE() << "found";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr("cannot find the program 'hutch-none'"));
    for (const char* place : {"/../libexec/hutch/hutch-none", "/base/hutch-none", "/../folder/hutch-none",
                              "/../../folder/hutch-none"}) {
      EXPECT_THAT(error.hint(), HasSubstr(place));
    }
  }
}

}  // namespace
}  // namespace hutch
