#include "runtime/stop.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "cgroupv2/freezer.h"
#include "cgroupv2/group.h"
#include "runtime/apparmor.h"
#include "runtime/link_removal.h"
#include "runtime/link_return.h"
#include "runtime/start_plan.h"
#include "runtime/stop_hooks.h"

namespace hutch {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kKillTimeout{60000};
constexpr std::chrono::milliseconds kCleanUpTimeout{30000};
// In the state directory of an ephemeral container whose supervisor is not to ask for its end.
constexpr const char* kKeepEphemeral = "keep";
constexpr std::chrono::milliseconds kWatchTimeout{5000};
constexpr std::chrono::milliseconds kForkTimeout{2000};
constexpr std::chrono::milliseconds kLookAgain{2};

// Whether the process of a pidfd ends before `deadline`.
bool wait_for_end(int pidfd, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd fd{pidfd, POLLIN, 0};
    const int ready = ::poll(&fd, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw_errno("cannot wait for a process to end");
  }
}

[[noreturn]] void refuse_slow(const ContainerState& state) {
  throw Error(formatted("the supervisor of CT {} (pid {}) does not finish cleaning up", state.vmid,
                        state.supervisor.pid),
              ETIMEDOUT, "see what it waits for in /proc/<pid>/stack");
}

// Hooks may take their time, and so may the removal of volumes.
Clock::time_point clean_up_deadline(const ContainerState& state) {
  if (has_end_hooks(state) || state.ephemeral) return Clock::time_point::max();
  return Clock::now() + kCleanUpTimeout;
}

void require_end(int supervisor, const ContainerState& state, Clock::time_point deadline) {
  if (!wait_for_end(supervisor, deadline)) refuse_slow(state);
}

// Until the supervisor has cleaned up, or has ended without. What it may do next, a restart or the removal of
// an ephemeral container, needs the lock, which the caller has: each would wait for the other.
void require_clean_up(int supervisor, const Sysroot& sysroot, const ContainerState& state,
                      Clock::time_point deadline) {
  const std::string directory = state_directory(sysroot, state.vmid);
  while (path_exists(AT_FDCWD, directory) && !wait_for_end(supervisor, Clock::now() + kLookAgain)) {
    if (Clock::now() > deadline) refuse_slow(state);
  }
}

void send(int pidfd, int signal, const ContainerState& state) {
  // ESRCH: it ended just now, which is what the signal was for.
  if (sys::pidfd_send_signal(pidfd, signal) < 0 && errno != ESRCH) {
    throw_errno(formatted("cannot send signal {} to CT {}", signal, state.vmid));
  }
}

// A start that died early has recorded none, and may have made that of most containers.
cgroupv2::Group group_of(const ContainerState& state) {
  return {cgroupv2::detect_layout(), state.cgroup.empty() ? formatted("lxc/{}", state.vmid) : state.cgroup,
          state.inner_group()};
}

// The supervisor itself may be the caller: then it has to leave first.
void leave_monitor_group(const ContainerState& state, const cgroupv2::Layout& layout) {
  std::string target = layout.unified;
  if (!state.cgroup_monitor_pivot.empty()) {
    target += "/" + state.cgroup_monitor_pivot + "/lxc.pivot";
    make_directories(target);
  }
  write_kernel_file(AT_FDCWD, target + "/cgroup.procs", std::to_string(::getpid()));
}

void thaw(const ContainerState& state) {
  const cgroupv2::Group group = group_of(state);
  try {
    if (cgroupv2::frozen(group.directory())) cgroupv2::thaw(group.directory());
  } catch (const Error& error) {
    if (error.error_number() != ENOENT) throw;  // removed by the supervisor meanwhile
  }
}

// After the last process with this label is gone.
void remove_leftover_profile(std::uint32_t vmid) {
  if (!apparmor_enabled()) return;
  AppArmorInput input;
  input.container = std::to_string(vmid);
  unload_profile(apparmor_profile_name(input));
}

// For a clean-up without the supervisor, which has them itself.
HeldNamespaces hold_namespaces(const ContainerState& state) {
  HeldNamespaces held;
  if (has_end_hooks(state)) {
    held = HeldNamespaces::of_process(state.init.pid);
  } else if (has_links_to_return(state)) {
    held = HeldNamespaces::network_of(state.init.pid);
  }
  // Only now is it certain that the number was still init's.
  return is_alive(state.init) ? std::move(held) : HeldNamespaces();
}

// What cannot be given back is told, and does not keep the rest from being cleaned up.
void give_back_links(const Sysroot& sysroot, const ContainerState& state, const HeldNamespaces& namespaces) {
  if (!has_links_to_return(state)) return;
  for (const auto& failure : return_links(sysroot, state, namespaces.network())) {
    std::fprintf(stderr, "CT %u: %s\n", state.vmid, failure.c_str());
  }
}

// Its last lines are to be in the log when the container is told to be gone.
void wait_for_console_watch(const ContainerState& state) {
  const auto watch = open_process(state.console_watch);
  if (watch && !wait_for_end(watch->get(), Clock::now() + kWatchTimeout)) send(watch->get(), SIGKILL, state);
}

// False when a post-stop hook has failed.
bool remove_leftovers(const Sysroot& sysroot, const ContainerState& state, const cgroupv2::Group& group,
                      LinkRemoval links, StopHooks hooks) {
  cgroupv2::kill_all(group.directory());
  wait_for_console_watch(state);
  hooks.run_stop();
  group.remove(kCleanUpTimeout);
  if (!state.cgroup_monitor.empty()) {
    cgroupv2::remove_empty_group(group.layout().unified, state.cgroup_monitor);
  }
  remove_leftover_profile(state.vmid);
  links.wait(kCleanUpTimeout);
  const bool agreed = hooks.run_post_stop();
  remove_state_directory(sysroot, state.vmid);
  return agreed;
}

// The volumes go before the hooks, which run where they were mounted, look.
void leave_volumes(const ContainerState& state, int supervisor_mounts) {
  constexpr std::string_view kRootfs = "LXC_ROOTFS_MOUNT=";  // all hooks are told
  const auto rootfs = std::find_if(state.hook_environment.begin(), state.hook_environment.end(),
                                   [&](const auto& variable) { return variable.starts_with(kRootfs); });
  if (supervisor_mounts < 0 || rootfs == state.hook_environment.end()) return;
  const UniqueFd home = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
  check(::setns(supervisor_mounts, CLONE_NEWNS), "cannot enter the supervisor's mount namespace");
  const int result = ::umount2(rootfs->substr(kRootfs.size()).c_str(), MNT_DETACH);
  const int error = errno;
  check(::setns(home.get(), CLONE_NEWNS), "cannot return to the host's mounts");
  // EINVAL, ENOENT: a start that did not come that far.
  if (result < 0 && error != EINVAL && error != ENOENT) throw Error("cannot unmount the rootfs", error);
}

// As clean_up_leftovers; `namespaces` are the container's.
void clean_up_dead(const Sysroot& sysroot, std::uint32_t vmid, HeldNamespaces namespaces) {
  const std::string directory = state_directory(sysroot, vmid);
  // What a killed removal has left has another name.
  if (!path_exists(AT_FDCWD, directory)) return remove_state_directory(sysroot, vmid);
  auto record = read_state(sysroot, vmid);
  if (record && is_alive(record->init)) return;
  // A start that died half-way: its supervisor, if there is one, kills what it has made, else we do.
  if (!record) record = read_unpublished_state(sysroot, vmid);
  // It may have died before it wrote anything: the names are still known.
  ContainerState state = record.value_or(ContainerState{});
  state.vmid = vmid;
  if (const auto supervisor = open_process(state.supervisor)) {
    require_clean_up(supervisor->get(), sysroot, state, Clock::now() + kCleanUpTimeout);
    if (!path_exists(AT_FDCWD, directory)) return;
  }
  give_back_links(sysroot, state, namespaces);
  remove_leftovers(sysroot, state, group_of(state), LinkRemoval(state.host_links),
                   StopHooks(sysroot, state, std::move(namespaces), false));
}

// Whether what this very container left is there still: who waits without the lock may find that the next
// start has begun.
bool is_left(const Sysroot& sysroot, const ContainerState& state) {
  const auto left = read_state(sysroot, state.vmid);
  return left && left->init == state.init;
}

// With the lock held, after init's end: its supervisor, if there is one, cleans up, else the caller does.
void clean_up_ended(const Sysroot& sysroot, const ContainerState& state,
                    const std::optional<UniqueFd>& supervisor, HeldNamespaces namespaces = {}) {
  if (supervisor) {
    require_clean_up(supervisor->get(), sysroot, state, clean_up_deadline(state));
    // Init may have asked for a reboot with its last breath: nobody wants that any more.
    send(supervisor->get(), SIGKILL, state);
    require_end(supervisor->get(), state, Clock::now() + kCleanUpTimeout);
  }
  clean_up_dead(sysroot, state.vmid, std::move(namespaces));
}

// A mask as in sigprocmask(2), of the first thread; 0 when the process has ended.
std::uint64_t blocked_signals(pid_t pid) {
  const auto status = read_file_if_exists(AT_FDCWD, formatted("/proc/{}/status", pid));
  constexpr std::string_view kKey = "SigBlk:\t";
  const auto at = status ? status->find(kKey) : std::string::npos;
  return at == std::string::npos ? 0 : std::stoull(status->substr(at + kKey.size(), 16), nullptr, 16);
}

bool contains(std::uint64_t mask, int signal) {
  return (mask >> (signal - 1) & 1U) != 0;
}

}  // namespace

