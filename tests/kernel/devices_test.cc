#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "runtime/device_hot_plug.h"
#include "runtime/passed_device.h"
#include "tests/kernel/container_fixture.h"

// Passed devices (dev[n]), at start and into a running container. The devices are kinds of memory devices
// under paths of their own, so that any host has them: what counts is the node inside and what it lets one
// do.
namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;

class DevicesTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    host_path_ = formatted("/dev/hutch-test-{}", vmid());
    // A second name of /dev/null: no driver of its own is needed.
    check(::mknod(host_path_.c_str(), S_IFCHR | 0600, makedev(1, 3)), "cannot make a device node");
  }
  void TearDown() override {
    if (!host_path_.empty()) ::unlink(host_path_.c_str());
    ContainerTest::TearDown();
  }

  DeviceSpec device(const std::string& key = "dev0") const {
    DeviceSpec passed;
    passed.key = key;
    passed.path = host_path_;
    passed.origin = {"test.conf", 3};
    return passed;
  }

  // As lowering does.
  void pass(const DeviceSpec& passed) {
    spec.passed_devices.push_back(passed);
    for (const auto& rule : device_rules(passed, find_device(passed))) spec.devices.rules.push_back(rule);
  }

  void make_privileged() {
    ContainerTest::make_privileged();
    spec.devices.allow_by_default = false;
  }

  std::string host_path_;
};

TEST_F(DevicesTest, ANodeHasItsModeAndOwnerAndCanBeUsed) {
  auto passed = device();
  passed.mode = 0640;
  passed.uid = 7;
  passed.gid = 44;
  pass(passed);
  start();
  EXPECT_EQ(sh(formatted("stat -c '%F %a %u:%g %t:%T' {}", host_path_)),
            "character special file 640 7:44 1:3");
  EXPECT_EQ(sh(formatted("echo x > {} && cat {} && echo works", host_path_, host_path_)), "works");
}

TEST_F(DevicesTest, ANodeLiesBelowItsWholePath) {
  auto passed = device();
  make_directories(formatted("/dev/hutch-test-{}.d/a", vmid()));
  passed.path = formatted("/dev/hutch-test-{}.d/a/node", vmid());
  check(::mknod(passed.path.c_str(), S_IFCHR | 0600, makedev(1, 5)), "cannot make a device node");
  pass(passed);
  start();
  EXPECT_EQ(
      sh(formatted("head -c 4 {} | wc -c; stat -c '%a %u' /dev/hutch-test-{}.d/a", passed.path, vmid())),
      "4\n755 0");
  remove_tree(AT_FDCWD, formatted("/dev/hutch-test-{}.d", vmid()));
}

TEST_F(DevicesTest, DenyWriteRefusesAlsoToOpenForBoth) {
  auto passed = device();
  passed.deny_write = true;
  pass(passed);
  start();
  EXPECT_EQ(sh(formatted("cat {} && echo read", host_path_)), "read");
  EXPECT_THAT(sh(formatted("echo x > {}", host_path_)), HasSubstr("Operation not permitted"));
  EXPECT_THAT(sh(formatted(": <> {}", host_path_)), HasSubstr("Operation not permitted"));
}

TEST_F(DevicesTest, APrivilegedContainerMayUseWhatItIsGivenAndNothingElse) {
  make_privileged();
  auto passed = device();
  passed.path = formatted("/dev/hutch-test-{}-zero", vmid());
  check(::mknod(passed.path.c_str(), S_IFCHR | 0600, makedev(1, 5)), "cannot make a device node");
  pass(passed);
  start();
  EXPECT_EQ(sh(formatted("head -c 4 {} | wc -c", passed.path)), "4");
  EXPECT_THAT(sh("cat /dev/null"), HasSubstr("Operation not permitted"));
  ::unlink(passed.path.c_str());
}

TEST_F(DevicesTest, AMissingDeviceNamesItsLine) {
  auto passed = device();
  passed.path = "/dev/hutch-no-such-device";
  spec.passed_devices = {passed};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("/dev/hutch-no-such-device"));
  EXPECT_THAT(error, HasSubstr("ENOENT"));
  EXPECT_THAT(error, HasSubstr("test.conf:3"));
}

