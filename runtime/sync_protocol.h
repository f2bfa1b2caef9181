#pragma once

#include <cstdint>

// Messages between the process that starts a container (host) and the container's first process (child), over
// one SOCK_SEQPACKET pair that both ends open close-on-exec:
//
//   host                                child
//    |  cgroup2 group                   |
//    |  (the supervisor clones) ------->|
//    |  id maps, mounts, v1 groups      |  waits
//    |--- proceed_mapped + slots ------>|  becomes the container's root, mounts, pivots
//    |  limits, device filter, links    |
//    |<-- handed_fd (console, tty) -----|  with SCM_RIGHTS, any number
//    |<-- prepared ---------------------|  only where the plan waits for it
//    |--- proceed_limited ------------->|  joins the v1 cgroups, own cgroup namespace, mounts cgroup2,
//    |<-- handed_fd (seccomp listener) -|  where the policy asks a proxy
//    |                                  |  gives up its rights, ids, exec
//    |<-- ready ------------------------|  only where the host has something to do just before exec (hooks)
//    |--- proceed_exec ---------------->|
//    |<-- executing --------------------|  then the socket closes by exec: running
//    |<-- failed {step, errno} ---------|  at any time; the child exits after it
//
// The descriptors of proceed_mapped fill the slots whose numbers (Slot) follow the message.
// End-of-file without `executing` before it means that the child died; it is never success. A `failed` may
// still follow `executing` (exec itself failed).
namespace hutch {

struct SyncMessage {
  enum class Type : std::uint32_t {
    proceed_mapped = 1,
    proceed_limited,
    handed_fd,
    prepared,
    executing,
    failed,
    ready,
    proceed_exec,
  };
  Type type{};
  std::uint32_t step = 0;    // failed: index into the ChildProgram
  std::int32_t error = 0;    // failed: errno
  std::uint32_t detail = 0;  // handed_fd: HandedFd; failed: wait status of a hook, then error is 0
};

enum class HandedFd : std::uint32_t {
  console_master = 0,
  first_tty_master = 1,
  seccomp_listener = 0xffffffff,
};

}  // namespace hutch
