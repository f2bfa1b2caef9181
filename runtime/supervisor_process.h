#pragma once

#include <linux/sched.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "runtime/child_interpreter.h"
#include "runtime/prefault.h"
#include "runtime/tree_orders.h"
#include "runtime/waiter.h"

// The supervisor of a container: the process that init is a child of. It is made early in a start, by clone3
// in the memory of the process that starts the container (no page is copied), and is idle but for these
// orders; everything else of a start is done by that process:
//
//   starter                        supervisor
//    |<-- ready ---------------------|  cut loose from its starter, in a private mount namespace
//    |--- make_tree ---------------->|  while the starter has other things to do
//    |<-- tree {failure} + mount ----|
//    |--- make_namespaces {flags} -->|  clone3: a forerunner in them, which takes the next order in its place
//    |--- spawn {flags} + cgroup, joined namespaces --->|  clone3: the container's first process
//    |<-- spawned {pid} + pidfd -----|
//    |--- reap --------------------->|
//    |<-- reaped {wait status} ------|  once the first process has ended
//    |--- commit + fds ------------->|  becomes the waiter (runtime/waiter.h)
//    |--- dismiss ------------------>|  kills and reaps what it has spawned, ends
//    |<-- failed {errno} ------------|  in place of `spawned`; at any other time, and then it ends
//
// End-of-file before `commit` or `dismiss` means that the starter died: the supervisor kills and reaps what
// it has spawned and executes the clean-up command.
//
// It runs bare system calls only (base/raw_syscall.h): libc's locks and thread-local data are the starter's.
namespace hutch {

struct SupervisorMessage {
  enum class Type : std::uint32_t {
    ready = 1,
    make_tree,
    tree,
    make_namespaces,
    spawn,
    spawned,
    reap,
    reaped,
    commit,
    dismiss,
    failed
  };
  Type type{};
  std::int32_t error = 0;         // failed: errno
  std::int32_t pid = 0;           // spawned
  std::int32_t wait_status = 0;   // reaped
  std::uint32_t has_console = 0;  // commit: the first descriptor is the console
  std::uint32_t inherited = 0;    // commit: so many of the last descriptors are for the clean-up command
  TreeFailure tree_failure{};     // tree; the mount comes with it if there is none
  std::uint64_t clone_flags =
      0;  // make_namespaces; spawn, with CLONE_INTO_CGROUP where the descriptor is used
};

// The namespaces that the first process joins before it is made. Setting them changes for good where the
// caller makes processes, so a process of its own does it, which shares the supervisor's descriptors and then
// clones the first process as its sibling (CLONE_PARENT). In memory that all of them see whoever copies what
// (MAP_SHARED), with the stack of that process.
struct JoinRequest {
  static constexpr std::size_t kMax = 8;
  static constexpr std::size_t kStack = 32UL << 10;
  std::uint32_t count = 0;
  std::uint32_t flags[kMax] =
      {};  // CLONE_NEW*, in the order to be joined; their descriptors come with `spawn`
  // A time namespace is only for a process that shares its memory with nobody (setns(2)).
  bool own_memory = false;
  clone_args first{};  // of the first process
  long result = 0;     // its pid, or -errno
  int pidfd = -1;
  alignas(16) char stack[kStack];
};

// At most this many descriptors go with `commit`.
inline constexpr std::size_t kMaxCommitFds = 128;

// What the supervisor finds when it begins; in the starter's memory, where it has to stay.
struct SupervisorBirth {
  const char* name;  // as ps(1) shows it, at most 15 bytes
  int control;       // its end of the socket pair of the messages above
  int starter_end;   // descriptors of the starter that it closes first thing
  const int* keep;   // all others that it keeps, ascending
  std::size_t keep_count;
  ChildImage* image;  // of the container's first process; filled in before `spawn`
  void* child_stack;  // lowest address
  std::size_t child_stack_size;
  WaiterOrders* orders;  // filled in before `commit`; its commands and descriptors from the beginning
  void* waiter_stack_end;
  JoinRequest* join;       // null: none; filled in before `spawn`
  const TreeOrders* tree;  // filled in before `make_tree`
  const Prefault* prefaults;
  std::size_t prefault_count;
};

// The entry of the new process. Never returns.
[[noreturn]] void run_supervisor_process(void* birth);

}  // namespace hutch
