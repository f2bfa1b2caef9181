#include "cli/trace_output.h"

#include <fcntl.h>

#include <set>

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace hutch::cli {

namespace {

struct LaneText {
  const char* category;
  const char* process_name;
  const char* thread_name;
};

LaneText lane_text(TraceLane lane) {
  switch (lane) {
    case TraceLane::command: return {"pct", "pct start", "main lane"};
    case TraceLane::host: return {"host", "pct start", "main lane"};
    case TraceLane::side: return {"side", "pct start", "side lane"};
    case TraceLane::child: return {"child", "container's first process", "init"};
  }
  return {"", "", ""};
}

nlohmann::ordered_json name_event(const char* what, const TraceSpan& span, const char* name) {
  return {
      {"name", what}, {"ph", "M"}, {"pid", span.process}, {"tid", span.thread}, {"args", {{"name", name}}}};
}

double microseconds(std::int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000.0;
}

}  // namespace

std::string chrome_trace(const std::vector<TraceSpan>& spans) {
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  std::set<pid_t> named_processes;
  std::set<pid_t> named_threads;
  for (const auto& span : spans) {
    const LaneText lane = lane_text(span.lane);
    if (named_processes.insert(span.process).second) {
      events.push_back(name_event("process_name", span, lane.process_name));
    }
    if (named_threads.insert(span.thread).second) {
      events.push_back(name_event("thread_name", span, lane.thread_name));
    }
    events.push_back({{"name", span.name},
                      {"cat", lane.category},
                      {"ph", "X"},
                      {"ts", microseconds(span.begin)},
                      {"dur", microseconds(span.end - span.begin)},
                      {"pid", span.process},
                      {"tid", span.thread}});
  }
  const nlohmann::ordered_json document = {{"displayTimeUnit", "ms"}, {"traceEvents", events}};
  // A step's text may hold bytes of a file name that are no UTF-8.
  return document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void write_chrome_trace(const std::string& path, const std::vector<TraceSpan>& spans) {
  const UniqueFd file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_fd(file.get(), chrome_trace(spans), path);
}

}  // namespace hutch::cli