int halt_signal(const ContainerState& state) {
  if (state.halt_signal) return *state.halt_signal;
  const int systemd_halt = SIGRTMIN + 3;
  std::uint64_t blocked = blocked_signals(state.init.pid);
  // Everything is blocked for a moment while libc makes a process; faults by nobody for long.
  const auto deadline = Clock::now() + kForkTimeout;
  while (contains(blocked, SIGSEGV) && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    blocked = blocked_signals(state.init.pid);
  }
  return contains(blocked, systemd_halt) ? systemd_halt : SIGPWR;
}

bool halt_container(const Sysroot& sysroot, const ContainerState& state, std::chrono::milliseconds timeout,
                    const WithLock& with_lock) {
  const auto supervisor = open_process(state.supervisor);
  const auto init = open_process(state.init);
  HeldNamespaces namespaces;
  if (init) {
    if (!supervisor) namespaces = hold_namespaces(state);
    send(init->get(), halt_signal(state), state);
    if (!wait_for_end(init->get(), Clock::now() + timeout)) return false;
  }
  // A clean stop is complete when the supervisor is gone.
  if (supervisor) require_end(supervisor->get(), state, clean_up_deadline(state));
  if (!is_left(sysroot, state)) return true;
  with_lock([&] {
    if (is_left(sysroot, state)) clean_up_dead(sysroot, state.vmid, std::move(namespaces));
  });
  return true;
}

