#include "runtime/stop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

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

namespace hutch {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kKillTimeout{60000};
constexpr std::chrono::milliseconds kCleanUpTimeout{30000};
// In the state directory of an ephemeral container whose supervisor is not to ask for its end.
constexpr const char* kKeepEphemeral = "keep";

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

void require_end(int supervisor, const ContainerState& state) {
  if (wait_for_end(supervisor, Clock::now() + kCleanUpTimeout)) return;
  throw Error(formatted("the supervisor of CT {} (pid {}) does not finish cleaning up", state.vmid,
                        state.supervisor.pid),
              ETIMEDOUT, "see what it waits for in /proc/<pid>/stack");
}

// A clean stop is complete when the supervisor is gone; without one the caller cleans up. Only after this
// very container: who waits without the lock may find that the next start has begun.
void wait_for_clean_up(const Sysroot& sysroot, const ContainerState& state,
                       const std::optional<UniqueFd>& supervisor) {
  if (supervisor) require_end(supervisor->get(), state);
  const auto left = read_state(sysroot, state.vmid);
  if (left && left->init == state.init) clean_up_leftovers(sysroot, state.vmid);
}

void send(int pidfd, int signal, const ContainerState& state) {
  // ESRCH: it ended just now, which is what the signal was for.
  if (sys::pidfd_send_signal(pidfd, signal) < 0 && errno != ESRCH) {
    throw_errno(formatted("cannot send signal {} to CT {}", signal, state.vmid));
  }
}

cgroupv2::Group group_of(const ContainerState& state) {
  return {cgroupv2::detect_layout(), state.cgroup, state.inner_group()};
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

void remove_mount_directories(const Sysroot& sysroot, std::uint32_t vmid) {
  std::string path = rootfs_mount_path(sysroot, vmid);
  for (int level = 0; level < 2; ++level) {
    if (::rmdir(path.c_str()) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY) {
      throw_errno(formatted("cannot remove '{}'", path));
    }
    path.resize(path.rfind('/'));
  }
}

// What cannot be given back is told, and does not keep the rest from being cleaned up.
void give_back_links(const Sysroot& sysroot, const ContainerState& state,
                     const std::optional<UniqueFd>& net_namespace) {
  for (const auto& failure : return_links(sysroot, state, net_namespace)) {
    std::fprintf(stderr, "CT %u: %s\n", state.vmid, failure.c_str());
  }
}

void remove_leftovers(const Sysroot& sysroot, const ContainerState& state, const cgroupv2::Group& group,
                      LinkRemoval links) {
  const std::uint32_t vmid = state.vmid;
  cgroupv2::kill_all(group.directory());
  group.remove(kCleanUpTimeout);
  if (!state.cgroup_monitor.empty()) {
    cgroupv2::remove_empty_group(group.layout().unified, state.cgroup_monitor);
  }
  remove_leftover_profile(vmid);
  remove_mount_directories(sysroot, vmid);
  links.wait(kCleanUpTimeout);
  remove_tree(AT_FDCWD, state_directory(sysroot, vmid));
}

}  // namespace

int halt_signal(const ContainerState& state) {
  if (state.halt_signal) return *state.halt_signal;
  const int systemd_halt = SIGRTMIN + 3;
  const std::string status = read_file(AT_FDCWD, formatted("/proc/{}/status", state.init.pid));
  constexpr std::string_view kKey = "SigBlk:\t";
  const auto at = status.find(kKey);
  if (at == std::string::npos) return SIGPWR;
  const std::uint64_t blocked = std::stoull(status.substr(at + kKey.size(), 16), nullptr, 16);
  return (blocked >> (systemd_halt - 1) & 1U) != 0 ? systemd_halt : SIGPWR;
}

bool halt_container(const Sysroot& sysroot, const ContainerState& state, std::chrono::milliseconds timeout) {
  const auto supervisor = open_process(state.supervisor);
  const auto init = open_process(state.init);
  if (init) {
    send(init->get(), halt_signal(state), state);
    if (!wait_for_end(init->get(), Clock::now() + timeout)) return false;
  }
  wait_for_clean_up(sysroot, state, supervisor);
  return true;
}

// With SIGKILL nothing is left for the supervisor to look after, so it goes too and we clean up, while init
// is still ending: everybody else waits for this command anyway. A supervisor that is already cleaning up may
// be cut off anywhere, as by any other death.
void kill_container(const Sysroot& sysroot, const ContainerState& state) {
  const auto supervisor = open_process(state.supervisor);
  const auto init = open_process(state.init);
  if (!init) return wait_for_clean_up(sysroot, state, supervisor);
  const auto net_namespace = hold_net_namespace(state);
  const int signal = state.stop_signal.value_or(SIGKILL);
  const bool at_once = signal == SIGKILL;
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
  if (!at_once) return wait_for_clean_up(sysroot, state, supervisor);
  if (supervisor) require_end(supervisor->get(), state);
  if (!links_first) {
    give_back_links(sysroot, state, net_namespace);
    return remove_leftovers(sysroot, state, group, LinkRemoval(state.host_links));
  }
  remove_leftovers(sysroot, state, group, std::move(links));
}

std::optional<EndedContainer> clean_up_as_supervisor(const Sysroot& sysroot, std::uint32_t vmid) {
  ::prctl(PR_SET_NAME, formatted("hutch:{}", vmid).c_str());
  auto state = read_state(sysroot, vmid);
  const bool ran = state.has_value();
  if (!state) state = read_unpublished_state(sysroot, vmid);  // the starter died
  if (!state || identify_process(::getpid()) != state->supervisor) return std::nullopt;
  state->vmid = vmid;
  const cgroupv2::Group group = group_of(*state);
  if (!state->cgroup_monitor.empty()) leave_monitor_group(*state, group.layout());
  const bool kept = path_exists(AT_FDCWD, state_directory(sysroot, vmid) + "/" + kKeepEphemeral);
  if (has_links_to_return(*state)) give_back_links(sysroot, *state, inherited_net_namespace());
  remove_leftovers(sysroot, *state, group, LinkRemoval(state->host_links));
  return EndedContainer{ran && state->ephemeral && !kept};
}

void keep_ephemeral(const Sysroot& sysroot, const ContainerState& state) {
  if (!state.ephemeral) return;
  const std::string path = state_directory(sysroot, state.vmid) + "/" + kKeepEphemeral;
  open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
}

void clean_up_leftovers(const Sysroot& sysroot, std::uint32_t vmid) {
  const std::string directory = state_directory(sysroot, vmid);
  if (!path_exists(AT_FDCWD, directory)) return;
  auto record = read_state(sysroot, vmid);
  if (record && is_alive(record->init)) return;
  // A start that died half-way: its supervisor, if there is one, kills what it has made, else we do.
  if (!record) record = read_unpublished_state(sysroot, vmid);
  // It may have died before it wrote anything: the names are still known.
  ContainerState state = record.value_or(ContainerState{});
  if (state.cgroup.empty()) state.cgroup = formatted("lxc/{}", vmid);
  state.vmid = vmid;
  if (const auto supervisor = open_process(state.supervisor)) {
    require_end(supervisor->get(), state);
    if (!path_exists(AT_FDCWD, directory)) return;
  }
  if (has_links_to_return(state)) give_back_links(sysroot, state, std::nullopt);
  remove_leftovers(sysroot, state, group_of(state), LinkRemoval(state.host_links));
}

}  // namespace hutch
