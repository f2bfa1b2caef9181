#pragma once

#include <array>
#include <csignal>

namespace hutch::cli {

// While it lives, SIGINT, SIGQUIT, SIGTERM and SIGHUP do not end the process but are remembered, so that a
// long command stops at its next `check` and takes back what it did. One at a time per process.
class Interruption {
 public:
  Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  // Throws Error "interrupted by SIG..." (EINTR) when a signal came.
  void check() const;

 private:
  static constexpr std::array<int, 4> kSignals = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
  std::array<struct sigaction, 4> before_{};
};

}  // namespace hutch::cli
