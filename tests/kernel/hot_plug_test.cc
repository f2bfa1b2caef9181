#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "base/undo.h"
#include "runtime/volume_hot_plug.h"
#include "tests/kernel/container_fixture.h"

// Volumes in a running container.
namespace hutch::kernel_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class VolumeHotPlugTest : public ContainerTest {
 protected:
  VolumeSpec directory_volume(const std::string& target = "/mnt/new") {
    const std::string source = directory() + "/data";
    make_directories(source);
    check(::chmod(source.c_str(), 0777), "chmod");
    replace_file(AT_FDCWD, source + "/file", "shared\n", 0644, Owner{100000, 100000});
    VolumeSpec volume;
    volume.key = "mp0";
    volume.source = source;
    volume.target = target;
    volume.bind = true;
    volume.origin = {"test.conf", 4};
    return volume;
  }

  VolumeSpec image_volume(uid_t owner = 100000) {
    VolumeSpec volume = directory_volume();
    const std::string image = directory() + "/data.raw";
    run_checked({"truncate", "-s", "16M", image});
    run_checked({"mkfs.ext4", "-q", "-E", formatted("root_owner={}:{}", owner, owner), image});
    volume.source = image;
    volume.kind = VolumeSpec::Kind::image;
    volume.bind = false;
    return volume;
  }

  int loop_devices() const {
    int count = 0;
    for (const auto& block : fs::directory_iterator("/sys/block")) {
      const auto backing = read_file_if_exists(AT_FDCWD, block.path().string() + "/loop/backing_file");
      if (backing && backing->find(directory()) != std::string::npos) ++count;
    }
    return count;
  }

  // The last reference to a loop device is dropped a moment after the mount.
  bool wait_for_no_loop_device() const {
    for (int attempt = 0; attempt < 500 && loop_devices() != 0; ++attempt) ::usleep(10000);
    return loop_devices() == 0;
  }

