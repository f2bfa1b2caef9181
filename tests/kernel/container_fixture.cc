#include "tests/kernel/container_fixture.h"

#include <fcntl.h>
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
#include "base/text.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "runtime/attach.h"
#include "runtime/planner.h"
#include "runtime/stop.h"
#include "seccomp/cache.h"

namespace hutch::kernel_test {

namespace {

namespace fs = std::filesystem;

constexpr const char* kBusybox = "/bin/busybox";
constexpr uid_t kInnerRoot = 100000;

// Lines that contain one of the words.
void add_matching(std::vector<std::string>& lines, std::string_view label, const std::string& text,
                  const std::vector<std::string>& words) {
  for (const auto line : split(text, '\n')) {
    const bool ours =
        std::any_of(words.begin(), words.end(), [&](auto& word) { return line.find(word) != line.npos; });
    if (ours) lines.push_back(formatted("{} {}", label, line));
  }
}

void add_cgroups(std::vector<std::string>& lines, const std::string& name) {
  const auto options = fs::directory_options::skip_permission_denied;
  for (const auto& mount : fs::directory_iterator("/sys/fs/cgroup", options)) {
    std::error_code gone;
    for (const auto* parent : {"", "/lxc"}) {
      const fs::path path = mount.path().string() + parent + "/" + name;
      if (fs::exists(path, gone)) lines.push_back("cgroup " + path.string());
    }
  }
  if (fs::exists("/sys/fs/cgroup/lxc/" + name)) lines.push_back("cgroup /sys/fs/cgroup/lxc/" + name);
}

void add_loop_devices(std::vector<std::string>& lines, const std::string& directory) {
  for (const auto& block : fs::directory_iterator("/sys/block")) {
    const auto backing = read_file_if_exists(AT_FDCWD, block.path().string() + "/loop/backing_file");
    if (backing && backing->find(directory) != std::string::npos) lines.push_back("loop " + *backing);
  }
}

// Nothing for a process that has ended, also between opening and reading (ESRCH).
std::optional<std::string> name_of_process(const std::string& directory) {
  try {
    return read_file_if_exists(AT_FDCWD, directory + "/comm");
  } catch (const Error& error) {
    if (error.error_number() == ESRCH) return std::nullopt;
    throw;
  }
}

void add_processes(std::vector<std::string>& lines, const std::string& name) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = parse_unsigned(entry.path().filename().string());
    // A zombie is as good as gone: orphans are collected by the host's init in its own time.
    if (!pid || !identify_process(static_cast<pid_t>(*pid))) continue;
    const auto comm = name_of_process(entry.path().string());
    if (comm && trim(*comm) == name) lines.push_back("process " + std::string(trim(*comm)));
  }
}

void add_profiles(std::vector<std::string>& lines, const std::string& name) {
  const std::string loaded =
      read_file_if_exists(AT_FDCWD, "/sys/kernel/security/apparmor/profiles").value_or("");
  for (const auto line : split(loaded, '\n')) {
    if (line.starts_with("lxc-" + name + "_")) lines.push_back("profile " + std::string(line));
  }
}

void make_busybox_rootfs(const std::string& root) {
  for (const auto* path : {"bin", "sbin", "proc", "sys", "dev", "etc", "tmp", "root", "mnt"}) {
    make_directories(root + "/" + path);
  }
  fs::copy_file(kBusybox, root + "/bin/busybox");
  for (const auto* applet :
       {"sh",   "ls",       "cat",    "sleep",    "id",     "mount", "umount", "mkdir",    "nproc", "dd",
        "echo", "true",     "false",  "hostname", "mknod",  "chmod", "chown",  "ip",       "ping",  "ps",
        "kill", "readlink", "stat",   "touch",    "reboot", "halt",  "stty",   "poweroff", "grep",  "env",
        "ln",   "tty",      "usleep", "test",     "rm",     "head",  "wc"}) {
    fs::create_symlink("busybox", root + "/bin/" + applet);
  }
  replace_file(AT_FDCWD, root + "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0644);
  const auto own = [](const fs::path& path) {
    check(::lchown(path.c_str(), kInnerRoot, kInnerRoot), "cannot shift the rootfs");
  };
  own(root);
  for (const auto& entry : fs::recursive_directory_iterator(root)) own(entry.path());
}

ContainerSpec base_spec(std::uint32_t vmid, const std::string& rootfs) {
  ContainerSpec spec;
  spec.vmid = vmid;
  spec.config_path = "test.conf";
  spec.hostname = "inside";
  spec.unprivileged = true;
  spec.namespaces.user = true;
  spec.id_map.uids = {{0, kInnerRoot, 65536, {}}};
  spec.id_map.gids = {{0, kInnerRoot, 65536, {}}};
  spec.rootfs.key = "rootfs";
  spec.rootfs.source = rootfs;
  spec.rootfs.target = "/";
  spec.console = false;
  spec.tty_count = 0;
  spec.init.argv = {"/bin/sleep", "1000"};
  spec.init.environment = {{"TERM=linux", {}}, {"PATH=/bin:/sbin", {}}};
  spec.apparmor.profile = "unconfined";
  return spec;
}

std::string read_all(int fd) {
  return read_fd(fd, "a pipe");
}

}  // namespace

