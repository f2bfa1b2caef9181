#include "base/held_signals.h"

#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"

namespace hutch {

HeldSignals::HeldSignals() {
  sigset_t held;
  ::sigemptyset(&held);
  for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) ::sigaddset(&held, number);
  }
  hutch::check(::sigprocmask(SIG_BLOCK, &held, &before_), "cannot block signals");
  fd_.reset(::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
  if (fd_) return;
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  throw Error("cannot create a signal descriptor", error);
}

HeldSignals::~HeldSignals() {
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void HeldSignals::check() const {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return;
  throw Error(formatted("interrupted by SIG{}", ::sigabbrev_np(static_cast<int>(info.ssi_signo))), EINTR);
}

}  // namespace hutch