  std::string add_error(const VolumeSpec& volume) {
    try {
      add_volume(sysroot(), spec, state(), volume);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
};

TEST_F(VolumeHotPlugTest, ADirectoryAppearsAndGoes) {
  start();
  const auto volume = directory_volume("/mnt/a/b");
  add_volume(sysroot(), spec, state(), volume);
  EXPECT_EQ(sh("cat /mnt/a/b/file; stat -c '%a %u:%g' /mnt/a; echo new > /mnt/a/b/written && echo ok"),
            "shared\n755 0:0\nok");
  EXPECT_TRUE(fs::exists(volume.source + "/written"));
  remove_volume(sysroot(), spec, state(), volume);
  EXPECT_EQ(sh("test -e /mnt/a || echo gone"), "gone");
}

TEST_F(VolumeHotPlugTest, AnImagesLoopDeviceGoesWithTheContainer) {
  start();
  const auto volume = image_volume();
  add_volume(sysroot(), spec, state(), volume);
  EXPECT_EQ(sh("echo kept > /mnt/new/file && cat /mnt/new/file; grep /mnt/new /proc/mounts | grep -c ext4"),
            "kept\n1");
  EXPECT_EQ(loop_devices(), 1);
  // The guest cannot let go of the device: it is mounted in the supervisor's namespace, too.
  EXPECT_EQ(sh("umount /mnt/new && echo done"), "done");
  EXPECT_EQ(loop_devices(), 1);
  kill();
  EXPECT_TRUE(wait_for_no_loop_device());
}

TEST_F(VolumeHotPlugTest, AnImageIsTakenOutAgain) {
  start();
  const auto volume = image_volume();
  add_volume(sysroot(), spec, state(), volume);
  remove_volume(sysroot(), spec, state(), volume);
  EXPECT_TRUE(wait_for_no_loop_device());
  EXPECT_EQ(sh("test -e /mnt/new || echo gone"), "gone");
  // Also when the guest has unmounted it.
  add_volume(sysroot(), spec, state(), volume);
  sh("umount /mnt/new");
  remove_volume(sysroot(), spec, state(), volume);
  EXPECT_TRUE(wait_for_no_loop_device());
}

TEST_F(VolumeHotPlugTest, NothingIsLeftWhenTheSupervisorAndInitAreKilled) {
  start();
  add_volume(sysroot(), spec, state(), image_volume());
  const auto running = state();
  ::kill(running.supervisor.pid, SIGKILL);
  ::kill(running.init.pid, SIGKILL);
  for (int attempt = 0; attempt < 500 && is_alive(running.init); ++attempt) ::usleep(10000);
  kill();
  EXPECT_TRUE(wait_for_no_loop_device());
}

TEST_F(VolumeHotPlugTest, NothingIsLeftWhenTheContainerEndsByItself) {
  start();
  auto volume = image_volume();
  volume.read_only = true;
  add_volume(sysroot(), spec, state(), volume);
  ::kill(state().init.pid, SIGKILL);
  EXPECT_TRUE(wait_until_gone());
  EXPECT_TRUE(wait_for_no_loop_device());
}

TEST_F(VolumeHotPlugTest, AReadOnlyVolumeStaysSo) {
  start();
  auto volume = directory_volume();
  volume.read_only = true;
  add_volume(sysroot(), spec, state(), volume);
  EXPECT_THAT(sh("echo x > /mnt/new/x"), HasSubstr("Read-only file system"));
  EXPECT_NE(sh("mount -o remount,bind,rw /mnt/new && echo writable"), "writable");
  EXPECT_THAT(sh("echo x > /mnt/new/x"), HasSubstr("Read-only file system"));
}

TEST_F(VolumeHotPlugTest, IdsOnDiskAreMapped) {
  start();
  auto volume = image_volume(0);
  volume.disk_ids = DiskIds::container;
  add_volume(sysroot(), spec, state(), volume);
  EXPECT_EQ(sh("stat -c %u /mnt/new; touch /mnt/new/x && stat -c %u /mnt/new/x"), "0\n0");
  remove_volume(sysroot(), spec, state(), volume);
}

TEST_F(VolumeHotPlugTest, KeepAttributesGivesTheVolumeTheCoveredOwner) {
  start();
  sh("mkdir /mnt/new && chown 33:44 /mnt/new && chmod 2750 /mnt/new");
  auto volume = image_volume();
  volume.keep_attributes = true;
  add_volume(sysroot(), spec, state(), volume);
  EXPECT_EQ(sh("stat -c '%u:%g %a' /mnt/new"), "33:44 2750");
}

TEST_F(VolumeHotPlugTest, MountsOfTheContainerDoNotReachTheHost) {
  make_privileged();
  start();
  const auto volume = directory_volume();
  add_volume(sysroot(), spec, state(), volume);
  sh("mkdir /mnt/new/below && mount -t tmpfs none /mnt/new/below && touch /mnt/new/below/inside");
  EXPECT_TRUE(fs::exists(volume.source + "/below"));
  EXPECT_FALSE(fs::exists(volume.source + "/below/inside"));
}

TEST_F(VolumeHotPlugTest, SymlinksOfTheGuestAreNotFollowed) {
  start();
  sh("mkdir -p /tmp/elsewhere; ln -s /tmp/elsewhere /mnt/new; ln -s /tmp /mnt/link");
  for (const auto* target : {"/mnt/new", "/mnt/link/deep", "/proc/self/root/tmp"}) {
    EXPECT_THAT(add_error(directory_volume(target)), HasSubstr("test.conf:4")) << target;
  }
  EXPECT_EQ(sh("ls /tmp; ls /tmp/elsewhere; grep -c hutch-kernel /proc/mounts"), "elsewhere\n0");
  EXPECT_THAT(add_error(directory_volume("/mnt/../../x")), HasSubstr(".."));
}

TEST_F(VolumeHotPlugTest, ASymlinkInTheSourceIsRefused) {
  start();
  auto volume = directory_volume();
  ASSERT_EQ(::symlink(volume.source.c_str(), (directory() + "/link").c_str()), 0);
  volume.source = directory() + "/link";
  EXPECT_THAT(add_error(volume), HasSubstr("ELOOP"));
}

TEST_F(VolumeHotPlugTest, AFailureAtAnyStepLeavesNothing) {
  start();
  for (const bool image : {false, true}) {
    auto volume = image ? image_volume() : directory_volume();
    volume.target = "/mnt/a/b";
    volume.keep_attributes = true;
    const std::string look = "ls /mnt; cat /proc/self/mountinfo | wc -l";
    const std::string before = sh(look);
    const auto top_before = fs::status(volume.source).permissions();
    unsigned failed = 0;
    for (unsigned step = 0; step < 16; ++step) {
      HotPlugTest test;
      test.before_step = [step](unsigned at) {
        if (at == step) throw Error("injected failure", EIO);
      };
      try {
        add_volume(sysroot(), spec, state(), volume, test);
        remove_volume(sysroot(), spec, state(), volume);
        fs::permissions(volume.source, top_before);  // keepattrs is for good
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("injected failure"));
        ++failed;
      }
      EXPECT_EQ(sh(look), before) << "after failing step " << step;
      EXPECT_EQ(fs::status(volume.source).permissions(), top_before) << step;
      EXPECT_TRUE(list_directory(plug_directory(sysroot(), vmid())).empty()) << step;
      EXPECT_TRUE(wait_for_no_loop_device()) << step;
      const std::string supervisors =
          read_file(AT_FDCWD, formatted("/proc/{}/mountinfo", state().supervisor.pid));
      EXPECT_EQ(supervisors.find("/added/"), std::string::npos) << step;
    }
    EXPECT_GE(failed, image ? 10U : 7U);
  }
}

TEST_F(VolumeHotPlugTest, WhatIsLeftByAKilledAddIsTakenAwayByTheNext) {
  start();
  sh("mkdir -p /mnt/new");  // what a place was made for before the note stays
  for (const bool image : {false, true}) {
    const auto volume = image ? image_volume() : directory_volume();
    const std::string mounts = sh("cat /proc/self/mountinfo | wc -l");
    unsigned killed = 0;
    for (unsigned step = 0; step < 16; ++step) {
      killed += killed_before(
          step, [&](const HotPlugTest& test) { add_volume(sysroot(), spec, state(), volume, test); });
      EXPECT_EQ(add_error(volume), "no error") << step;
      EXPECT_EQ(sh("cat /proc/self/mountinfo | grep -c ' /mnt/new '"), "1") << step;
      remove_volume(sysroot(), spec, state(), volume);
      EXPECT_EQ(sh("cat /proc/self/mountinfo | wc -l"), mounts) << step;
      EXPECT_FALSE(fs::exists(stage_path(sysroot(), vmid(), volume.key))) << step;
      EXPECT_TRUE(wait_for_no_loop_device()) << step;
    }
    EXPECT_GE(killed, image ? 10U : 7U);
  }
}

}  // namespace
}  // namespace hutch::kernel_test
