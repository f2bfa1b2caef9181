#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>

#include "base/format.h"
#include "runtime/state.h"
#include "tests/cli/container_fixture.h"

// Commands for different containers at the same time, and commands right behind an end that nobody asked for:
// they share parent groups, loop devices, the bridge and directories, and the last supervisor's clean-up.
namespace hutch::cli {
namespace {

constexpr unsigned kContainers = 3;

class SideBySide : public testing::ContainerFixture {
 protected:
  void SetUp() override {
    ContainerFixture::SetUp();
    if (IsSkipped()) return;
    host.write("tree/sbin/run", "#!/bin/sh\nexec sleep 1000\n");
    std::filesystem::permissions(host.path("tree/sbin/run"), std::filesystem::perms(0755));
    pack("tree", "debian.tar.gz");
    vmid_ = own_vmid();
    name_ = std::to_string(vmid_);
    rootfs_ = formatted("var/lib/vz/images/{0}/subvol-{0}-disk-0.subvol/", vmid_);
  }

  static unsigned own_vmid() { return 720'000'000 + static_cast<unsigned>(::getpid()); }

  bool succeeds(const std::vector<std::string>& words) {
    const auto outcome = pct(words);
    if (outcome.status == 0) return true;
    std::fprintf(stderr, "pct %s %s: %s", words[0].c_str(), words[1].c_str(), outcome.err.c_str());
    return false;
  }

  // Init is killed, and the next command comes as soon as the container does not run any more.
  bool end_by_itself(unsigned vmid) {
    const auto running = find_running(host.sysroot(), vmid);
    if (!running || ::kill(running->init.pid, SIGKILL) != 0) return false;
    while (find_running(host.sysroot(), vmid)) ::usleep(500);
    return true;
  }

  bool create(unsigned vmid, bool image) {
    return succeeds({"create", std::to_string(vmid), "local:vztmpl/debian.tar.gz", "--rootfs",
                     image ? "local:0.02" : "0", "--ostype", "unmanaged", "--entrypoint", "/sbin/run",
                     "--memory", "64", "--cores", "1", "--unprivileged", "1"});
  }

  bool live(unsigned vmid, bool image) {
    const std::string name = std::to_string(vmid);
    return create(vmid, image) && succeeds({"start", name}) &&
           succeeds({"set", name, "--mp1", "local:0.01,mp=/mnt"}) &&
           succeeds({"set", name, "--delete", "mp1"}) && end_by_itself(vmid) && succeeds({"start", name}) &&
           succeeds({"stop", name}) && succeeds({"start", name}) && end_by_itself(vmid) &&
           succeeds({"destroy", name, "--purge"});
  }

  // What is done in a process of its own.
  static pid_t beside(const std::function<bool()>& well) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(well() ? 0 : 1);
    return child;
  }
  static bool did_well(pid_t child) {
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }

  bool appears(const std::string& file) {
    for (int tries = 0; tries < 6000 && !std::filesystem::exists(host.path(rootfs_ + file)); ++tries)
      ::usleep(10000);
    return std::filesystem::exists(host.path(rootfs_ + file));
  }

  // Its init runs `script`, as reboot(8) too.
  void replace_init(const std::string& script) {
    host.write(rootfs_ + "sbin/run", "#!/bin/sh\n" + script);
    std::filesystem::create_symlink("/bin/sh", host.path(rootfs_ + "bin/reboot"));
  }