// With SIGKILL nothing is left for the supervisor to look after, so it goes too and we clean up, while init
// is still ending: everybody else waits for this command anyway. A supervisor that is already cleaning up may
// be cut off anywhere, as by any other death.
void kill_container(const Sysroot& sysroot, const ContainerState& state) {
  const auto supervisor = open_process(state.supervisor);
  const auto init = open_process(state.init);
  if (!init) return clean_up_ended(sysroot, state, supervisor);
  const int signal = state.stop_signal.value_or(SIGKILL);
  // Hooks are the supervisor's: it has the container's namespaces, and must not be cut off in the middle.
  const bool hooks = has_end_hooks(state);
  const bool at_once = signal == SIGKILL && !hooks;
  HeldNamespaces namespaces;
  if (at_once || !supervisor) namespaces = hold_namespaces(state);
  send(init->get(), signal, state);
  if (at_once && supervisor) send(supervisor->get(), SIGKILL, state);
  // A frozen process takes SIGKILL (cgroup-v2.rst, cgroup.freeze), but nothing else.
  if (!at_once) thaw(state);
  // Scripts are to find their links.
  const bool links_first = !has_links_to_return(state);
  LinkRemoval links(at_once && links_first ? state.host_links : std::vector<std::string>());
  const cgroupv2::Group group = group_of(state);
  if (!wait_for_end(init->get(), Clock::now() + kKillTimeout)) {
    throw Error(formatted("init of CT {} (pid {}) does not end", state.vmid, state.init.pid), ETIMEDOUT,
                "a process may hang in the kernel: see /proc/<pid>/stack");
  }
  if (!at_once) return clean_up_ended(sysroot, state, supervisor, std::move(namespaces));
  if (supervisor) require_end(supervisor->get(), state, Clock::now() + kCleanUpTimeout);
  if (!links_first) {
    give_back_links(sysroot, state, namespaces);
    links = LinkRemoval(state.host_links);
  }
  remove_leftovers(sysroot, state, group, std::move(links), StopHooks(sysroot, state, {}, false));
}

std::optional<EndedContainer> clean_up_as_supervisor(const Sysroot& sysroot, std::uint32_t vmid,
                                                     bool rebooting) {
  ::prctl(PR_SET_NAME, formatted("hutch:{}", vmid).c_str());
  auto state = read_state(sysroot, vmid);
  const bool ran = state.has_value();
  if (!state) state = read_unpublished_state(sysroot, vmid);  // the starter died
  if (!state || identify_process(::getpid()) != state->supervisor) return std::nullopt;
  state->vmid = vmid;
  const cgroupv2::Group group = group_of(*state);
  if (!state->cgroup_monitor.empty()) leave_monitor_group(*state, group.layout());
  const bool kept = path_exists(AT_FDCWD, state_directory(sysroot, vmid) + "/" + kKeepEphemeral);
  // Whatever the record says by now: what is inherited must not get into the next start's hooks.
  HeldNamespaces namespaces = HeldNamespaces::inherited();
  leave_volumes(*state, namespaces.supervisor_mounts());
  give_back_links(sysroot, *state, namespaces);
  EndedContainer ended{std::move(*state)};
  ended.to_be_destroyed = ran && ended.state.ephemeral && !kept;
  ended.may_restart = remove_leftovers(sysroot, ended.state, group, LinkRemoval(ended.state.host_links),
                                       StopHooks(sysroot, ended.state, std::move(namespaces), rebooting));
  return ended;
}

void keep_ephemeral(const Sysroot& sysroot, const ContainerState& state) {
  if (!state.ephemeral) return;
  const std::string path = state_directory(sysroot, state.vmid) + "/" + kKeepEphemeral;
  open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
}

void clean_up_leftovers(const Sysroot& sysroot, std::uint32_t vmid) {
  clean_up_dead(sysroot, vmid, {});
}

}  // namespace hutch
