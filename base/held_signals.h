#pragma once

#include <signal.h>

#include "base/unique_fd.h"

namespace hutch {

// While it lives, SIGINT, SIGQUIT, SIGTERM and SIGHUP do not end the process but wait in a descriptor, so
// that a work of many steps can be broken off between two of them and taken back. Blocks them in the calling
// thread and in those that it creates. What is ignored (nohup) stays ignored; what nobody has taken in the
// end is delivered.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // A non-blocking signalfd(2): readable when a signal has come.
  int fd() const { return fd_.get(); }
  // Throws Error "interrupted by SIG..." (EINTR) when one has come.
  void check() const;

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

}  // namespace hutch
