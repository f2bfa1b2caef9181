#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/sysroot.h"
#include "runtime/state.h"

// Ending a container from outside. All of it works without a living supervisor.
namespace hutch {

// The signal that asks init to shut down: the configured one, else SIGRTMIN+3 when init blocks it (systemd
// does), else SIGPWR. Of an init that blocks even SIGSEGV, as in fork(3), the end of that is awaited, two
// seconds at most.
int halt_signal(const ContainerState& state);

// Runs an action with the container's lock held.
using WithLock = std::function<void(const std::function<void()>& action)>;

// Asks init to shut down and waits until the container is gone and cleaned up; false when it still runs
// after `timeout`. The wait may be long and needs no lock; `with_lock` is for cleaning up where no supervisor
// does, when somebody else might start the container anew.
bool halt_container(const Sysroot& sysroot, const ContainerState& state, std::chrono::milliseconds timeout,
                    const WithLock& with_lock);

// Ends it at once (configured stop signal, else SIGKILL; a frozen one is thawed) and waits until it is gone
// and cleaned up. A process that cannot be killed is an error after a minute. Must be called with the
// container's lock held.
void kill_container(const Sysroot& sysroot, const ContainerState& state);

// The end of a supervisor's life: removes everything that the container left. The calling process is the
// supervisor of its record, with init already collected; when it is not, nothing happens, because then
// somebody else has cleaned up before and the container may run anew. `rebooting`: the container has asked
// for it.
struct EndedContainer {
  ContainerState state;
  bool may_restart = true;  // no post-stop hook is against it
  // It ran, is ephemeral, and nobody has said that it is to stay (keep_ephemeral).
  bool to_be_destroyed = false;
};
std::optional<EndedContainer> clean_up_as_supervisor(const Sysroot& sysroot, std::uint32_t vmid,
                                                     bool rebooting = false);

// Before a running container is stopped: if it is ephemeral, its supervisor leaves it to the caller whether
// it is destroyed.
void keep_ephemeral(const Sysroot& sysroot, const ContainerState& state);

// Removes what a container without a living init and supervisor left: cgroups, links, the state record. Waits
// first for a supervisor that is just cleaning up itself. Does nothing when there is no record. Must be
// called with the container's lock held, before every start.
void clean_up_leftovers(const Sysroot& sysroot, std::uint32_t vmid);

}  // namespace hutch