TEST_F(DevicesTest, WhatIsNoDeviceAndLoopControlAreRefused) {
  auto passed = device();
  passed.path = "/dev/pts";
  EXPECT_THROW(find_device(passed), Error);
  const std::string path = formatted("/dev/hutch-test-{}-lc", vmid());
  check(::mknod(path.c_str(), S_IFCHR | 0600, makedev(10, 237)), "cannot make a device node");
  passed.path = path;
  EXPECT_THROW(find_device(passed), Error);
  ::unlink(path.c_str());
}

TEST_F(DevicesTest, AnOwnerThatIsNotMappedIsRefused) {
  auto passed = device();
  passed.uid = 70000;
  spec.passed_devices = {passed};
  EXPECT_THAT(start_error(), HasSubstr("does not map 70000:0"));
}

TEST_F(DevicesTest, KmsgCanBeALinkToTheConsole) {
  spec.console = true;
  spec.kmsg_link = true;
  start();
  EXPECT_EQ(sh("readlink /dev/kmsg"), "console");
}

TEST_F(DevicesTest, ADeviceIsPluggedInAndOut) {
  start();
  auto passed = device();
  passed.gid = 44;
  add_device(sysroot(), spec, state(), passed);
  EXPECT_EQ(sh(formatted("stat -c '%F %a %u:%g %t:%T' {}", host_path_)),
            "character special file 660 0:44 1:3");
  EXPECT_EQ(sh(formatted("echo x > {} && echo works", host_path_)), "works");
  remove_device(sysroot(), spec, state(), passed);
  EXPECT_EQ(sh(formatted("test -e {} || echo gone", host_path_)), "gone");
  EXPECT_THROW(remove_device(sysroot(), spec, state(), passed), Error);
  // And again.
  add_device(sysroot(), spec, state(), passed);
  EXPECT_EQ(sh(formatted("echo x > {} && echo works", host_path_)), "works");
}

TEST_F(DevicesTest, ADeviceThatIsPluggedInObeysTheFilterAndItsRulesGoWithIt) {
  start();
  auto passed = device();
  passed.deny_write = true;
  EXPECT_EQ(sh("echo x > /dev/null && echo works"), "works");
  add_device(sysroot(), spec, state(), passed);
  EXPECT_EQ(sh(formatted("cat {} && echo read", host_path_)), "read");
  EXPECT_THAT(sh(formatted("echo x > {}", host_path_)), HasSubstr("Operation not permitted"));
  // The same device, whatever its name.
  EXPECT_THAT(sh("echo x > /dev/null"), HasSubstr("Operation not permitted"));
  remove_device(sysroot(), spec, state(), passed);
  EXPECT_EQ(sh("echo x > /dev/null && echo works"), "works");
}

TEST_F(DevicesTest, APrivilegedContainersFilterIsReplaced) {
  make_privileged();
  start();
  EXPECT_THAT(sh("cat /dev/null"), HasSubstr("Operation not permitted"));
  add_device(sysroot(), spec, state(), device());
  EXPECT_EQ(sh(formatted("cat {} /dev/null && echo works", host_path_)), "works");
  remove_device(sysroot(), spec, state(), device());
  EXPECT_THAT(sh("cat /dev/null"), HasSubstr("Operation not permitted"));
}

TEST_F(DevicesTest, PluggingInDoesNotFollowTheGuestsSymlinks) {
  start();
  auto passed = device();
  passed.path = formatted("/dev/hutch-test-{}.d/node", vmid());
  make_directories(formatted("/dev/hutch-test-{}.d", vmid()));
  check(::mknod(passed.path.c_str(), S_IFCHR | 0600, makedev(1, 5)), "cannot make a device node");
  ASSERT_EQ(sh(formatted("ln -s /tmp /dev/hutch-test-{}.d && echo made", vmid())), "made");
  try {
    add_device(sysroot(), spec, state(), passed);
    ADD_FAILURE() << "the symlink was followed";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("ELOOP"));
    EXPECT_THAT(error.what(), HasSubstr("test.conf:3"));
  }
  EXPECT_EQ(sh("ls /tmp"), "");
  remove_tree(AT_FDCWD, formatted("/dev/hutch-test-{}.d", vmid()));
}

