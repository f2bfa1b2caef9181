#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "base/format.h"
#include "runtime/state.h"
#include "tests/cli/container_fixture.h"

// Commands for different containers at the same time, and commands right behind an end that nobody asked for: they
// share parent groups, loop devices, the bridge and directories, and the last supervisor's clean-up.
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
  }

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
    return create(vmid, image) && succeeds({"start", name}) && succeeds({"set", name, "--mp1", "local:0.01,mp=/mnt"}) &&
           succeeds({"set", name, "--delete", "mp1"}) && end_by_itself(vmid) && succeeds({"start", name}) &&
           succeeds({"stop", name}) && succeeds({"start", name}) && end_by_itself(vmid) &&
           succeeds({"destroy", name, "--purge"});
  }
};

TEST_F(SideBySide, NoCommandIsInTheWayOfAnother) {
  std::vector<pid_t> children;
  for (unsigned at = 0; at < kContainers; ++at) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      bool well = true;
      for (int round = 0; round < 3 && well; ++round) {
        well = live(720'000'000 + static_cast<unsigned>(::getpid()), at % 2 == 0);
      }
      ::_exit(well ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  for (int tries = 0; tries < 2000 && !kernel_leftovers().empty(); ++tries) ::usleep(10000);
  EXPECT_EQ(kernel_leftovers(), std::vector<std::string>());
}

// Whatever a command finds gone, it says that the container does not run, or what it says of one that has ended.
TEST_F(SideBySide, AContainerMayEndUnderACommand) {
  const unsigned vmid = 720'000'000 + static_cast<unsigned>(::getpid());
  const std::string name = std::to_string(vmid);
  ASSERT_TRUE(create(vmid, false));
  for (useconds_t round = 0; round < 20; ++round) {
    ASSERT_TRUE(succeeds({"start", name}));
    const pid_t other = ::fork();
    ASSERT_GE(other, 0);
    if (other == 0) {
      bool well = true;
      while (well && pct({"status", name}).out != "status: stopped\n") {
        well = succeeds({"status", name, "--verbose"});
        const auto joined = pct({"exec", name, "--", "/bin/sh", "-c", "exit 0"});
        well = well && (joined.status == 0 || joined.status == 128 + SIGKILL ||
                        joined.err == formatted("container '{}' not running!\n", name));
        if (!well) std::fprintf(stderr, "exec: %d: %s", joined.status, joined.err.c_str());
      }
      ::_exit(well ? 0 : 1);
    }
    ::usleep(5000 + round * 500);
    EXPECT_TRUE(end_by_itself(vmid));
    int status = -1;
    ASSERT_EQ(::waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(succeeds({"destroy", name}));
}

TEST_F(SideBySide, ADestroyThatStopsAContainerTakesOneThatHasEndedMeanwhile) {
  const unsigned vmid = 720'000'000 + static_cast<unsigned>(::getpid());
  const std::string name = std::to_string(vmid);
  ASSERT_TRUE(create(vmid, false) && succeeds({"start", name}));
  auto lock = std::make_optional(ConfigStore(host.sysroot()).lock(vmid, stderr));
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    lock.reset();
    ::_exit(succeeds({"destroy", name, "--force"}) ? 0 : 1);
  }
  ::usleep(200'000);  // it wants the lock
  EXPECT_TRUE(end_by_itself(vmid));
  lock.reset();
  int status = -1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(vmid));
}

// Else it might be the next start's that it removes.
TEST_F(SideBySide, AShutdownCleansUpUnderTheLockOnly) {
  const unsigned vmid = 720'000'000 + static_cast<unsigned>(::getpid());
  const std::string name = std::to_string(vmid);
  ASSERT_TRUE(create(vmid, false));
  const std::string rootfs = formatted("var/lib/vz/images/{0}/subvol-{0}-disk-0.subvol/", vmid);
  const auto appears = [&](const std::string& file) {
    for (int tries = 0; tries < 6000 && !std::filesystem::exists(host.path(rootfs + file)); ++tries)
      ::usleep(10000);
    return std::filesystem::exists(host.path(rootfs + file));
  };
  host.write(rootfs + "sbin/run",
             "#!/bin/sh\ntrap ': > /got; while [ ! -e /go ]; do sleep 0.05; done; exit 0' PWR\n"
             ": > /ready\nwhile :; do sleep 0.05; done\n");
  ASSERT_TRUE(succeeds({"start", name}) && appears("ready"));
  const auto running = find_running(host.sysroot(), vmid);
  ASSERT_TRUE(running && ::kill(running->supervisor.pid, SIGKILL) == 0);
  ::waitpid(running->supervisor.pid, nullptr, 0);
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) ::_exit(succeeds({"shutdown", name}) ? 0 : 1);
  ASSERT_TRUE(appears("got"));
  auto lock = std::make_optional(ConfigStore(host.sysroot()).lock(vmid, stderr));
  host.write(rootfs + "go", "");
  while (is_alive(running->init)) ::usleep(500);
  ::usleep(200'000);
  EXPECT_TRUE(std::filesystem::exists(state_directory(host.sysroot(), vmid)));
  lock.reset();
  int status = -1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(state_directory(host.sysroot(), vmid)));
  EXPECT_TRUE(succeeds({"destroy", name}));
}

// The supervisor wants the lock for its restart, and the start waits for the supervisor's clean-up under the lock.
TEST_F(SideBySide, AStartDoesNotWaitForARebootThatWaitsForIt) {
  const unsigned vmid = 720'000'000 + static_cast<unsigned>(::getpid());
  const std::string name = std::to_string(vmid);
  ASSERT_TRUE(create(vmid, false));
  const std::string rootfs = formatted("var/lib/vz/images/{0}/subvol-{0}-disk-0.subvol/", vmid);
  host.write(rootfs + "sbin/run",
             "#!/bin/sh\nif [ -e /again ]; then exec sleep 1000; fi\n: > /again\nexec /bin/reboot -f\n");
  std::filesystem::create_symlink("/bin/sh", host.path(rootfs + "bin/reboot"));
  host.add_container(vmid, host.config(vmid) + "lxc.hook.post-stop: sh -c 'sleep 1'\n");
  ASSERT_TRUE(succeeds({"start", name}));
  while (find_running(host.sysroot(), vmid)) ::usleep(500);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(succeeds({"start", name}));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(9)) << "the lock's time is 10";
  EXPECT_TRUE(succeeds({"stop", name}) && succeeds({"destroy", name}));
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

}  // namespace
}  // namespace hutch::cli
