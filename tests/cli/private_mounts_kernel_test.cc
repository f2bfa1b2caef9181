#include <gtest/gtest.h>
#include <sys/mount.h>

#include <filesystem>

#include "cli/private_mounts.h"
#include "tests/cli/command_line.h"

namespace hutch::cli {
namespace {

TEST(PrivateMounts, VanishAndLeaveTheProcessWhereItWas) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: geteuid() is not 0";
  const testing::TemporaryHost host;
  host.write("file", "host\n");
  const auto name_space = std::filesystem::read_symlink("/proc/self/ns/mnt");
  const auto directory = std::filesystem::current_path();
  {
    const PrivateMounts mounts;
    EXPECT_NE(std::filesystem::read_symlink("/proc/self/ns/mnt"), name_space);
    EXPECT_EQ(std::filesystem::current_path(), directory);
    ASSERT_EQ(::mount("hutch-test", host.root().c_str(), "tmpfs", 0, "size=64k"), 0);
    EXPECT_FALSE(std::filesystem::exists(host.path("file")));
  }
  EXPECT_EQ(std::filesystem::read_symlink("/proc/self/ns/mnt"), name_space);
  EXPECT_EQ(std::filesystem::current_path(), directory);
  EXPECT_TRUE(std::filesystem::exists(host.path("file")));
}

}  // namespace
}  // namespace hutch::cli
