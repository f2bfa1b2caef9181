#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "runtime/child_interpreter.h"
#include "runtime/cpu_placement.h"
#include "runtime/tree_orders.h"

namespace hutch {

// What a program that starts containers becomes when one of them has ended:
//   pct container-ended <vmid> [<command that starts it again> ...]
// Such a program has to know this first word, which is not for people, and call clean_up_as_supervisor
// (runtime/stop.h). It is executed as the supervisor's process, with all signals blocked and exactly
// `SupervisorSetup::environment`; the file is the one that runs now, also when another has taken its name.
inline constexpr const char* kContainerEnded = "container-ended";

struct SupervisorSetup {
  std::uint32_t vmid = 0;
  std::vector<std::string>
      restart_command;                   // "start", "100"; empty: a reboot from inside stops the container
  std::vector<std::string> environment;  // "NAME=value"
  int host_mounts = -1;  // the mount namespace that both commands run in; kept by the supervisor
};

// The starter's side of a container's supervisor (runtime/supervisor_process.h). One that is neither
// committed nor dismissed is dismissed by the destructor.
class Supervisor {
 public:
  struct FirstProcess {
    pid_t pid = -1;
    UniqueFd pidfd;
  };

  // Makes the process. `child_end` is the container's end of the socket pair of runtime/sync_protocol.h. The
  // caller's descriptors that the supervisor needs are open by now; all others are closed in it.
  Supervisor(const SupervisorSetup& setup, UniqueFd child_end, const CpuPlacement& placement);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  pid_t pid() const { return pid_; }

  // Waits until it is cut loose from its starter and in its private mount namespace, of which a descriptor is
  // given.
  UniqueFd await_ready();

  // Asks for a small file system, which is made while the caller does other things. `orders` has to stay
  // until await_tree. Does not wait.
  void make_tree(const TreeOrders& orders);
  struct Tree {
    UniqueFd mount;  // detached; none after a failure
    TreeFailure failure;
  };
  // After await_ready, and before await_spawned.
  Tree await_tree();

  // Asks for namespaces (CLONE_NEW*) that the first process will be cloned in, without joining any. Does not
  // wait; what goes wrong is thrown by await_spawned. After make_tree.
  void make_namespaces(std::uint64_t clone_flags);

  // The program of the container's first process (runtime/child_interpreter.h). Its sync_fd is set here.
  ChildImage& image();
  // A namespace that the first process joins.
  struct Join {
    std::uint64_t flag = 0;  // CLONE_NEW*
    int fd = -1;
  };
  // Asks for the first process, with new namespaces, in the cgroup that `cgroup` is a directory of if
  // `clone_flags` has CLONE_INTO_CGROUP. It joins those of `joins` before, in their order. It shares the
  // memory of this process if image().shares_memory says so. Does not wait.
  void spawn(std::uint64_t clone_flags, int cgroup, std::span<const Join> joins = {});
  // Waits for it. Throws the errno of clone3 (ENOSPC: a limit of /proc/sys/user is reached).
  FirstProcess await_spawned();
  // Waits until the first process has ended; its wait status. At most once.
  int reap();
  // What ends init is never a reboot: its process ids are not its own, so a signal may have come from
  // anywhere.
  void never_restart();
  // From here on the supervisor watches over the container by itself. It keeps copies of `fds`, the first of
  // which is the console if `has_console`; the last `inherited` ones stay open in the clean-up command, under
  // ascending numbers. What it shares with this process stays until this process ends.
  void commit(std::span<const int> fds, bool has_console, std::size_t inherited = 0);
  // Kills and collects the first process and ends the supervisor. After `commit` it only waits until the
  // supervisor has ended by itself: the caller has killed init.
  void dismiss() noexcept;

 private:
  struct Memory;  // shared with the supervisor
  std::unique_ptr<Memory> memory_;
  UniqueFd control_;
  pid_t pid_ = -1;
  bool committed_ = false;

  void wait_for_end() noexcept;
  struct SupervisorAnswer;
  void send(const void* order, std::size_t size, std::span<const int> fds);
  SupervisorAnswer receive(int wanted);
};

}  // namespace hutch
