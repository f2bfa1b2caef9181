#include "runtime/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/syscalls.h"

namespace hutch {

namespace {

UniqueFd block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  // Faults of our own must still kill us.
  for (const int fault : {SIGBUS, SIGILL, SIGSEGV, SIGFPE}) ::sigdelset(&all, fault);
  check(::sigprocmask(SIG_SETMASK, &all, nullptr), "cannot block signals");
  return UniqueFd(
      check(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), "cannot create a signal descriptor"));
}

void forward_signals(int signals, int init) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == sizeof info) {
    int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) continue;
    if (number == SIGHUP) number = SIGTERM;
    // ESRCH: init ended at this moment, which the poll sees next.
    sys::pidfd_send_signal(init, number);
  }
}

// Nobody watches the console here, and a console whose buffer is full would stop init's output (and init).
// Returns false when it is closed.
bool drain(int console) {
  char buffer[4096];
  const ssize_t count = ::read(console, buffer, sizeof buffer);
  if (count > 0) return true;
  // EIO: no process has the other end open; the container may open it again.
  return count < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace

ExitReason exit_reason(int wait_status) {
  const bool reboot = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGHUP;
  return reboot ? ExitReason::rebooting : ExitReason::halted;
}

ExitReason supervise(StartExecutor& executor) {
  const UniqueFd signals = block_signals();
  if (executor.console() >= 0) {
    const int flags = check(::fcntl(executor.console(), F_GETFL), "cannot read the console's flags");
    check(::fcntl(executor.console(), F_SETFL, flags | O_NONBLOCK), "cannot set the console's flags");
  }
  int watched = executor.console();
  for (;;) {
    pollfd fds[3] = {{executor.init_pidfd(), POLLIN, 0}, {signals.get(), POLLIN, 0}, {watched, POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0 && errno != EINTR) throw_errno("cannot wait for the container");
    if ((fds[1].revents & POLLIN) != 0) forward_signals(signals.get(), executor.init_pidfd());
    if (fds[2].revents != 0 && !drain(watched)) watched = -1;
    if ((fds[0].revents & POLLIN) != 0) break;
  }
  const int status = executor.reap_init();
  executor.tear_down();
  return exit_reason(status);
}

}  // namespace hutch
