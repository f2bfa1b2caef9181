#include "runtime/stop_hooks.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/container_hooks.h"
#include "runtime/hookscript.h"

namespace hutch {

namespace {

// As in /proc/<pid>/ns, and the variable that version 1 has for each (lxc-lifecycle 9.3).
struct NamespaceName {
  const char* name;
  const char* variable;
};
constexpr NamespaceName kNamespaces[] = {
    {"user", "LXC_USER_NS"}, {"mnt", "LXC_MNT_NS"}, {"pid", "LXC_PID_NS"},       {"uts", "LXC_UTS_NS"},
    {"ipc", "LXC_IPC_NS"},   {"net", "LXC_NET_NS"}, {"cgroup", "LXC_CGROUP_NS"}, {"time", "LXC_TIME_NS"}};

bool same_namespace(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// "mnt" of a descriptor's link "mnt:[4026531841]"; nothing for other descriptors.
std::optional<std::string> namespace_of(const std::string& link) {
  char target[64];
  const ssize_t size = ::readlink(link.c_str(), target, sizeof target);
  if (size < 0) return std::nullopt;
  const std::string_view text(target, static_cast<std::size_t>(size));
  for (const auto& known : kNamespaces) {
    const std::string_view name = known.name;
    if (text.starts_with(name) && text.substr(name.size()).starts_with(":[")) return std::string(name);
  }
  return std::nullopt;
}

}  // namespace

bool has_end_hooks(const ContainerState& state) {
  return !state.stop_hooks.empty() || !state.post_stop_hooks.empty() || !state.hookscript.empty();
}

void HeldNamespaces::hold(pid_t pid, const char* name) {
  struct stat ours {};
  struct stat theirs {};
  if (::stat(formatted("/proc/self/ns/{}", name).c_str(), &ours) < 0) return;
  UniqueFd fd(::open(formatted("/proc/{}/ns/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  // It is just ending: what has gone cannot be held.
  if (!fd || ::fstat(fd.get(), &theirs) < 0 || same_namespace(ours, theirs)) return;
  all_.push_back({name, std::move(fd)});
}

HeldNamespaces HeldNamespaces::of_process(pid_t pid) {
  HeldNamespaces held;
  for (const auto& known : kNamespaces) held.hold(pid, known.name);
  return held;
}

HeldNamespaces HeldNamespaces::network_of(pid_t pid) {
  HeldNamespaces held;
  held.hold(pid, "net");
  return held;
}

HeldNamespaces HeldNamespaces::inherited() {
  HeldNamespaces held;
  std::vector<int> numbers;
  for (const auto& name : list_directory("/proc/self/fd")) {
    if (const auto number = parse_unsigned(name)) numbers.push_back(static_cast<int>(*number));
  }
  std::sort(numbers.begin(), numbers.end());  // in the order of the message that they came with
  for (const int number : numbers) {
    const auto name = namespace_of(formatted("/proc/self/fd/{}", number));
    if (!name) continue;
    check(::fcntl(number, F_SETFD, FD_CLOEXEC), "cannot keep a descriptor to ourselves");
    held.all_.push_back({*name, UniqueFd(number)});
  }
  if (!held.all_.empty() && held.all_.back().name == "mnt") {
    held.supervisor_mounts_ = std::move(held.all_.back().fd);
    held.all_.pop_back();
  }
  return held;
}

std::vector<int> HeldNamespaces::descriptors() const {
  std::vector<int> numbers;
  for (const auto& held : all_) numbers.push_back(held.fd.get());
  return numbers;
}

int HeldNamespaces::network() const {
  const auto found =
      std::find_if(all_.begin(), all_.end(), [](const Held& held) { return held.name == "net"; });
  return found == all_.end() ? -1 : found->fd.get();
}

StopHooks::StopHooks(const Sysroot& sysroot, const ContainerState& state, HeldNamespaces namespaces,
                     bool rebooting)
    : sysroot_(sysroot), state_(state), namespaces_(std::move(namespaces)), rebooting_(rebooting) {
  if (!has_end_hooks(state) || !state.log.on()) return;
  try {
    log_ = ContainerLog(state.log, state.vmid);
  } catch (const Error&) {
    log_ = ContainerLog();  // gone since the start, which has told when it was not there
  }
}

// Whoever dies in the middle of hooks has begun them: they are not run again.
bool StopHooks::claim(const char* phase) {
  const std::string path = formatted("{}/{}-hooks", state_directory(sysroot_, state_.vmid), phase);
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file) return true;
  const int error = errno;
  if (error == EEXIST) return false;
  // ENOENT: a start that has failed has removed its directory, or never made it. Without the mark hooks may
  // run twice, which is better than never.
  if (error != ENOENT) report(Error(formatted("cannot create '{}'", path), error).what());
  return true;
}

void StopHooks::run_stop() {
  if (std::exchange(stop_done_, true) || state_.stop_hooks.empty() || !claim("stop")) return;
  run_list(HookPhase::stop, state_.stop_hooks, true);
}

bool StopHooks::run_post_stop() {
  namespaces_.let_go();
  if (std::exchange(post_stop_done_, true)) return true;
  if (state_.post_stop_hooks.empty() && state_.hookscript.empty()) return true;
  if (!claim("post-stop")) return true;
  // As Proxmox's own post-stop hook, which is the first one there, and does not call it for a reboot.
  if (!rebooting_) run_hookscript();
  return run_list(HookPhase::post_stop, state_.post_stop_hooks, false);
}

bool StopHooks::run_list(HookPhase phase, const HookSpec::List& list, bool with_namespaces) {
  for (const auto& command : list) {
    HookCommand hook =
        hook_command(phase, command, state_.hook_version, state_.vmid, state_.hook_environment);
    hook.mounts = namespaces_.supervisor_mounts();
    hook.environment.push_back(formatted("LXC_TARGET={}", rebooting_ ? "reboot" : "stop"));
    if (state_.init.pid > 0) hook.environment.push_back(formatted("LXC_PID={}", state_.init.pid));
    for (const auto& held : namespaces_.all()) {
      if (!with_namespaces) break;
      const std::string path = formatted("/proc/{}/fd/{}", ::getpid(), held.fd.get());
      for (const auto& known : kNamespaces) {
        if (held.name == known.name) hook.environment.push_back(formatted("{}={}", known.variable, path));
      }
      if (hook.version == 0) hook.extras.push_back(held.name + ":" + path);
    }
    try {
      log_.write(LogLevel::info, "stop", formatted("running the {} hook '{}'", hook.type, hook.command));
      const std::string out = run_hook(hook);
      if (!out.empty()) log_.write(LogLevel::debug, "stop", out);
    } catch (const Error& error) {
      report(error.what());
      return false;
    }
  }
  return true;
}

void StopHooks::run_hookscript() {
  if (state_.hookscript.empty()) return;
  const auto attempt = [this](auto action) {
    try {
      action();
    } catch (const Error& error) {
      report(error.what());
    }
  };
  attempt([this] {
    if (HookscriptTurn::wait(sysroot_, state_.vmid)) return;
    report("the hookscript is told post-stop while it is still busy with post-start");
  });
  attempt([this] { hutch::run_hookscript(state_.hookscript, state_.vmid, "post-stop"); });
}

// The supervisor's process has nobody else to tell.
void StopHooks::report(const std::string& failure) const {
  log_.write(LogLevel::error, "stop", failure);
  std::fprintf(stderr, "CT %u: %s\n", state_.vmid, failure.c_str());
  ::syslog(LOG_WARNING | LOG_DAEMON, "pct: CT %u: %s", state_.vmid, failure.c_str());
}

}  // namespace hutch