// What a hot-plug that fails takes back, and what a removal takes, is not what another device or a line of
// the config has asked for.
TEST_F(DevicesTest, TheSameRuleOfAnotherDeviceOrLineStays) {
  make_privileged();
  for (const bool passed_at_start : {true, false}) {
    spec.passed_devices.clear();
    spec.devices.rules.clear();
    const auto rules = device_rules(device(), find_device(device()));
    if (passed_at_start) {
      pass(device("dev0"));
    } else {
      spec.devices.rules = rules;
    }
    start();
    const std::string use = formatted("cat {} && echo works", passed_at_start ? host_path_ : "/dev/null");
    ASSERT_EQ(sh(use), "works");
    auto second = device("dev1");
    second.path = formatted("/dev/hutch-test-{}-second", vmid());
    check(::mknod(second.path.c_str(), S_IFCHR | 0600, makedev(1, 3)), "cannot make a device node");
    ContainerSpec changed = spec;
    changed.passed_devices.push_back(second);
    // Lowering has the rules of two equal devices once.
    if (!passed_at_start)
      changed.devices.rules.insert(changed.devices.rules.end(), rules.begin(), rules.end());
    unsigned failed = 0;
    for (unsigned step = 0; step < 16; ++step) {
      HotPlugTest test;
      test.before_step = [step](unsigned at) {
        if (at == step) throw Error("injected failure", EIO);
      };
      try {
        add_device(sysroot(), changed, state(), second, test);
        remove_device(sysroot(), changed, state(), second);
      } catch (const Error&) {
        ++failed;
      }
      EXPECT_EQ(sh(use), "works") << "after failing step " << step;
    }
    EXPECT_GE(failed, 8U);
    ::unlink(second.path.c_str());
    kill();
  }
}

TEST_F(DevicesTest, AFailureAtAnyStepLeavesNothing) {
  start();
  auto passed = device();
  passed.path = formatted("/dev/hutch-test-{}.d/node", vmid());
  passed.deny_write = true;
  make_directories(formatted("/dev/hutch-test-{}.d", vmid()));
  check(::mknod(passed.path.c_str(), S_IFCHR | 0600, makedev(1, 3)), "cannot make a device node");
  const std::string look = "ls /dev; cat /proc/self/mountinfo | wc -l; echo x > /dev/null && echo writable";
  const std::string before = sh(look);
  unsigned failed = 0;
  for (unsigned step = 0; step < 16; ++step) {
    HotPlugTest test;
    test.before_step = [step](unsigned at) {
      if (at == step) throw Error("injected failure", EIO);
    };
    try {
      add_device(sysroot(), spec, state(), passed, test);
      remove_device(sysroot(), spec, state(), passed);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("injected failure"));
      ++failed;
    }
    EXPECT_EQ(sh(look), before) << "after failing step " << step;
    EXPECT_TRUE(list_directory(plug_directory(sysroot(), vmid())).empty()) << step;
  }
  EXPECT_GE(failed, 8U);
  remove_tree(AT_FDCWD, formatted("/dev/hutch-test-{}.d", vmid()));
}

TEST_F(DevicesTest, WhatIsLeftByAKilledAddIsTakenAwayByTheNext) {
  start();
  auto passed = device();
  passed.deny_write = true;
  sh(formatted("touch {}", host_path_));
  const std::string mounts = sh("cat /proc/self/mountinfo | wc -l");
  unsigned killed = 0;
  for (unsigned step = 0; step < 16; ++step) {
    killed += killed_before(
        step, [&](const HotPlugTest& test) { add_device(sysroot(), spec, state(), passed, test); });
    add_device(sysroot(), spec, state(), passed);
    EXPECT_EQ(sh(formatted("cat {} && grep -c ' {} ' /proc/self/mountinfo", host_path_, host_path_)), "1");
    remove_device(sysroot(), spec, state(), passed);
    EXPECT_EQ(sh("cat /proc/self/mountinfo | wc -l"), mounts) << step;
    EXPECT_EQ(sh("echo x > /dev/null && echo writable"), "writable") << step;
  }
  EXPECT_GE(killed, 7U);
}

}  // namespace
}  // namespace hutch::kernel_test
