#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/loop_device.h"
#include "base/mount.h"
#include "base/process.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

class LoopDeviceTest : public ScratchDirectory {
 protected:
  void SetUp() override {
    ScratchDirectory::SetUp();
    if (!path_exists(AT_FDCWD, "/dev/loop-control")) GTEST_SKIP() << "probe: this host has no loop devices";
    const UniqueFd image = open_file(fd(), "image", O_RDWR | O_CREAT, 0600);
    check(::ftruncate(image.get(), 8 << 20), "cannot size the image");
    run_checked({"mkfs.ext4", "-q", "-F", below("image")});
  }
};

// Clearing is asynchronous after the last user has gone.
bool detached_soon(const std::string& device) {
  for (int attempt = 0; attempt < 500; ++attempt) {
    const auto fd = open_if_exists(AT_FDCWD, device, O_RDONLY);
    loop_info64 info{};
    if (!fd || (::ioctl(fd->get(), LOOP_GET_STATUS64, &info) < 0 && errno == ENXIO)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST_F(LoopDeviceTest, MountsWritesAndClearsItself) {
  std::string device_path;
  {
    UniqueFd mount;
    {
      const LoopDevice device = attach_loop_device(below("image"), false);
      device_path = device.path;
      EXPECT_EQ(FD_CLOEXEC, ::fcntl(device.fd.get(), F_GETFD));
      mount = mount_block_device(device.path, {}, 0);
    }
    // Detached: reachable by this descriptor only.
    replace_file(mount.get(), "hello", "world", 0644);
    EXPECT_EQ("world", read_file(mount.get(), "hello"));
  }
  EXPECT_TRUE(detached_soon(device_path));
  const LoopDevice again = attach_loop_device(below("image"), true);
  const UniqueFd mount = mount_block_device(again.path, {{"ro", ""}}, MOUNT_ATTR_RDONLY);
  EXPECT_EQ("world", read_file(mount.get(), "hello"));
  EXPECT_EQ(EROFS, errno_of([&] { open_file(mount.get(), "new", O_WRONLY | O_CREAT, 0600); }));
}

TEST_F(LoopDeviceTest, AFileSystemThatHasGivenUpIsNotSaidToBeWritten) {
  const LoopDevice device = attach_loop_device(below("image"), false);
  const UniqueFd mount = mount_block_device(device.path, {}, 0);
  const UniqueFd root = open_file(mount.get(), ".", O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(0, sync_file_system(root.get()));
  const std::string place = below("place");
  make_directories(place);
  attach_mount(mount.get(), AT_FDCWD, place);
  const UniqueFd lost = open_file(root.get(), "lost", O_WRONLY | O_CREAT, 0600);
  EXPECT_EQ(4, ::write(lost.get(), "lost", 4));
  // What ext4 does after an error in its journal.
  EXPECT_EQ(0, ::mount(nullptr, place.c_str(), nullptr, MS_REMOUNT, "abort")) << errno_text(errno);
  EXPECT_THAT(sync_file_system(root.get()), ::testing::AnyOf(EROFS, EIO));
  EXPECT_THAT(sync_file_system(root.get()), ::testing::AnyOf(EROFS, EIO));
  EXPECT_EQ(0, ::umount2(place.c_str(), MNT_DETACH));
}

// What goes wrong with a file that is attached and detached again and again.
std::string error_of_attaching(const std::string& image, unsigned times) {
  try {
    while (times-- > 0) attach_loop_device(image, false);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(LoopDeviceTest, OthersMayComeAndGo) {
  const UniqueFd other = open_file(fd(), "other", O_RDWR | O_CREAT, 0600);
  check(::ftruncate(other.get(), 1 << 20), "cannot size the other image");
  const pid_t pid = check(::fork(), "cannot fork");
  if (pid == 0) {
    const std::string error = error_of_attaching(below("other"), 500);
    if (error != "no error") std::fprintf(stderr, "the other process: %s\n", error.c_str());
    ::_exit(error == "no error" ? 0 : 1);
  }
  EXPECT_EQ(error_of_attaching(below("image"), 500), "no error");
  int status = -1;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(LoopDeviceTest, MissingImageIsAnError) {
  EXPECT_EQ(ENOENT, errno_of([&] { attach_loop_device(below("none"), false); }));
}

TEST_F(LoopDeviceTest, ForeignContentIsAnError) {
  write("image", std::string(1 << 20, 'x'));
  const LoopDevice device = attach_loop_device(below("image"), true);
  EXPECT_EQ(EINVAL, errno_of([&] { mount_block_device(device.path, {{"ro", ""}}, 0); }));
}

TEST_F(LoopDeviceTest, WithoutTheDriverTheHintNamesTheModule) {
  std::string text;
  int refused = 0;
  // A thread can have a mount namespace of its own, which ends with it.
  std::thread([&] {
    if (::unshare(CLONE_FS | CLONE_NEWNS) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        ::mount("hutch-test", "/dev", "tmpfs", 0, nullptr) < 0) {
      refused = errno;
      return;
    }
    try {
      attach_loop_device(below("image"), false);
    } catch (const Error& error) {
      text = error.what();
    }
  }).join();
  if (refused != 0) GTEST_SKIP() << "probe: no private mount namespace: " << errno_text(refused);
  EXPECT_THAT(text, ::testing::HasSubstr("'/dev/loop-control': ENOENT"));
  EXPECT_THAT(text, ::testing::HasSubstr("modprobe loop"));
}

}  // namespace
}  // namespace hutch