std::string host_snapshot(const std::string& directory, std::uint32_t vmid) {
  std::vector<std::string> lines;
  const std::string name = std::to_string(vmid);
  add_matching(lines, "mount", read_file(AT_FDCWD, "/proc/self/mountinfo"), {directory, "/" + name + "/"});
  add_cgroups(lines, name);
  for (const auto& link : fs::directory_iterator("/sys/class/net")) {
    const std::string link_name = link.path().filename().string();
    if (link_name.find("veth" + name) == 0) lines.push_back("link " + link_name);
  }
  add_loop_devices(lines, directory);
  add_processes(lines, "hutch:" + name);
  add_profiles(lines, name);
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    lines.push_back("file " + entry.path().string());
  std::sort(lines.begin(), lines.end());
  return join(lines, "\n");
}

bool killed_before(unsigned step, const std::function<void(const HotPlugTest& test)>& add) {
  const pid_t pid = check(::fork(), "cannot fork");
  if (pid == 0) {
    HotPlugTest test;
    test.before_step = [step, starter = ::getpid()](unsigned at) {
      if (at != step) return;
      ::kill(starter, SIGKILL);
      ::usleep(2000000);  // apart: dies with its starter
      ::_exit(1);
    };
    try {
      add(test);
    } catch (const Error&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

::testing::AssertionResult pings(const std::string& address, int seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  ProgramResult ping;
  // One alone gives up when the neighbour was asked for before, by another whose time was over.
  do {
    ping = run_program({"ping", "-n", "-c", "1", "-W", "1", address});
    if (ping.succeeded()) return ::testing::AssertionSuccess();
  } while (std::chrono::steady_clock::now() < deadline);
  auto result = ::testing::AssertionFailure() << "no answer from " << address << "\n" << ping.out << ping.err;
  for (const auto& command : {std::vector<std::string>{"ip", "route", "get", address},
                              {"ip", "neigh", "show"},
                              {"ip", "addr", "show"},
                              {"bridge", "link", "show"}}) {
    const auto shown = run_program(command);
    result << join(command, " ") << ":\n" << shown.out << shown.err;
  }
  return result;
}

bool wait_for_file(const std::string& path, bool there) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (path_exists(AT_FDCWD, path) != there) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void ContainerTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  if (::access(kBusybox, X_OK) != 0) GTEST_SKIP() << "probe: needs a static busybox at /bin/busybox";
  std::string pattern = "/tmp/hutch-kernel-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  directory_ = pattern;
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  sysroot_ = Sysroot(directory_ + "/root");
  // The directories that stay after a start, so that snapshots before and after can be equal.
  for (const auto* path : {"run/hutch", "var/cache/hutch/seccomp"}) make_directories(sysroot_.path(path));
  make_busybox_rootfs(rootfs());
  spec = base_spec(900000 + static_cast<std::uint32_t>(::getpid()) % 90000, rootfs());
  make_directories(rootfs_mount_path(sysroot_, vmid()));
  before_ = host_snapshot(directory_, vmid());
}

void ContainerTest::TearDown() {
  if (directory_.empty()) return;
  kill();
  if (!bridge_.empty()) {
    netlink::Socket socket;
    netlink::delete_link(socket, bridge_);
  }
  if (!HasFatalFailure()) {
    const std::string after = host_snapshot(directory_ + "/root/run", vmid());
    EXPECT_EQ(after, "file " + directory_ + "/root/run/hutch") << "something was left behind";
  }
  remove_tree(AT_FDCWD, directory_);
}

StartPlan ContainerTest::plan() const {
  std::vector<sock_filter> filter;
  if (!spec.seccomp.policy.empty()) {
    filter = seccomp::load_or_compile(
        spec.seccomp.policy, spec.seccomp.origin, sysroot_.path("var/cache/hutch/seccomp"),
        spec.seccomp.notify_proxies.empty() ? seccomp::Notify::refuse : seccomp::Notify::forward);
  }
  return make_plan(spec, gather_host_facts(spec, cgroupv2::detect_layout()), std::move(filter), sysroot_);
}

std::string ContainerTest::start_error(const StartOptions& options) {
  try {
    start(options);
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "the start should have failed";
  return "";
}

ContainerState ContainerTest::state() const {
  const auto found = find_running(sysroot_, vmid());
  if (!found) throw Error("the test's container does not run");
  return *found;
}

ExecResult ContainerTest::exec(std::vector<std::string> argv, bool keep_environment) {
  const ContainerState joined = state();
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "cannot create a pipe");
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const pid_t pid = check(::fork(), "cannot fork");
  if (pid == 0) {
    const UniqueFd null = open_file(AT_FDCWD, "/dev/null", O_RDONLY);
    ::dup2(null.get(), 0);
    ::dup2(in.get(), 1);
    ::dup2(in.get(), 2);
    int status = 255;
    try {
      status = attach(sysroot_, joined, {std::move(argv), keep_environment});
    } catch (const Error& error) {
      const std::string text = formatted("attach failed: {}\n", error.what());
      if (::write(2, text.data(), text.size()) < 0) status = 254;
    }
    ::_exit(status);
  }
  in.reset();
  ExecResult result;
  result.out = read_all(out.get());
  int status = 0;
  check(::waitpid(pid, &status, 0), "cannot wait");
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string ContainerTest::sh(const std::string& script) {
  std::string out = exec({"/bin/sh", "-c", script}).out;
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

void ContainerTest::set_owner_of_rootfs(uid_t owner) {
  const auto own = [owner](const fs::path& path) {
    check(::lchown(path.c_str(), owner, owner), "cannot change an owner");
  };
  own(rootfs());
  for (const auto& entry : fs::recursive_directory_iterator(rootfs())) own(entry.path());
}

void ContainerTest::kill() {
  const auto running = find_running(sysroot_, vmid());
  if (running) kill_container(sysroot_, *running);
  clean_up_leftovers(sysroot_, vmid());
  // Supervisors are children of this process, which unlike `pct start` lives on.
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

bool ContainerTest::wait_until_gone() const {
  return wait_for_file(state_directory(sysroot_, vmid()), false);
}

void ContainerTest::make_privileged() {
  set_owner_of_rootfs(0);
  spec.id_map = {};
  spec.unprivileged = spec.namespaces.user = false;
}

std::optional<netlink::Link> ContainerTest::on_host(const std::string& link) {
  netlink::Socket socket;
  return netlink::find_link(socket, link);
}

std::string ContainerTest::make_bridge() {
  bridge_ = formatted("hkb{}", vmid());
  netlink::Socket socket;
  netlink::create_bridge(socket, bridge_);
  const auto link = netlink::find_link(socket, bridge_);
  netlink::add_address(socket, link->index, *netlink::parse_cidr(subnet_address(1) + "/24"));
  netlink::change_link(socket, link->index, {.up = true});
  return bridge_;
}

LinkSpec ContainerTest::veth_on(const std::string& bridge) const {
  LinkSpec link;
  link.name = "eth0";
  link.host_name = formatted("veth{}i0", vmid());
  link.bridge = bridge;
  return link;
}

std::string ContainerTest::subnet_address(int host, unsigned subnet) const {
  // Tests that run at the same time have near numbers, so those 2^14 apart never meet.
  return formatted("10.{}.{}.{}", 64 * (subnet + 1) + vmid() / 256 % 64, vmid() % 256, host);
}

}  // namespace hutch::kernel_test
