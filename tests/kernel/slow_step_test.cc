#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "cgroupv2/freezer.h"
#include "tests/kernel/container_fixture.h"

// Two lanes of the host and the first process run beside each other: whichever of them is late, and where,
// init finds the same container.
namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::milliseconds kLate{50};

class SlowStepTest : public ContainerTest {
 protected:
  void make_container() {
    LinkSpec link = veth_on(make_bridge());
    link.configure = true;
    link.addresses = {inner_address() + "/24"};
    link.gateway4 = subnet_address(1);
    spec.links = {link};
    spec.console = true;
    spec.tty_count = 1;
    spec.resources.memory_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(256U << 20), {}};
    spec.resources.pids_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(100), {}};
    spec.resources.cpu_count = Located<std::uint32_t>{1, {}};
    spec.capabilities.drop = {{"sys_time", {}}};
    spec.seccomp.policy = "2\ndenylist\n[all]\nkexec_load errno 1\n";
    spec.rlimits = {{"nofile", 512, 1024, {}}};
    spec.init.argv = {
        "/bin/sh", "-c",
        "{ tty; id; hostname; nproc; ulimit -n; ip -4 addr show eth0 | grep inet; ip route; "
        "grep -e Cap -e Seccomp: -e NoNewPrivs /proc/self/status; cat /proc/self/cgroup; mount; "
        "ls /dev; } >/tmp/report 2>&1; touch /tmp/done; exec sleep 1000"};
  }

  // What init has found, and that the container ends as any other.
  std::string report(const StartOptions& options = {}) {
    start(options);
    EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/done"));
    std::string text = read_file(AT_FDCWD, rootfs() + "/tmp/report");
    kill();
    for (const auto* file : {"/tmp/done", "/tmp/report"}) remove_tree(AT_FDCWD, rootfs() + file);
    return text;
  }

  // Host steps from the first on beside which there is a first process.
  static std::size_t first_beside(const StartPlan& plan) {
    std::size_t at = 0;
    while (!std::holds_alternative<host::Spawn>(plan.host[at].action)) ++at;
    return at + 1;
  }

  // Holds the first process up for a moment. A thread would share our working directory, and then nobody
  // returns to the host's mounts (setns(2)).
  class Stop {
   public:
    explicit Stop(const std::string& group) {
      const auto pids = cgroupv2::processes(group);
      stopped_ = !pids.empty();
      for (const auto pid : pids) ::kill(pid, SIGSTOP);
      end_ = check(::fork(), "cannot fork");
      if (end_ != 0) return;
      std::this_thread::sleep_for(kLate);
      for (const auto pid : pids) ::kill(pid, SIGCONT);
      ::_exit(0);
    }
    Stop(const Stop&) = delete;
    Stop& operator=(const Stop&) = delete;
    ~Stop() { ::waitpid(end_, nullptr, 0); }

    bool stopped() const { return stopped_; }

   private:
    bool stopped_ = false;
    pid_t end_ = -1;
  };
};

TEST_F(SlowStepTest, OfTheHostChangesNothing) {
  make_container();
  const std::string usual = report();
  EXPECT_THAT(usual, HasSubstr(inner_address()));
  const StartPlan planned = plan();
  for (std::size_t step = first_beside(planned); step < planned.host.size(); ++step) {
    StartOptions options;
    options.before_step = [step](std::size_t at) {
      if (at == step) std::this_thread::sleep_for(kLate);
    };
    ASSERT_EQ(report(options), usual)
        << "with a late host step " << step + 1 << ": " << planned.host[step].text;
  }
}

TEST_F(SlowStepTest, OfTheFirstProcessChangesNothing) {
  make_container();
  const std::string usual = report();
  const StartPlan planned = plan();
  const std::string group =
      formatted("{}/lxc/{}/{}", cgroupv2::detect_layout().unified, vmid(), spec.cgroup_paths.inner);
  std::size_t stops = 0;
  for (std::size_t step = first_beside(planned); step < planned.host.size(); ++step) {
    std::optional<Stop> stop;
    StartOptions options;
    options.before_step = [&](std::size_t at) {
      if (at == step) stop.emplace(group);
    };
    ASSERT_EQ(report(options), usual)
        << "stopped before host step " << step + 1 << ": " << planned.host[step].text;
    if (stop && stop->stopped()) ++stops;
  }
  // The group is empty until the kernel has cloned.
  EXPECT_GT(stops, (planned.host.size() - first_beside(planned)) / 2);
}

}  // namespace
}  // namespace hutch::kernel_test
