#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/stop.h"
#include "tests/kernel/container_fixture.h"

// lxc.namespace.*, lxc.time.offset.*, lxc.sched.core, lxc.keyring.session, lxc.monitor.signal.pdeath,
// lxc.cgroup.dir.*: measured inside and outside of real containers.
namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint32_t kFirstVmid = 2500;
constexpr std::uint32_t kSecondVmid = 2501;

std::string namespace_of(const std::string& process, const std::string& kind) {
  return std::filesystem::read_symlink(formatted("/proc/{}/ns/{}", process, kind)).string();
}

class NamespacesTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    if (IsSkipped()) return;
    spec.vmid = kFirstVmid;
  }

  void TearDown() override {
    if (second_ || spec.vmid == kSecondVmid) {
      if (const auto running = find_running(sysroot(), kSecondVmid)) kill_container(sysroot(), *running);
      clean_up_leftovers(sysroot(), kSecondVmid);
    }
    spec.vmid = kFirstVmid;
    ContainerTest::TearDown();
  }

  std::string init() const { return std::to_string(state().init.pid); }

  // Another container on the same rootfs, which becomes the one that exec() and state() mean.
  void start_second() {
    second_ = true;
    start();
  }
  void make_second() {
    first_init_ = init();
    spec.vmid = kSecondVmid;
    make_directories(rootfs_mount_path(sysroot(), vmid()));  // stays after a start
  }
  const std::string& first_init() const { return first_init_; }

  void share(NamespaceKind kind) {
    using Target = SharedNamespace::Target;
    spec.namespaces.shared.push_back({kind, Target::container, "", kFirstVmid, {"test.conf", 7}});
  }

 private:
  bool second_ = false;
  std::string first_init_;
};

TEST_F(NamespacesTest, WhatIsKeptIsTheStarters) {
  spec.namespaces.net = spec.namespaces.ipc = spec.namespaces.uts = false;
  start();
  for (const auto* kind : {"net", "ipc", "uts"})
    EXPECT_EQ(namespace_of(init(), kind), namespace_of("self", kind));
  for (const auto* kind : {"mnt", "pid", "user", "cgroup"}) {
    EXPECT_NE(namespace_of(init(), kind), namespace_of("self", kind)) << kind;
  }
  EXPECT_NE(sh("hostname"), "inside");
  // Its /sys shows the network that it has.
  EXPECT_EQ(sh("readlink /proc/self/ns/net"), namespace_of("self", "net"));
  EXPECT_THAT(sh("ls /sys/class/net"), HasSubstr("lo"));
}

TEST_F(NamespacesTest, KeptProcessIdsAreVisibleAndHarmless) {
  spec.namespaces.pid = false;
  start();
  EXPECT_EQ(namespace_of(init(), "pid"), namespace_of("self", "pid"));
  EXPECT_EQ(sh(formatted("readlink /proc/{}/ns/pid", init())), namespace_of("self", "pid"));
  kill();
  EXPECT_EQ(::kill(::getpid(), 0), 0);
}

TEST_F(NamespacesTest, KeptCgroupNamespaceShowsTheHostsTree) {
  spec.namespaces.cgroup = false;
  start();
  EXPECT_EQ(namespace_of(init(), "cgroup"), namespace_of("self", "cgroup"));
  EXPECT_THAT(sh("cat /proc/self/cgroup"), HasSubstr(formatted("0::/lxc/{}/ns", kFirstVmid)));
  EXPECT_EQ(sh(formatted("test -d /sys/fs/cgroup/lxc/{}/ns && echo there", kFirstVmid)), "there");
}

TEST_F(NamespacesTest, SharesTheNetworkOfAnotherContainer) {
  start();
  make_second();
  spec.namespaces.net = false;
  share(NamespaceKind::net);
  start_second();
  EXPECT_EQ(namespace_of(init(), "net"), namespace_of(first_init(), "net"));
  for (const auto* kind : {"mnt", "pid", "user", "cgroup", "uts", "ipc"}) {
    EXPECT_NE(namespace_of(init(), kind), namespace_of(first_init(), kind)) << kind;
    EXPECT_NE(namespace_of(init(), kind), namespace_of("self", kind)) << kind;
  }
  EXPECT_EQ(sh("ls /sys/class/net"), "lo");
  EXPECT_EQ(sh("readlink /proc/self/ns/net"), namespace_of(first_init(), "net"));
}

