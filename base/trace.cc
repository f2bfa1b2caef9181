#include "base/trace.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/format.h"

namespace hutch {

namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr double kNanosecondsPerMillisecond = 1e6;

const char* lane_name(TraceLane lane) {
  switch (lane) {
    case TraceLane::command: return "pct";
    case TraceLane::host: return "host";
    case TraceLane::side: return "side";
    case TraceLane::child: return "child";
  }
  return "";
}

}  // namespace

std::int64_t trace_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

Trace::Scope::Scope(Trace* trace, std::string name) : trace_(trace), name_(std::move(name)) {
  if (trace_ != nullptr) begin_ = trace_clock();
}

Trace::Scope::~Scope() {
  if (trace_ == nullptr) return;
  trace_->add({std::move(name_), trace_->lane_, ::getpid(), ::gettid(), begin_, trace_clock()});
}

std::string print_waterfall(std::vector<TraceSpan> spans, std::size_t columns) {
  if (spans.empty()) return {};
  std::stable_sort(spans.begin(), spans.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
  const std::int64_t first = spans.front().begin;
  std::int64_t last = first + 1;
  for (const auto& span : spans) last = std::max(last, span.end);
  const auto column = [&](std::int64_t time) {
    return static_cast<std::size_t>((time - first) * static_cast<std::int64_t>(columns) / (last - first));
  };
  std::string text = formatted("{:>8} {:>8}  {:<{}}\n", "at ms", "took ms", "", columns);
  for (const auto& span : spans) {
    const std::size_t from = std::min(column(span.begin), columns - 1);
    const std::size_t to = std::clamp(column(span.end), from + 1, columns);
    std::string bar(columns, ' ');
    std::fill(bar.begin() + static_cast<std::ptrdiff_t>(from), bar.begin() + static_cast<std::ptrdiff_t>(to),
              span.lane == TraceLane::child ? '=' : '#');
    text += formatted("{:>8.3f} {:>8.3f}  {}  {:<5} {}\n",
                      static_cast<double>(span.begin - first) / kNanosecondsPerMillisecond,
                      static_cast<double>(span.end - span.begin) / kNanosecondsPerMillisecond, bar,
                      lane_name(span.lane), span.name);
  }
  return text;
}

}  // namespace hutch
