#include "runtime/waiter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw_syscall.h"

// The code of section hutch_waiter goes on when libc, its thread-local errno and the program's constants are
// unmapped: one function, with everything that it calls inlined, no call and no return, and no reference to
// anything outside its section. tests/runtime/waiter_code.sh holds the compiler to that.

extern "C" {
// The linker's names for the section's borders.
extern const char __start_hutch_waiter[] __attribute__((visibility("hidden")));
extern const char __stop_hutch_waiter[] __attribute__((visibility("hidden")));
}

namespace hutch {

using sys::raw;

namespace {

[[gnu::always_inline]] inline void forward_signals(int signals, int init) {
  signalfd_siginfo info;
  while (raw(SYS_read, signals, &info, sizeof info) == sizeof info) {
    long number = info.ssi_signo;
    if (number == SIGCHLD) continue;
    if (number == SIGHUP) number = SIGTERM;
    // ESRCH: init ended at this moment, which the poll sees next.
    raw(SYS_pidfd_send_signal, init, number);
  }
}

// Nobody watches the console here, and a console whose buffer is full would stop init's output (and init).
// Returns false when it is closed.
[[gnu::always_inline]] inline bool drain(int console) {
  char buffer[1024];
  const long count = raw(SYS_read, console, &buffer, sizeof buffer);
  // EIO: no process has the other end open; the container may open it again.
  return count > 0 || count == -EAGAIN || count == -EINTR;
}

[[gnu::always_inline]] inline void give_memory_back(const WaiterOrders& orders) {
  for (std::size_t at = 0; at < orders.unneeded_count; ++at) {
    raw(SYS_munmap, static_cast<long>(orders.unneeded[at].start),
        static_cast<long>(orders.unneeded[at].size));
  }
}

// How often it is looked whether the starter has ended. Not at once when it does: whoever waits for the
// starter wants the CPU then.
constexpr long kStarterPause = 200'000'000;  // nanoseconds

[[gnu::always_inline]] inline void wait_for_init(const WaiterOrders& orders) {
  int console = orders.console;
  int starter = orders.starter;
  for (;;) {
    pollfd fds[4];
    fds[0].fd = orders.init_pidfd;
    fds[1].fd = orders.signals;
    fds[2].fd = console;
    fds[3].fd = starter;
    for (auto& fd : fds) {
      fd.events = POLLIN;
      fd.revents = 0;
    }
    timespec pause;
    pause.tv_sec = 0;
    pause.tv_nsec = kStarterPause;
    const long ready = raw(SYS_ppoll, &fds, 3, starter >= 0 ? &pause : nullptr);
    if (ready < 0 && ready != -EINTR) return;  // wait4 waits as well
    if (ready == 0) {
      pause.tv_nsec = 0;
      raw(SYS_ppoll, &fds[3], 1, &pause);
    }
    if ((fds[1].revents & POLLIN) != 0) forward_signals(orders.signals, orders.init_pidfd);
    if (fds[2].revents != 0 && !drain(console)) console = -1;
    if (fds[3].revents != 0) {
      // A process closes its descriptors after it has let go of its memory (kernel/exit.c, do_exit).
      raw(SYS_close, starter);
      starter = -1;
      give_memory_back(orders);
    }
    if ((fds[0].revents & POLLIN) != 0) return;
  }
}

[[noreturn, gnu::used, gnu::noinline, gnu::section("hutch_waiter")]] void run_waiter(
    const WaiterOrders* orders) {
  wait_for_init(*orders);
  int status = 0;
  while (raw(SYS_wait4, orders->init, &status) == -EINTR) {
  }
  if (raw(SYS_setns, orders->host_mounts, CLONE_NEWNS) == 0) {
    char* const* argv =
        exit_reason(status) == ExitReason::rebooting ? orders->restart_argv : orders->clean_up_argv;
    const char no_path = '\0';
    raw(SYS_execveat, orders->program, &no_path, argv, orders->envp, AT_EMPTY_PATH);
  }
  for (;;) raw(SYS_exit_group, 1);
}

}  // namespace

MemoryRange waiter_code(std::size_t page_size) {
  const auto start = reinterpret_cast<std::uintptr_t>(__start_hutch_waiter) & ~(page_size - 1);
  const auto stop =
      (reinterpret_cast<std::uintptr_t>(__stop_hutch_waiter) + page_size - 1) & ~(page_size - 1);
  return {start, stop - start};
}

// A jump, not a call: under a shadow stack a call would write to a page that is about to go.
void become_waiter(const WaiterOrders& orders, void* stack_end) {
#if defined(__x86_64__)
  // The ABI has the stack 8 bytes off 16 at a function's entry, where a call would have left it.
  asm volatile(
      "movq %[stack], %%rsp\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "pushq $0\n\t"
      "jmp *%[entry]"
      :
      : [stack] "r"(stack_end), [entry] "r"(&run_waiter), "D"(&orders)
      : "memory");
#elif defined(__aarch64__)
  // Through x16, which a landing pad of branch target identification lets in.
  register const WaiterOrders* x0 asm("x0") = &orders;
  register auto* x16 asm("x16") = &run_waiter;
  asm volatile(
      "mov sp, %[stack]\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"
      "br %[entry]"
      :
      : [stack] "r"(stack_end), [entry] "r"(x16), "r"(x0)
      : "memory");
#else
  register const WaiterOrders* a0 asm("a0") = &orders;
  asm volatile(
      "mv sp, %[stack]\n\t"
      "mv s0, zero\n\t"
      "mv ra, zero\n\t"
      "jr %[entry]"
      :
      : [stack] "r"(stack_end), [entry] "r"(&run_waiter), "r"(a0)
      : "memory");
#endif
  __builtin_unreachable();
}

}  // namespace hutch