TEST_F(NamespacesTest, SharesEverythingThatCanBeShared) {
  spec.namespaces.time = true;
  spec.namespaces.boottime_offset_ns = 5000LL * 1000000000LL;
  start();
  make_second();
  auto& set = spec.namespaces;
  set = {};
  set.pid = set.net = set.ipc = set.uts = set.cgroup = false;
  for (const auto kind : {NamespaceKind::user, NamespaceKind::pid, NamespaceKind::uts, NamespaceKind::ipc,
                          NamespaceKind::net, NamespaceKind::cgroup, NamespaceKind::time}) {
    share(kind);
  }
  start_second();
  for (const auto* kind : {"pid", "user", "cgroup", "uts", "ipc", "net", "time"}) {
    EXPECT_EQ(namespace_of(init(), kind), namespace_of(first_init(), kind)) << kind;
  }
  EXPECT_NE(namespace_of(init(), "mnt"), namespace_of(first_init(), "mnt"));
  EXPECT_EQ(sh("id -u"), "0");
  EXPECT_THAT(sh("ps -o pid,args"), HasSubstr("    1 /bin/sleep 1000"));
  const std::string inside = exec({"/bin/cat", "/proc/uptime"}).out;
  EXPECT_GE(std::stod(inside), std::stod(read_file(AT_FDCWD, "/proc/uptime")) + 4990);
  // Its group is its own all the same.
  EXPECT_THAT(read_file(AT_FDCWD, formatted("/proc/{}/cgroup", init())),
              HasSubstr(formatted("0::/lxc/{}/ns", kSecondVmid)));
}

TEST_F(NamespacesTest, ASharedUserNamespaceMustHaveTheSameMap) {
  start();
  make_second();
  spec.namespaces.user = false;
  share(NamespaceKind::user);
  spec.id_map.uids = {{0, 100000, 1000, {"test.conf", 3}}};
  EXPECT_THAT(start_error(),
              HasSubstr("the uid_map of the shared user namespace is not the container's own"));
}

TEST_F(NamespacesTest, TheInitOfSharedProcessIdsIsNeverTakenForARebootingOne) {
  start();
  make_second();
  spec.namespaces.user = spec.namespaces.pid = false;
  share(NamespaceKind::user);
  share(NamespaceKind::pid);
  StartOptions options;
  // Would leave a file behind if it were executed.
  options.restart_command = {"--gtest_list_tests", "--gtest_output=json:" + directory() + "/restarted"};
  start_container(plan(), options);
  ASSERT_EQ(::kill(state().init.pid, SIGHUP), 0);
  EXPECT_TRUE(wait_until_gone());
  EXPECT_FALSE(path_exists(AT_FDCWD, directory() + "/restarted"));
  // The other one goes on.
  EXPECT_TRUE(find_running(sysroot(), kFirstVmid));
}

TEST_F(NamespacesTest, EveryStepOfAStartThatJoinsCanFail) {
  start();
  make_second();
  spec.namespaces.user = spec.namespaces.pid = spec.namespaces.net = spec.namespaces.cgroup = false;
  for (const auto kind :
       {NamespaceKind::user, NamespaceKind::pid, NamespaceKind::net, NamespaceKind::cgroup}) {
    share(kind);
  }
  spec.cgroup_paths.monitor = "hutch2501/monitor";
  const std::string group = cgroupv2::detect_layout().unified + "/hutch2501";
  for (const bool own_memory : {false, true}) {
    if (own_memory) {
      spec.namespaces.shared.push_back(
          {NamespaceKind::time, SharedNamespace::Target::path, "/proc/self/ns/time", 0, {}});
    }
    const StartPlan planned = plan();
    EXPECT_EQ(planned.shares_memory, !own_memory);
    const std::string before = host_snapshot(directory(), kSecondVmid);
    for (std::size_t step = 0; step <= planned.host.size(); ++step) {
      StartOptions options;
      options.before_step = [step](std::size_t at) {
        if (at == step) throw Error("injected failure", EIO);
      };
      EXPECT_THROW(start_container(planned, options), Error) << step;
      const std::string name = step < planned.host.size() ? planned.host[step].text : "after the last step";
      ASSERT_EQ(host_snapshot(directory(), kSecondVmid), before) << "left by failing: " << name;
      EXPECT_FALSE(path_exists(AT_FDCWD, group)) << name;
    }
  }
  EXPECT_TRUE(find_running(sysroot(), kFirstVmid));
}

