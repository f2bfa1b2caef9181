#include "base/sysroot.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace hutch {
namespace {

TEST(Sysroot, UnsetMeansTheRealRoot) {
  for (const char* root : {"", "/", "//", "/./"}) {
    EXPECT_EQ("", Sysroot(root).prefix()) << root;
    EXPECT_EQ("/run/hutch", Sysroot(root).path("run/hutch")) << root;
  }
  EXPECT_EQ("/etc", Sysroot().path("etc"));
}

TEST(Sysroot, PrefixIsAbsoluteWithoutTrailingSlash) {
  EXPECT_EQ("/srv/a/run/hutch", Sysroot("/srv/a/").path("run/hutch"));
  EXPECT_EQ("/srv/b", Sysroot("/srv/a/../b").prefix());
  EXPECT_EQ(std::filesystem::current_path().string() + "/here", Sysroot("here").prefix());
}

TEST(Sysroot, FromEnvironment) {
  ASSERT_EQ(0, ::setenv("HUTCH_ROOT", "/srv/c", 1));
  EXPECT_EQ("/srv/c", Sysroot::from_environment().prefix());
  ASSERT_EQ(0, ::unsetenv("HUTCH_ROOT"));
  EXPECT_EQ("", Sysroot::from_environment().prefix());
}

}  // namespace
}  // namespace hutch