  unsigned vmid_ = 0;
  std::string name_;
  std::string rootfs_;  // of `vmid_`, in a directory
};

TEST_F(SideBySide, NoCommandIsInTheWayOfAnother) {
  std::vector<pid_t> children;
  for (unsigned at = 0; at < kContainers; ++at) {
    children.push_back(beside([&] {
      bool well = true;
      for (int round = 0; round < 3 && well; ++round) well = live(own_vmid(), at % 2 == 0);
      return well;
    }));
  }
  for (const pid_t child : children) EXPECT_TRUE(did_well(child));
  for (int tries = 0; tries < 2000 && !kernel_leftovers().empty(); ++tries) ::usleep(10000);
  EXPECT_EQ(kernel_leftovers(), std::vector<std::string>());
}

// Whatever a command finds gone, it says that the container does not run, or what it says of one that has
// ended.
TEST_F(SideBySide, AContainerMayEndUnderACommand) {
  ASSERT_TRUE(create(vmid_, false));
  for (useconds_t round = 0; round < 20; ++round) {
    ASSERT_TRUE(succeeds({"start", name_}));
    const pid_t other = beside([&] {
      bool well = true;
      while (well && pct({"status", name_}).out != "status: stopped\n") {
        well = succeeds({"status", name_, "--verbose"});
        const auto joined = pct({"exec", name_, "--", "/bin/sh", "-c", "exit 0"});
        well = well && (joined.status == 0 || joined.status == 128 + SIGKILL ||
                        joined.err == formatted("container '{}' not running!\n", name_));
        if (!well) std::fprintf(stderr, "exec: %d: %s", joined.status, joined.err.c_str());
      }
      return well;
    });
    ::usleep(5000 + round * 500);
    EXPECT_TRUE(end_by_itself(vmid_));
    EXPECT_TRUE(did_well(other));
  }
  EXPECT_TRUE(succeeds({"destroy", name_}));
}

TEST_F(SideBySide, ADestroyThatStopsAContainerTakesOneThatHasEndedMeanwhile) {
  ASSERT_TRUE(create(vmid_, false) && succeeds({"start", name_}));
  auto lock = std::make_optional(ConfigStore(host.sysroot()).lock(vmid_, stderr));
  const pid_t other = beside([&] {
    lock.reset();
    return succeeds({"destroy", name_, "--force"});
  });
  ::usleep(200'000);  // it wants the lock
  EXPECT_TRUE(end_by_itself(vmid_));
  lock.reset();
  EXPECT_TRUE(did_well(other));
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(vmid_));
}

// Else it might be the next start's that it removes.
TEST_F(SideBySide, AShutdownCleansUpUnderTheLockOnly) {
  ASSERT_TRUE(create(vmid_, false));
  replace_init(
      "trap ': > /got; while [ ! -e /go ]; do sleep 0.05; done; exit 0' PWR\n"
      ": > /ready\nwhile :; do sleep 0.05; done\n");
  ASSERT_TRUE(succeeds({"start", name_}) && appears("ready"));
  const auto running = find_running(host.sysroot(), vmid_);
  ASSERT_TRUE(running && ::kill(running->supervisor.pid, SIGKILL) == 0);
  ::waitpid(running->supervisor.pid, nullptr, 0);
  const pid_t other = beside([&] { return succeeds({"shutdown", name_}); });
  ASSERT_TRUE(appears("got"));
  auto lock = std::make_optional(ConfigStore(host.sysroot()).lock(vmid_, stderr));
  host.write(rootfs_ + "go", "");
  while (is_alive(running->init)) ::usleep(500);
  ::usleep(200'000);
  EXPECT_TRUE(std::filesystem::exists(state_directory(host.sysroot(), vmid_)));
  lock.reset();
  EXPECT_TRUE(did_well(other));
  EXPECT_FALSE(std::filesystem::exists(state_directory(host.sysroot(), vmid_)));
  EXPECT_TRUE(succeeds({"destroy", name_}));
}

// The supervisor wants the lock for its restart, and the command has it while it waits for the supervisor's
// clean-up.
class RebootAtTheSameTime : public SideBySide {
 protected:
  // Init reboots when it gets SIGPWR, and the clean-up takes a while.
  void start_rebooter(const std::string& settings) {
    ASSERT_TRUE(create(vmid_, false));
    replace_init("trap 'exec /bin/reboot -f' PWR\n: > /ready\nwhile :; do sleep 0.05; done\n");
    host.add_container(vmid_, host.config(vmid_) + "lxc.hook.post-stop: sh -c 'sleep 1'\n" + settings);
    ASSERT_TRUE(succeeds({"start", name_}) && appears("ready"));
  }

  bool succeeds_before_the_locks_time(const std::vector<std::string>& words) {
    const auto begin = std::chrono::steady_clock::now();
    return succeeds(words) && std::chrono::steady_clock::now() - begin < kLockTime;
  }

  // Supervisors are children of this process, and so are the restarts that they turn into.
  static void let_restarts_end() {
    for (int tries = 0; tries < 6000 && ::waitpid(-1, nullptr, WNOHANG) >= 0; ++tries) ::usleep(10000);
  }

  void TearDown() override {
    let_restarts_end();
    SideBySide::TearDown();
  }

  static constexpr std::chrono::seconds kLockTime{10};
};

TEST_F(RebootAtTheSameTime, AStartIsNotInItsWay) {
  start_rebooter("");
  const auto running = find_running(host.sysroot(), vmid_);
  ASSERT_TRUE(running && ::kill(running->init.pid, SIGPWR) == 0);
  while (is_alive(running->init)) ::usleep(500);
  EXPECT_TRUE(succeeds_before_the_locks_time({"start", name_}));
  EXPECT_TRUE(succeeds({"stop", name_}));
  // Nor does the restart start what somebody has started and stopped before it got the lock.
  let_restarts_end();
  EXPECT_EQ(pct({"status", name_}).out, "status: stopped\n");
  EXPECT_TRUE(succeeds({"destroy", name_}));
}

TEST_F(RebootAtTheSameTime, AStopHasTheLastWord) {
  start_rebooter("lxc.signal.stop: SIGPWR\n");
  EXPECT_TRUE(succeeds_before_the_locks_time({"stop", name_}));
  let_restarts_end();
  EXPECT_EQ(pct({"status", name_}).out, "status: stopped\n");
  EXPECT_TRUE(succeeds({"destroy", name_}));
}

}  // namespace
}  // namespace hutch::cli
