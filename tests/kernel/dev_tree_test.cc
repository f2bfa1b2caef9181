#include "runtime/dev_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using Kind = TreeEntry::Kind;
using Step = TreeFailure::Step;
using testing::AllOf;
using testing::HasSubstr;

class TreeOrdersTest : public ContainerTest {
 protected:
  UniqueFd make(std::vector<TreeOption> options, std::vector<TreeEntry> entries, uid_t uid = 0,
                const char* type = "tmpfs") {
    const TreeOrders orders{
        type, options.data(), options.size(), MOUNT_ATTR_NOSUID, entries.data(), entries.size(), uid, uid};
    const mode_t before = ::umask(0);
    UniqueFd mount(make_tree(orders, failure_));
    ::umask(before);
    return mount;
  }

  bool failed(Step step, std::uint32_t at, int error) const {
    return failure_.step == step && failure_.at == at && failure_.error == error;
  }

  TreeFailure failure_;
};

TEST_F(TreeOrdersTest, EntriesAreAsOrdered) {
  const UniqueFd mount = make({{"mode", "0711"}},
                              {{Kind::directory, 0750, 0, "a", nullptr},
                               {Kind::file, 0640, 0, "a/b", "text\n"},
                               {Kind::symlink, 0, 0, "c", "a/b"},
                               {Kind::device, S_IFCHR | 0602, 0x103, "d", nullptr}},
                              4711);
  ASSERT_TRUE(mount);
  EXPECT_EQ(failure_.error, 0);
  const auto status = [&](const char* path) {
    struct stat found {};
    EXPECT_EQ(::fstatat(mount.get(), path, &found, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 0) << path;
    return found;
  };
  EXPECT_EQ(status("").st_mode, S_IFDIR | 0711U);
  EXPECT_EQ(status("a").st_mode, S_IFDIR | 0750U);
  EXPECT_EQ(status("a/b").st_mode, S_IFREG | 0640U);
  EXPECT_EQ(status("d").st_mode, S_IFCHR | 0602U);
  EXPECT_EQ(status("d").st_rdev, 0x103U);
  for (const char* path : {"a", "a/b", "c", "d"}) {
    EXPECT_EQ(status(path).st_uid, 4711U) << path;
    EXPECT_EQ(status(path).st_gid, 4711U) << path;
  }
  EXPECT_EQ(read_file(mount.get(), "c"), "text\n");
}

TEST_F(TreeOrdersTest, AFailureTellsWhere) {
  EXPECT_FALSE(make({}, {}, 0, "nosuchfs"));
  EXPECT_TRUE(failed(Step::mount, 0, ENODEV)) << failure_.error;
  EXPECT_FALSE(make({{"mode", "0755"}, {"size", "many"}}, {}));
  EXPECT_TRUE(failed(Step::option, 1, EINVAL)) << failure_.error;
  EXPECT_FALSE(make({}, {{Kind::directory, 0755, 0, "a", nullptr}, {Kind::file, 0644, 0, "a", ""}}));
  EXPECT_TRUE(failed(Step::entry, 1, EEXIST)) << failure_.error;
  const std::string page(static_cast<std::size_t>(::getpagesize()) + 1, 'x');
  EXPECT_FALSE(make({{"size", "1"}}, {{Kind::file, 0644, 0, "large", page.c_str()}}));
  EXPECT_TRUE(failed(Step::entry, 0, ENOSPC)) << failure_.error;
}

// What the supervisor could not make is told by the starter, and nothing is left of the start.
TEST_F(TreeOrdersTest, AStartFailsWithIt) {
  spec.tty_count = 1;
  spec.tty_directory = "pts";
  try {
    start();
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EEXIST);
    EXPECT_THAT(error.what(), HasSubstr("cannot create /dev/pts: EEXIST"));
  }
}

}  // namespace
}  // namespace hutch::kernel_test