TEST_F(NamespacesTest, ARootWithoutIdZeroIsInits) {
  spec.id_map.uids = {{1000, 101000, 10, {}}};
  spec.id_map.gids = {{2000, 102000, 10, {}}};
  spec.init.uid = 1000;
  spec.init.gid = 2000;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(rootfs())) {
    ASSERT_EQ(::lchown(entry.path().c_str(), 101000, 102000), 0);
  }
  ASSERT_EQ(::chown(rootfs().c_str(), 101000, 102000), 0);
  start();
  EXPECT_EQ(sh("id -u; id -g; stat -c '%u:%g' /dev/null"), "1000\n2000\n1000:2000");
  struct stat inits {};
  EXPECT_EQ(::stat(formatted("/proc/{}", init()).c_str(), &inits), 0);
  EXPECT_EQ(inits.st_uid, 101000U);
}

TEST_F(NamespacesTest, WhatIsToBeSharedHasToLive) {
  spec.namespaces.net = false;
  spec.namespaces.shared = {
      {NamespaceKind::net, SharedNamespace::Target::container, "", 2599, {"test.conf", 7}}};
  EXPECT_THAT(start_error(), ::testing::AllOf(HasSubstr("the net namespace of CT 2599"),
                                              HasSubstr("does not run"), HasSubstr("test.conf:7")));
  spec.namespaces.shared[0].target = SharedNamespace::Target::path;
  spec.namespaces.shared[0].path = directory() + "/nothing";
  EXPECT_THAT(start_error(), HasSubstr("ENOENT"));
  spec.namespaces.shared[0].path = "/proc/self/ns/uts";
  EXPECT_THAT(start_error(), HasSubstr("is no net namespace"));
  spec.namespaces.shared[0].path = "/etc/hostname";
  EXPECT_THAT(start_error(), HasSubstr("is no net namespace"));
}

TEST_F(NamespacesTest, SharesANamespaceFile) {
  // As `ip netns add` makes one.
  const std::string file = directory() + "/net";
  replace_file(AT_FDCWD, file, "", 0644);
  const pid_t maker = ::fork();
  if (maker == 0)
    ::_exit(::unshare(CLONE_NEWNET) == 0 && ::mount("/proc/self/ns/net", file.c_str(), "", MS_BIND, "") == 0
                ? 0
                : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(maker, &status, 0), maker);
  ASSERT_EQ(status, 0);
  spec.namespaces.net = false;
  spec.namespaces.shared = {{NamespaceKind::net, SharedNamespace::Target::path, file, 0, {}}};
  start();
  struct stat named {
  }, inits{};
  EXPECT_EQ(::stat(file.c_str(), &named), 0);
  EXPECT_EQ(::stat(formatted("/proc/{}/ns/net", init()).c_str(), &inits), 0);
  EXPECT_EQ(named.st_ino, inits.st_ino);
  kill();
  EXPECT_EQ(::umount2(file.c_str(), MNT_DETACH), 0);
}

TEST_F(NamespacesTest, APrivilegedContainerSharesTheNamespacesOfAProcess) {
  make_privileged();
  const auto own = static_cast<std::uint32_t>(::getpid());
  spec.namespaces.uts = spec.namespaces.ipc = false;
  spec.namespaces.shared = {{NamespaceKind::uts, SharedNamespace::Target::process, "", own, {}},
                            {NamespaceKind::ipc, SharedNamespace::Target::process, "", own, {}}};
  start();
  EXPECT_EQ(namespace_of(init(), "uts"), namespace_of("self", "uts"));
  EXPECT_EQ(namespace_of(init(), "ipc"), namespace_of("self", "ipc"));
}

