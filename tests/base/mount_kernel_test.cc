#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/mount.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

class MountTest : public ScratchDirectory {
 protected:
  void SetUp() override {
    // Whatever a failing test leaves mounted vanishes with this process.
    if (::unshare(CLONE_NEWNS) < 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
      GTEST_SKIP() << "probe: cannot make a mount namespace: " << errno_text(errno);
    }
    ScratchDirectory::SetUp();
    const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    if (!context) GTEST_SKIP() << "probe: cannot make a file system: " << errno_text(errno);
  }
  UniqueFd tmpfs() { return new_filesystem("tmpfs", {{"size", "64k"}, {"mode", "0711"}}, MOUNT_ATTR_NOSUID); }
};

TEST_F(MountTest, NewFileSystemIsDetachedAndHasItsOptions) {
  const UniqueFd mount = tmpfs();
  EXPECT_EQ(FD_CLOEXEC, ::fcntl(mount.get(), F_GETFD));
  struct stat status {};
  ASSERT_EQ(0, ::fstat(mount.get(), &status));
  EXPECT_EQ(0711U, status.st_mode & 07777);
  replace_file(mount.get(), "a", "x", 0600);
  EXPECT_EQ(ENOSPC, errno_of([&] { replace_file(mount.get(), "b", std::string(1 << 20, 'x'), 0600); }));
}

TEST_F(MountTest, ErrorsSayWhatTheKernelSays) {
  EXPECT_THAT(error_of([] { new_filesystem("no-such-type", {}, 0); }),
              HasSubstr("this kernel does not have that type"));
  EXPECT_THAT(error_of([] {
                new_filesystem("tmpfs", {{"nonsense", "1"}}, 0);
              }),
              HasSubstr("cannot set tmpfs option 'nonsense=1': EINVAL"));
  EXPECT_THAT(error_of([] {
                new_filesystem("tmpfs", {{"nonsense", "1"}}, 0);
              }),
              HasSubstr("nknown parameter"));
}

TEST_F(MountTest, AttachesAtADirectory) {
  make_directories(below("at"));
  {
    const UniqueFd mount = tmpfs();
    replace_file(mount.get(), "a", "x", 0600);
    attach_mount(mount.get(), fd(), "at");
  }
  EXPECT_EQ("x", read_file(fd(), "at/a"));
  ASSERT_EQ(0, ::umount2(below("at").c_str(), MNT_DETACH));
  EXPECT_FALSE(path_exists(fd(), "at/a"));
  const UniqueFd mount = tmpfs();
  EXPECT_THAT(error_of([&] { attach_mount(mount.get(), fd(), "none"); }),
              HasSubstr("cannot mount on 'none': ENOENT"));
}

TEST_F(MountTest, RemovingATreeKeepsTheContentOfMounts) {
  make_directories(below("kept"));
  write("kept/file", "x");
  make_directories(below("tree/a/mounted"));
  attach_mount(clone_mount(fd(), "kept", false).get(), fd(), "tree/a/mounted");
  EXPECT_EQ(EXDEV, errno_of([&] { remove_tree(fd(), "tree"); }));
  EXPECT_THAT(error_of([&] { remove_tree(fd(), "tree"); }), HasSubstr("tree/a/mounted"));
  EXPECT_EQ(EXDEV, errno_of([&] { remove_tree(fd(), "tree/a/mounted"); }));
  ASSERT_EQ(0, ::umount(below("tree/a/mounted").c_str()));
  EXPECT_EQ("x", read_file(fd(), "kept/file"));
  remove_tree(fd(), "tree");
  EXPECT_FALSE(path_exists(fd(), "tree"));
}

TEST_F(MountTest, CloneSharesContentAndHasItsOwnAttributes) {
  make_directories(below("dir"));
  write("dir/a", "x");
  const UniqueFd clone = clone_mount(fd(), "dir", false);
  EXPECT_EQ("x", read_file(clone.get(), "a"));
  set_mount_attributes(clone.get(), MOUNT_ATTR_RDONLY, 0, false);
  EXPECT_EQ(EROFS, errno_of([&] { open_file(clone.get(), "b", O_WRONLY | O_CREAT, 0600); }));
  write("dir/b", "y");
  EXPECT_EQ("y", read_file(clone.get(), "b"));
  set_mount_attributes(clone.get(), 0, MOUNT_ATTR_RDONLY, false);
  replace_file(clone.get(), "c", "z", 0600);
  EXPECT_EQ("z", read_file(fd(), "dir/c"));
  EXPECT_EQ(ENOENT, errno_of([&] { clone_mount(fd(), "none", false); }));
}

}  // namespace
}  // namespace hutch
