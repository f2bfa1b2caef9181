#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/mount.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "cgroupv2/group.h"
#include "runtime/apparmor.h"
#include "tests/kernel/container_fixture.h"

// Fails every step of a start in turn, on the host's side and on the child's, and looks for anything left.
namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;

class FaultInjectionTest : public ContainerTest {
 protected:
  // The benchmark container of the performance targets: unprivileged, all namespaces, limits, one veth,
  // seccomp, dropped capabilities; with terminals and mounts on top, so that every kind of step is there.
  void make_benchmark_container() {
    LinkSpec link = veth_on(make_bridge());
    link.mac = "BC:24:11:12:34:56";
    link.configure = true;
    link.addresses = {inner_address() + "/24"};
    spec.links = {link};
    spec.console = true;
    spec.tty_count = 1;
    spec.resources.memory_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(512U << 20), {}};
    spec.resources.memory_swap_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(0), {}};
    spec.resources.cpu_max = Located<cgroupv2::CpuMax>{{50000, 100000}, {}};
    spec.resources.cpu_count = Located<std::uint32_t>{1, {}};
    spec.resources.pids_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(100), {}};
    spec.capabilities.drop = {{"sys_time", {}}};
    spec.seccomp.policy = "2\ndenylist\nreject_force_umount\n[all]\nkexec_load errno 1\n";
    spec.rlimits = {{"nofile", 512, 1024, {}}};
    MountSpec mount;
    mount.bind = true;
    mount.source = "/usr";
    mount.target = "mnt/usr";
    mount.create = MountSpec::Create::directory;
    spec.mounts = {mount};
    // Mount points that a start makes in the rootfs stay there; this one is not to be taken for a leftover.
    make_directories(rootfs() + "/mnt/usr");
    if (!apparmor_enabled()) return;
    spec.apparmor.profile = "generated";
    // The profile's source and its compiled form stay in their cache.
    start();
    kill();
  }

  // One of every phase; those of the end count themselves.
  void add_hooks() {
    spec.hooks.of(HookPhase::pre_start) = {{"/bin/true", {}}};
    for (const auto phase :
         {HookPhase::pre_mount, HookPhase::mount, HookPhase::autodev, HookPhase::start_host}) {
      spec.hooks.of(phase) = {{"/bin/true", {}}};
    }
    spec.hooks.of(HookPhase::start) = {{"/bin/true", {}}};
    for (const auto phase : {HookPhase::stop, HookPhase::post_stop}) {
      spec.hooks.of(phase) = {{formatted("echo ran >> {}/ran", directory()), {}}};
    }
    spec.console_output.buffer_size = 4096;
    spec.process_files = {{"oom_score_adj", {"0", {}}}};
  }

  // How many of the end's hooks have run since it was asked last.
  std::size_t hooks_run() const {
    const auto text = read_file_if_exists(AT_FDCWD, directory() + "/ran");
    if (text) remove_tree(AT_FDCWD, directory() + "/ran");
    return text ? static_cast<std::size_t>(std::count(text->begin(), text->end(), '\n')) : 0;
  }

  void use_image() {
    const std::string image = directory() + "/rootfs.raw";
    run_checked({"truncate", "-s", "64M", image});
    run_checked({"mkfs.ext4", "-q", "-d", rootfs(), "-E", "root_owner=100000:100000", image});
    spec.rootfs.kind = VolumeSpec::Kind::image;
    spec.rootfs.source = image;
  }

  std::string settled_snapshot(const std::string& wanted);

  // Whether a failure of host step `failing` is after the promise that they run.
  static bool has_promised_hooks(const StartPlan& plan, std::size_t failing) {
    for (std::size_t at = 0; at < failing; ++at) {
      if (std::holds_alternative<host::PromiseHooks>(plan.host[at].action)) return true;
    }
    return false;
  }
  void fail_every_child_step();

  void fail_every_host_step() {
    const StartPlan planned = plan();
    const std::string before = host_snapshot(directory(), vmid());
    for (std::size_t step = 0; step <= planned.host.size(); ++step) {
      StartOptions options;
      options.before_step = [step](std::size_t at) {
        if (at == step) throw Error("injected failure", EIO);
      };
      try {
        start_container(planned, options);
        ADD_FAILURE() << "step " << step + 1 << " did not fail";
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("injected failure"));
      }
      EXPECT_EQ(hooks_run(), has_promised_hooks(planned, step) ? 2U : 0U) << "step " << step + 1;
      const std::string name = step < planned.host.size() ? planned.host[step].text : "after the last step";
      ASSERT_EQ(host_snapshot(directory(), vmid()), before)
          << "left by failing host step " << step + 1 << ": " << name;
    }
  }
};

