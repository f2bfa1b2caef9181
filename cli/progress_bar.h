#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace hutch::cli {

struct Progress {
  std::uint64_t done = 0;   // bytes
  std::uint64_t total = 0;  // bytes; 0: unknown
  double seconds = 0;       // since the beginning
};

// One line of at most `width` columns: percent, bar, bytes, rate, remaining time; parts are left out from
// the right when they do not fit. Pure.
std::string format_progress(const Progress& progress, int width);

// "512 B", "1.5 KiB", "42.0 MiB": powers of 1024, one decimal from KiB on.
std::string format_bytes(double bytes);
// "0:07", "12:34", "1:02:03".
std::string format_duration(double seconds);

// Shows the progress of one job on a terminal, redrawn in place at most ten times a second. On anything
// but a terminal it prints nothing.
class ProgressBar {
 public:
  explicit ProgressBar(std::FILE* stream);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  void update(std::uint64_t done, std::uint64_t total);
  // Removes the bar from the terminal.
  void clear();

 private:
  std::FILE* stream_;
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point start_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

}  // namespace hutch::cli
