#include "runtime/child_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include <cstdint>

#include "base/raw_syscall.h"

// As runtime/child_interpreter.cc: no allocation, no library, nor its errno.
namespace hutch {

namespace {

using sys::raw;

constexpr std::size_t kStack = 8192;
// What a pipe may still hold when the program that wrote into it has ended.
constexpr std::size_t kPipeSize = 64UL << 10;

// What the hook's process has until it executes the hook. It works in our memory and we stand still meanwhile
// (CLONE_VM and CLONE_VFORK, as posix_spawn(3) does it): a copy of the memory of whoever plans would cost
// more than all else of a start, and be made while other threads of that process change it.
struct HookStart {
  const HookImage* hook;
  int out;
  int err;
  volatile long error;
};

[[noreturn]] void execute_hook(void* argument) {
  auto& start = *static_cast<HookStart*>(argument);
  long result = raw(SYS_dup3, start.out, 1, 0);
  if (result >= 0) result = raw(SYS_dup3, start.err, 2, 0);
  if (result >= 0) result = raw(SYS_execve, start.hook->argv[0], start.hook->argv, start.hook->envp);
  start.error = -result;
  for (;;) raw(SYS_exit_group, 1);
}

// One output of the hook: no descriptor of the host's gets to it, which may be a program of the container's,
// so what it writes goes through us.
class Output {
 public:
  Output() : error_(static_cast<int>(-raw(SYS_pipe2, ends_, O_CLOEXEC))) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    close(ends_[0]);
    close(ends_[1]);
  }

  int error() const { return error_ > 0 ? error_ : 0; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close(ends_[0]); }
  void close_writer() { close(ends_[1]); }
  // Takes what is there; passes on at most `room` bytes of it. Gives how much there was.
  std::size_t pass(int sink, std::size_t room) {
    char buffer[2048];
    const long count = raw(SYS_read, ends_[0], buffer, sizeof buffer);
    if (count <= 0) return 0;
    const auto size = static_cast<std::size_t>(count);
    // Somebody who has closed it does not want it.
    if (sink >= 0 && room > 0) raw(SYS_write, sink, buffer, size < room ? size : room);
    return size;
  }

 private:
  int ends_[2] = {-1, -1};
  int error_;

  static void close(int& fd) {
    if (fd >= 0) raw(SYS_close, fd);
    fd = -1;
  }
};

class HookRun {
 public:
  HookRun(const HookSinks& sinks, std::size_t& logged) : sinks_(sinks), logged_(logged) {}

  HookEnd run(const HookImage& hook) {
    if (out_.error() != 0) return {out_.error(), 0};
    if (err_.error() != 0) return {err_.error(), 0};
    alignas(16) char stack[kStack];
    HookStart start{&hook, out_.writer(), err_.writer(), 0};
    clone_args args{};
    args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd_);
    args.exit_signal = SIGCHLD;
    args.stack = reinterpret_cast<std::uintptr_t>(stack);
    args.stack_size = sizeof stack;
    const long pid = sys::raw_clone3(args, &execute_hook, &start);
    if (pid < 0) return {static_cast<int>(-pid), 0};
    out_.close_writer();
    err_.close_writer();
    pass_output();
    raw(SYS_close, pidfd_);
    HookEnd end;
    long waited = -EINTR;
    while (waited == -EINTR) waited = raw(SYS_wait4, pid, &end.status, 0, nullptr);
    if (waited < 0) return {static_cast<int>(-waited), 0};
    if (start.error != 0) return {static_cast<int>(start.error), 0};
    return end;
  }

 private:
  const HookSinks& sinks_;
  std::size_t& logged_;
  int pidfd_ = -1;
  Output out_;
  Output err_;

  // Waits for the hook's end and then takes what is still in the pipes, but no more: others may go on
  // writing.
  void pass_output() {
    std::size_t left = 2 * kPipeSize;
    for (bool ended = false; left > 0;) {
      pollfd fds[3];
      fds[0].fd = ended ? -1 : pidfd_;
      fds[1].fd = out_.reader();
      fds[2].fd = err_.reader();
      for (auto& fd : fds) {
        fd.events = POLLIN;
        fd.revents = 0;
      }
      timespec now{};
      const long ready = raw(SYS_ppoll, fds, 3, ended ? &now : nullptr, nullptr, 0);
      if (ready < 0 && ready != -EINTR) return;
      if (fds[0].revents != 0) ended = true;
      const bool any = ((fds[1].revents | fds[2].revents) & POLLIN) != 0;
      const std::size_t count = any ? take(fds[1].revents, fds[2].revents) : 0;
      if (!ended) {
        // Closed long before the end.
        if (fds[1].revents == POLLHUP) out_.close_reader();
        if (fds[2].revents == POLLHUP) err_.close_reader();
        continue;
      }
      if (count == 0 && fds[0].revents == 0) return;
      left = left > count ? left - count : 0;
    }
  }

  std::size_t take(short out, short err) {
    std::size_t count = 0;
    if ((out & POLLIN) != 0) {
      const std::size_t size = out_.pass(sinks_.log, kHookLogLimit - logged_);
      logged_ = logged_ + size < kHookLogLimit ? logged_ + size : kHookLogLimit;
      count += size;
    }
    if ((err & POLLIN) != 0) count += err_.pass(sinks_.errors, SIZE_MAX);
    return count;
  }
};

}  // namespace

HookEnd run_child_hook(const HookImage& hook, const HookSinks& sinks, std::size_t& logged) {
  return HookRun(sinks, logged).run(hook);
}

}  // namespace hutch