// The host's state when it is `wanted`, or after five seconds. Somebody may be cleaning up, and a directory
// vanish while it is listed.
std::string FaultInjectionTest::settled_snapshot(const std::string& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (;;) {
    const bool last = std::chrono::steady_clock::now() > deadline;
    try {
      std::string snapshot = host_snapshot(directory(), vmid());
      if (last || snapshot == wanted) return snapshot;
    } catch (const std::filesystem::filesystem_error&) {
      if (last) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// The plan with a step that fails put before child step `at`.
StartPlan with_failing_child_step(StartPlan plan, std::size_t at) {
  ChildStep failing;
  failing.op = ChildOp::fail;
  failing.number = ENOTRECOVERABLE;
  plan.child.steps.insert(plan.child.steps.begin() + static_cast<std::ptrdiff_t>(at), failing);
  plan.child.info.insert(plan.child.info.begin() + static_cast<std::ptrdiff_t>(at), {"fail as told", {}, {}});
  for (auto& step : plan.child.steps) {
    if (step.skip_to > at) ++step.skip_to;
  }
  return plan;
}

// Whether a step before it may jump over step `at`.
bool may_be_skipped(const StartPlan& plan, std::size_t at) {
  for (std::size_t step = 0; step < at; ++step) {
    const auto& flags = plan.child.steps[step].flags;
    const bool jumps = (flags & (ChildStep::kOptional | ChildStep::kSkipMissing)) != 0;
    if (jumps && plan.child.steps[step].skip_to > at) return true;
  }
  return false;
}

// Links of other types, with scripts, routes and proxies. What the host lends to the container has to be
// there again after each failure, which the snapshot of the wire says.
class LinkFaultInjectionTest : public FaultInjectionTest {
 protected:
  void make_container_with_links() {
    wire_ = formatted("hbln{}a", vmid() % 100000);
    run_checked({"ip", "link", "add", wire_, "type", "veth", "peer", "name", far_end()});
    run_checked({"ip", "link", "property", "add", "dev", wire_, "altname", wire_ + "alt"});
    LinkSpec veth = veth_on(make_bridge());
    write_kernel_file(AT_FDCWD, formatted("/proc/sys/net/ipv4/conf/{}/forwarding", veth.bridge), "1");
    veth.configure = true;
    veth.addresses = {inner_address() + "/24"};
    veth.routes = {subnet_address(0, 2) + "/24"};
    veth.proxy_neighbours = true;
    veth.script_up = {"true", {}};
    veth.script_down = {"true", {}};
    LinkSpec macvlan;
    macvlan.kind = LinkSpec::Kind::macvlan;
    macvlan.index = 1;
    macvlan.name = "eth1";
    macvlan.lower = far_end();
    macvlan.mode = MACVLAN_MODE_BRIDGE;
    LinkSpec phys;
    phys.kind = LinkSpec::Kind::phys;
    phys.index = 2;
    phys.name = "eth2";
    phys.lower = wire_;
    phys.configure = true;
    spec.links = {veth, macvlan, phys};
  }
  void TearDown() override {
    FaultInjectionTest::TearDown();
    run_program({"ip", "link", "delete", far_end()});
  }
  std::string far_end() const { return formatted("hbln{}b", vmid() % 100000); }
  // As the host sees it.
  std::string wire() const {
    const auto shown = run_program({"ip", "-o", "link", "show", wire_});
    const bool named = shown.out.find("altname " + wire_ + "alt") != std::string::npos;
    return shown.out.find(wire_) == std::string::npos ? "gone" : named ? "there" : "without its other name";
  }
  std::string proxies() const { return run_checked({"ip", "neigh", "show", "proxy"}).out; }

  std::string wire_;
};

TEST_F(LinkFaultInjectionTest, EveryHostStep) {
  make_container_with_links();
  const StartPlan planned = plan();
  const std::string before = host_snapshot(directory(), vmid());
  for (std::size_t step = 0; step <= planned.host.size(); ++step) {
    StartOptions options;
    options.before_step = [step](std::size_t at) {
      if (at == step) throw Error("injected failure", EIO);
    };
    EXPECT_THAT(start_error(options), HasSubstr("injected failure"));
    const std::string name = step < planned.host.size() ? planned.host[step].text : "after the last step";
    ASSERT_EQ(host_snapshot(directory(), vmid()), before) << "left by failing host step " << step + 1 << name;
    ASSERT_EQ(wire(), "there") << "after failing host step " << step + 1 << ": " << name;
    ASSERT_THAT(proxies(), ::testing::Not(HasSubstr(inner_address())))
        << "after failing host step " << step + 1 << ": " << name;
  }
}

TEST_F(FaultInjectionTest, EveryHostStepOnADirectory) {
  make_benchmark_container();
  fail_every_host_step();
}

TEST_F(FaultInjectionTest, EveryHostStepOnAnImage) {
  make_benchmark_container();
  use_image();
  fail_every_host_step();
}

TEST_F(FaultInjectionTest, EveryHostStepOnAnOverlayWithDevicesAndLockedMounts) {
  make_benchmark_container();
  spec.rootfs.kind = VolumeSpec::Kind::overlay;
  spec.rootfs.lower = {rootfs()};
  spec.rootfs.source = directory() + "/delta0";
  spec.rootfs.work = directory() + "/olwork";
  make_directories(directory() + "/data");
  VolumeSpec volume;
  volume.key = "mp0";
  volume.source = directory() + "/data";
  volume.target = "/mnt/data";
  volume.bind = volume.read_only = true;
  volume.disk_ids = DiskIds::ranges;
  volume.disk_ranges = {{false, 1000, 1000, 1}};
  spec.mount_points = {volume};
  spec.mounts[0].attributes_set = MOUNT_ATTR_RDONLY;
  DeviceSpec device;
  device.key = "dev0";
  device.path = "/dev/zero";
  spec.passed_devices = {device};
  // Nothing at all: the child has to be done with its own devices first.
  spec.devices.allow_by_default = false;
  // The upper and work directories stay, with the mount point.
  start();
  kill();
  fail_every_host_step();
}

void FaultInjectionTest::fail_every_child_step() {
  const StartPlan planned = plan();
  const std::string before = host_snapshot(directory(), vmid());
  for (std::size_t at = 0; at < planned.child.steps.size(); ++at) {
    try {
      start_container(with_failing_child_step(planned, at), {});
      EXPECT_TRUE(may_be_skipped(planned, at)) << "child step " << at + 1 << " did not fail";
      kill();
    } catch (const Error& error) {
      EXPECT_EQ(error.error_number(), ENOTRECOVERABLE) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("inside the container: cannot fail as told"));
    }
    const bool hooks = has_promised_hooks(planned, planned.host.size());
    EXPECT_EQ(hooks_run(), hooks ? 2U : 0U) << "child step " << at + 1;
    ASSERT_EQ(host_snapshot(directory(), vmid()), before)
        << "left by failing child step " << at + 1 << ": " << planned.child.info[at].text;
  }
}

TEST_F(FaultInjectionTest, EveryChildStep) {
  make_benchmark_container();
  fail_every_child_step();
}

TEST_F(FaultInjectionTest, EveryChildStepWithHooks) {
  make_benchmark_container();
  add_hooks();
  fail_every_child_step();
}

TEST_F(FaultInjectionTest, EveryHostStepWithHooks) {
  make_benchmark_container();
  add_hooks();
  fail_every_host_step();
}

// Whether a process of its own that starts the container is killed by its `before_step`.
bool dies_while_starting(const StartPlan& plan, const StartOptions& options) {
  const pid_t starter = ::fork();
  if (starter == 0) {
    try {
      start_container(plan, options);
    } catch (const Error&) {
    }
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(starter, &status, 0) == starter && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

class KilledStarterTest : public FaultInjectionTest, public ::testing::WithParamInterface<bool> {};

TEST_P(KilledStarterTest, LeavesNothing) {
  make_benchmark_container();
  if (GetParam()) add_hooks();
  const StartPlan planned = plan();
  const std::string before = host_snapshot(directory(), vmid());
  for (std::size_t step = 0; step < planned.host.size(); ++step) {
    StartOptions options;
    options.before_step = [step](std::size_t at) {
      if (at == step) ::raise(SIGKILL);
    };
    EXPECT_TRUE(dies_while_starting(planned, options));
    // The supervisor sees its starter's end and cleans up; before there is one the next command does.
    kill();
    // Before the record is written nobody knows of them.
    const bool known = step > 0 && has_promised_hooks(planned, step) &&
                       !std::holds_alternative<host::WriteState>(planned.host[step].action) &&
                       !std::holds_alternative<host::MakeStateDirectory>(planned.host[step].action);
    EXPECT_EQ(hooks_run(), known ? 2U : 0U) << "dying before host step " << step + 1;
    ASSERT_EQ(settled_snapshot(before), before)
        << "left by dying before host step " << step + 1 << ": " << planned.host[step].text;
  }
}

// A process of somebody else's: no child of this one, whose end the fixture does not wait for.
class Stranger {
 public:
  Stranger() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC), "cannot create a pipe");
    const UniqueFd out(ends[0]);
    const UniqueFd in(ends[1]);
    const pid_t between = check(::fork(), "cannot fork");
    if (between == 0) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::alarm(60);  // should the test die
        for (;;) ::pause();
      }
      const bool told = ::write(in.get(), &pid, sizeof pid) == sizeof pid;
      ::_exit(told ? 0 : 1);
    }
    check(::waitpid(between, nullptr, 0), "cannot wait");
    pid_t pid = -1;
    if (::read(out.get(), &pid, sizeof pid) != sizeof pid || pid <= 0) throw Error("cannot make a process");
    identity_ = identify_process(pid).value_or(ProcessIdentity{});
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() { end(); }

  pid_t pid() const { return identity_.pid; }
  bool lives() const { return is_alive(identity_); }
  void end() const {
    if (!lives()) return;
    ::kill(identity_.pid, SIGKILL);
    while (lives()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

 private:
  ProcessIdentity identity_;
};

TEST_F(FaultInjectionTest, AKilledStarterLeavesSomebodyElsesGroupAlone) {
  make_benchmark_container();
  spec.cgroup_paths.container = formatted("hutch-test-{}/limits", vmid());
  const StartPlan planned = plan();
  cgroupv2::Group others(cgroupv2::detect_layout(), spec.cgroup_paths.container);
  others.create_unified({});
  const Stranger stranger;
  write_kernel_file(AT_FDCWD, others.directory() + "/ns/cgroup.procs", std::to_string(stranger.pid()));
  StartOptions options;
  options.before_step = [&planned](std::size_t at) {
    if (std::holds_alternative<host::CreateCgroup>(planned.host[at].action)) ::raise(SIGKILL);
  };
  EXPECT_TRUE(dies_while_starting(planned, options));
  kill();
  EXPECT_TRUE(wait_until_gone());
  EXPECT_TRUE(stranger.lives());
  stranger.end();
  others.remove();
}

INSTANTIATE_TEST_SUITE_P(Hooks, KilledStarterTest, ::testing::Bool());

}  // namespace
}  // namespace hutch::kernel_test
