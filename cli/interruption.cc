#include "cli/interruption.h"

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/format.h"

namespace hutch::cli {

namespace {

volatile std::sig_atomic_t received_signal = 0;

void remember(int number) {
  received_signal = number;
}

}  // namespace

Interruption::Interruption() {
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &before_[i]);
    // A signal that the caller ignores (nohup) stays ignored.
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

Interruption::~Interruption() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

void Interruption::check() const {
  if (received_signal == 0) return;
  throw Error(formatted("interrupted by SIG{}", ::sigabbrev_np(received_signal)), EINTR);
}

}  // namespace hutch::cli
