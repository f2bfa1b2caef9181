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
};

LaneText lane_text(TraceLane lane) {
  switch (lane) {
    case TraceLane::command: return {"pct", "pct start"};
    case TraceLane::host: return {"host", "pct start"};
    case TraceLane::side: return {"side", "pct start"};
    case TraceLane::child: return {"child", "container's first process"};
  }
  return {"", ""};
}

}  // namespace

std::string chrome_trace(const std::vector<TraceSpan>& spans) {
  JsonWriter json;
  json.begin_object().member("displayTimeUnit", "ms").key("traceEvents").begin_array();
  std::set<pid_t> named;
  for (const auto& span : spans) {
    const LaneText lane = lane_text(span.lane);
    if (named.insert(span.process).second) {
      json.begin_object().member("name", "process_name").member("ph", "M").member("pid", span.process);
      json.key("args").begin_object().member("name", lane.process_name).end_object().end_object();
    }
    // Times in microseconds.
    json.begin_object().member("name", span.name).member("cat", lane.category).member("ph", "X");
    json.key("ts").decimal(span.begin).key("dur").decimal(span.end - span.begin);
    json.member("pid", span.process).member("tid", span.process).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

void write_chrome_trace(const std::string& path, const std::vector<TraceSpan>& spans) {
  const UniqueFd file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_fd(file.get(), chrome_trace(spans), path);
}

}  // namespace hutch::cli
