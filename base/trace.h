#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hutch {

// Who did the work: pct before the plan, its two lanes while it runs the plan, the container's first process.
enum class TraceLane : std::uint8_t { command, host, side, child };

// One piece of work with its begin and end, in nanoseconds of CLOCK_MONOTONIC, which all processes of the
// host share.
struct TraceSpan {
  std::string name;
  TraceLane lane = TraceLane::command;
  pid_t process = 0;
  pid_t thread = 0;  // that of the process itself in its first thread
  std::int64_t begin = 0;
  std::int64_t end = 0;

  bool operator==(const TraceSpan&) const = default;
};

std::int64_t trace_clock();

// Collects spans of one process; switched off it reads no clock and keeps nothing.
class Trace {
 public:
  // Ends its span when it is destroyed, also by an exception: a failed step shows, too.
  class Scope {
   public:
    Scope(Trace* trace, std::string name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Trace* trace_;  // nullptr: off
    std::string name_;
    std::int64_t begin_ = 0;
  };

  explicit Trace(TraceLane lane, bool on) : lane_(lane), on_(on) {}

  bool on() const { return on_; }
  // A scope for one piece of work. `name` is only taken when the trace is on.
  Scope span(const char* name) { return {on_ ? this : nullptr, on_ ? name : std::string()}; }
  Scope span(const std::string& name) { return {on_ ? this : nullptr, on_ ? name : std::string()}; }

  void add(TraceSpan span) { spans_.push_back(std::move(span)); }
  const std::vector<TraceSpan>& spans() const { return spans_; }

 private:
  TraceLane lane_;
  bool on_;
  std::vector<TraceSpan> spans_;
};

// A picture for the terminal: one line a span, in order of their beginning, with a bar on a common time axis
// of `columns` characters. Empty without spans.
std::string print_waterfall(std::vector<TraceSpan> spans, std::size_t columns = 48);

}  // namespace hutch