TEST_F(NamespacesTest, ClocksAreOffByWhatIsAsked) {
  spec.namespaces.time = true;
  spec.namespaces.boottime_offset_ns = 7200LL * 1000000000LL;
  spec.namespaces.monotonic_offset_ns = -1500000000LL;
  start();
  const std::string offsets = read_file(AT_FDCWD, formatted("/proc/{}/timens_offsets", init()));
  std::vector<std::string> rows;
  for (const auto line : split(offsets, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 3) rows.push_back(formatted("{} {} {}", words[0], words[1], words[2]));
  }
  EXPECT_EQ(join(rows, ","), "monotonic -2 500000000,boottime 7200 0");
  const std::string inside = exec({"/bin/cat", "/proc/uptime"}).out;
  EXPECT_GE(std::stod(inside), std::stod(read_file(AT_FDCWD, "/proc/uptime")) + 7190);
}

TEST_F(NamespacesTest, TheKeyringIsAFreshOneUnlessItIsTheStarters) {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "hutch-test") < 0) {
    GTEST_SKIP() << "probe: no keyrings here: " << errno_text(errno);
  }
  const auto self = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::filesystem::copy_file(self / "session_keyring", rootfs() + "/bin/session_keyring");
  start();
  EXPECT_THAT(sh("/bin/session_keyring"), ::testing::EndsWith(";_ses"));
  kill();
  make_privileged();
  spec.new_keyring = false;
  // What init itself has.
  spec.init.argv = {"/bin/sh", "-c",
                    "/bin/session_keyring >/tmp/keyring 2>&1; touch /tmp/ready; exec sleep 1000"};
  start();
  EXPECT_THAT(sh("/bin/session_keyring"), ::testing::EndsWith(";hutch-test"));
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  EXPECT_THAT(sh("cat /tmp/keyring"), ::testing::EndsWith(";hutch-test"));
}

TEST_F(NamespacesTest, CoreSchedulingGivesACookie) {
  const auto smt = read_file_if_exists(AT_FDCWD, "/sys/devices/system/cpu/smt/active");
  spec.core_scheduling = true;
  start();
  if (!smt || trim(*smt) != "1")
    GTEST_SKIP() << "probe: no core of this host has two threads (the start works)";
  EXPECT_THAT(read_file(AT_FDCWD, formatted("/proc/{}/sched", init())), Not(HasSubstr("core_cookie : 0\n")));
}

TEST_F(NamespacesTest, InitGoesWithItsSupervisorWhereAsked) {
  spec.parent_death_signal = {SIGKILL, {}};
  start();
  const auto first = state();
  ASSERT_EQ(::kill(first.supervisor.pid, SIGKILL), 0);
  for (int i = 0; i < 500 && is_alive(first.init); ++i) ::usleep(10000);
  EXPECT_FALSE(is_alive(first.init));
  kill();
  spec.parent_death_signal.reset();
  start();
  const auto second = state();
  ASSERT_EQ(::kill(second.supervisor.pid, SIGKILL), 0);
  ::usleep(50000);
  EXPECT_TRUE(is_alive(second.init));
}

TEST_F(NamespacesTest, GroupsAreWhereTheConfigWantsThem) {
  spec.cgroup_paths = {"hutch2500/limits", "inner", "hutch2500/monitor", "", {}};
  start();
  EXPECT_THAT(read_file(AT_FDCWD, formatted("/proc/{}/cgroup", init())),
              HasSubstr("0::/hutch2500/limits/inner\n"));
  EXPECT_THAT(read_file(AT_FDCWD, formatted("/proc/{}/cgroup", state().supervisor.pid)),
              HasSubstr("0::/hutch2500/monitor\n"));
  EXPECT_EQ(sh("cat /proc/self/cgroup | grep ^0::"), "0::/");
  const std::string group = cgroupv2::detect_layout().unified + "/hutch2500";
  EXPECT_TRUE(path_exists(AT_FDCWD, group));
  kill();
  EXPECT_FALSE(path_exists(AT_FDCWD, group));
}

TEST_F(NamespacesTest, TheMonitorsGroupGoesWithASupervisorThatCleansUp) {
  spec.cgroup_paths.monitor = "hutch2500/monitor";
  start();
  ASSERT_EQ(::kill(state().init.pid, SIGKILL), 0);
  EXPECT_TRUE(wait_until_gone());
  EXPECT_FALSE(path_exists(AT_FDCWD, cgroupv2::detect_layout().unified + "/hutch2500"));
}

}  // namespace
}  // namespace hutch::kernel_test
