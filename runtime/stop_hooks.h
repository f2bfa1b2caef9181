#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/sysroot.h"
#include "base/unique_fd.h"
#include "runtime/container_log.h"
#include "runtime/state.h"

// The hooks at a container's end: `stop` when init has ended, `post-stop` and the hookscript when everything
// is cleaned up. They run exactly once, by whoever cleans up: the supervisor's process, `pct stop` or the
// next command after a dead supervisor, or the start itself when it failed.
namespace hutch {

// Whether this container's end has any. Who stops it then leaves the supervisor alone, which does all of it.
bool has_end_hooks(const ContainerState& state);

// Namespaces that outlive init, for `stop` hooks and for links that go back to the host. None that cannot be
// had any more.
class HeldNamespaces {
 public:
  struct Held {
    std::string name;  // as in /proc/<pid>/ns: "mnt"
    UniqueFd fd;
  };

  HeldNamespaces() = default;
  // Those of a living process that are not the caller's own.
  static HeldNamespaces of_process(pid_t pid);
  // Only the one of links (runtime/link_return.h).
  static HeldNamespaces network_of(pid_t pid);
  // Those that a supervisor has left to the program that it executes (runtime/supervisor.h): the container's,
  // and as the last one, where there are hooks, its own mount namespace.
  static HeldNamespaces inherited();

  const std::vector<Held>& all() const { return all_; }
  // The mount namespace that hooks of this container have run in since its start; -1: not known.
  int supervisor_mounts() const { return supervisor_mounts_.get(); }
  std::vector<int> descriptors() const;
  // The container's network namespace; -1: not held.
  int network() const;
  // Of the container's only.
  void let_go() { all_.clear(); }

 private:
  void hold(pid_t pid, const char* name);

  std::vector<Held> all_;
  UniqueFd supervisor_mounts_;
};

class StopHooks {
 public:
  // `rebooting`: what the container asked for (LXC_TARGET).
  StopHooks(const Sysroot& sysroot, const ContainerState& state, HeldNamespaces namespaces, bool rebooting);

  void namespaces(HeldNamespaces held) { namespaces_ = std::move(held); }
  // A failing hook is logged, and the rest of its list left out.
  void run_stop();
  // False when a hook has failed: a reboot is then off.
  bool run_post_stop();

 private:
  Sysroot sysroot_;
  ContainerState state_;
  HeldNamespaces namespaces_;
  bool rebooting_;
  bool stop_done_ = false;
  bool post_stop_done_ = false;
  ContainerLog log_;

  bool claim(const char* phase);
  bool run_list(HookPhase phase, const HookSpec::List& list, bool with_namespaces);
  void run_hookscript();
  void report(const std::string& failure) const;
};

}  // namespace hutch
