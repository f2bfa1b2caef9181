#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

// The supervisor of a running container, made as small as a process can be: one loop of bare system calls
// that gives every page back but its own code, its stack and its orders. What comes after the container's end
// is done by a new program image (runtime/supervisor.h), so nothing else has to stay in memory.
namespace hutch {

// Why a container ended, read from init's wait status (reboot(2): inside a pid namespace the call ends in a
// signal to init).
enum class ExitReason { halted, rebooting };
[[gnu::always_inline]] inline ExitReason exit_reason(int wait_status) {
  const bool reboot = (wait_status & 0x7f) == SIGHUP;  // WTERMSIG
  return reboot ? ExitReason::rebooting : ExitReason::halted;
}

// Whole pages.
struct MemoryRange {
  std::uintptr_t start = 0;
  std::size_t size = 0;  // bytes
};

// What the waiter works with. All of it has to lie in memory that `unneeded` leaves alone.
struct WaiterOrders {
  // Unmapped as soon as the starter is gone, whose memory it is too; a range that the kernel keeps (mseal(2))
  // stays.
  const MemoryRange* unneeded;
  std::size_t unneeded_count;
  int starter;  // a socket whose other end is open as long as the starter lives
  pid_t init;   // child of this process
  int init_pidfd;
  int signals;      // non-blocking signalfd of all signals, which are blocked
  int console;      // non-blocking; -1: none
  int host_mounts;  // the mount namespace to go back to when init has ended
  int program;      // executed then, with one of:
  char* const* clean_up_argv;
  char* const* restart_argv;  // when the container asked for a reboot
  char* const* envp;
};

// The pages that hold the waiter's code.
MemoryRange waiter_code(std::size_t page_size);

// Moves to the stack that ends at `stack_end` (16-byte aligned, in kept memory; 4 KiB are enough) and waits:
// passes signals on to init (SIGHUP as SIGTERM), keeps the console drained, and when init ends executes
// `program` in the host's mount namespace, signals still blocked. Exits with status 1 when that fails: the
// next command cleans up after a supervisor that is gone.
[[noreturn]] void become_waiter(const WaiterOrders& orders, void* stack_end);

}  // namespace hutch
