#include "cli/trace_output.h"

#include <fcntl.h>

#include <set>

#include "base/files.h"
#include "base/json.h"

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

void write_name(JsonWriter& json, std::string_view what, const TraceSpan& span, std::string_view name) {
  json.begin_object().member("name", what).member("ph", "M");
  json.member("pid", span.process).member("tid", span.thread);
  json.key("args").begin_object().member("name", name).end_object().end_object();
}

}  // namespace

std::string chrome_trace(const std::vector<TraceSpan>& spans) {
  JsonWriter json;
  json.begin_object().member("displayTimeUnit", "ms").key("traceEvents").begin_array();
  std::set<pid_t> named_processes;
  std::set<pid_t> named_threads;
  for (const auto& span : spans) {
    const LaneText lane = lane_text(span.lane);
    if (named_processes.insert(span.process).second) {
      write_name(json, "process_name", span, lane.process_name);
    }
    if (named_threads.insert(span.thread).second) write_name(json, "thread_name", span, lane.thread_name);
    // Times in microseconds.
    json.begin_object().member("name", span.name).member("cat", lane.category).member("ph", "X");
    json.key("ts").decimal(span.begin).key("dur").decimal(span.end - span.begin);
    json.member("pid", span.process).member("tid", span.thread).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

void write_chrome_trace(const std::string& path, const std::vector<TraceSpan>& spans) {
  const UniqueFd file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_fd(file.get(), chrome_trace(spans), path);
}

}  // namespace hutch::cli
