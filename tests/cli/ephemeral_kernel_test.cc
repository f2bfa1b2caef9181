#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/state.h"
#include "tests/cli/container_fixture.h"

// lxc.ephemeral: the container is destroyed when it has stopped, and not when it reboots.
namespace hutch::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Ephemeral : public testing::ContainerFixture {
 protected:
  void SetUp() override {
    ContainerFixture::SetUp();
    if (IsSkipped()) return;
    const auto created =
        pct({"create", kName, "local:vztmpl/debian.tar.gz", "--rootfs", "0", "--unprivileged", "1"});
    ASSERT_EQ(created.status, 0) << created.err;
    std::filesystem::copy_file("/bin/busybox", rootfs() + "/bin/busybox");
    host.add_container(kVmid, host.config(kVmid) + "lxc.ephemeral: 1\n");
  }
  void TearDown() override {
    if (IsSkipped()) return;
    if (find_running(host.sysroot(), kVmid)) pct({"stop", kName});
    wait_for_supervisors();
    EXPECT_THAT(kernel_leftovers(), IsEmpty());
  }

  static constexpr unsigned kVmid = 2520;
  static constexpr const char* kName = "2520";

  std::string rootfs() const { return host.path("var/lib/vz/images/2520/subvol-2520-disk-0.subvol"); }
  void start() {
    const auto outcome = pct({"start", kName});
    ASSERT_EQ(outcome.status, 0) << outcome.err << outcome.out;
  }
  bool exists() const { return ConfigStore(host.sysroot()).exists(kVmid); }
  void expect_destroyed() const {
    EXPECT_FALSE(exists());
    EXPECT_FALSE(std::filesystem::exists(rootfs()));
    EXPECT_FALSE(std::filesystem::exists(host.path("run/hutch/2520")));
  }
  // They are children of this process, which unlike `pct start` lives on.
  static void wait_for_supervisors() {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  pid_t init() const { return find_running(host.sysroot(), kVmid).value().init.pid; }
};

TEST_F(Ephemeral, IsGoneWhenItHasEndedByItself) {
  start();
  ASSERT_EQ(::kill(init(), SIGKILL), 0);
  wait_for_supervisors();
  expect_destroyed();
}

TEST_F(Ephemeral, IsGoneAfterStop) {
  start();
  const auto outcome = pct({"stop", kName});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  expect_destroyed();
}

TEST_F(Ephemeral, IsGoneAfterAStopSignalThatTheSupervisorSees) {
  host.add_container(kVmid, host.config(kVmid) +
                                "lxc.signal.stop: SIGTERM\nlxc.init.cmd: /bin/sh -c \"trap 'exit 0' TERM; "
                                ": > /trapped; /bin/busybox sleep 1000 & wait\"\n");
  start();
  for (int i = 0; i < 2000 && !std::filesystem::exists(rootfs() + "/trapped"); ++i) ::usleep(10000);
  ASSERT_TRUE(std::filesystem::exists(rootfs() + "/trapped"));
  const auto outcome = pct({"stop", kName});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  expect_destroyed();
}

TEST_F(Ephemeral, IsGoneAfterShutdown) {
  start();
  const auto outcome = pct({"shutdown", kName, "--timeout", "1", "--forceStop", "1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  expect_destroyed();
}

TEST_F(Ephemeral, IsGoneAfterADestroyThatStopsIt) {
  start();
  const auto outcome = pct({"destroy", kName, "--force"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  expect_destroyed();
}

TEST_F(Ephemeral, StaysOverARebootFromInside) {
  start();
  const pid_t before = init();
  // In a process of its own, as `pct` is one: the program that joins does not come back.
  pct({"exec", kName, "--", "/bin/busybox", "reboot", "-f"});
  for (int i = 0; i < 500; ++i) {
    const auto running = find_running(host.sysroot(), kVmid);
    if (running && running->init.pid != before) break;
    ::usleep(10000);
  }
  ASSERT_TRUE(find_running(host.sysroot(), kVmid));
  EXPECT_NE(init(), before);
  EXPECT_TRUE(exists());
  pct({"stop", kName});
  expect_destroyed();
}

TEST_F(Ephemeral, StaysOverAReboot) {
  start();
  const auto outcome = pct({"reboot", kName, "--timeout", "1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(exists());
  EXPECT_TRUE(find_running(host.sysroot(), kVmid));
}

TEST_F(Ephemeral, StaysWhereItIsProtectedAndSaysSo) {
  host.add_container(kVmid, host.config(kVmid) + "protection: 1\n");
  start();
  const auto outcome = pct({"stop", kName});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("CT 2520 is ephemeral, but stays: can't remove CT 2520 - protection mode"));
  EXPECT_TRUE(exists());
}

TEST_F(Ephemeral, StaysWhereItsConfigSaysSoMeanwhile) {
  start();
  std::string config = host.config(kVmid);
  config.replace(config.find("lxc.ephemeral: 1"), 16, "lxc.ephemeral: 0");
  host.add_container(kVmid, config);
  ASSERT_EQ(::kill(init(), SIGKILL), 0);
  wait_for_supervisors();
  EXPECT_TRUE(exists());
  EXPECT_TRUE(std::filesystem::exists(rootfs()));
}

TEST_F(Ephemeral, OthersStay) {
  std::string config = host.config(kVmid);
  config.replace(config.find("lxc.ephemeral: 1"), 16, "lxc.ephemeral: 0");
  host.add_container(kVmid, config);
  start();
  EXPECT_EQ(pct({"stop", kName}).status, 0);
  EXPECT_TRUE(exists());
}

}  // namespace
}  // namespace hutch::cli
