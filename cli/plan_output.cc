#include "cli/plan_output.h"

#include <algorithm>

#include "base/format.h"
#include "base/json.h"

namespace hutch::cli {

namespace {

// "3, 5-7" of the steps of one process; empty: none.
std::string ranges(const std::vector<StepNumber>& steps, bool child) {
  std::string text;
  for (std::size_t at = 0; at < steps.size(); ++at) {
    if (steps[at].child != child) continue;
    const std::size_t first = steps[at].number;
    std::size_t last = first;
    while (at + 1 < steps.size() && steps[at + 1] == StepNumber{child, last + 1}) {
      ++at;
      ++last;
    }
    if (!text.empty()) text += ", ";
    text += last == first ? formatted("{}", first) : formatted("{}-{}", first, last);
  }
  return text;
}

std::string steps_text(const std::vector<StepNumber>& steps) {
  const std::string host = ranges(steps, false);
  const std::string child = ranges(steps, true);
  if (child.empty()) return "host " + host;
  return host.empty() ? "child " + child : "host " + host + "; child " + child;
}

// The columns end where most lines do: a long one makes only its own line longer.
constexpr std::size_t kMaxColumn = 60;

void append_lines(std::string& text, const std::vector<PlanLine>& lines, bool with_steps) {
  std::size_t place = 0;
  std::size_t width = 0;
  for (const auto& line : lines) {
    if (line.steps.empty() == with_steps) continue;
    place = std::max(place, line.origin.text().size());
    width = std::max(width, std::min(line.text.size(), kMaxColumn));
  }
  for (const auto& line : lines) {
    if (line.steps.empty() == with_steps) continue;
    text += formatted("{:<{}}  {:<{}}  {}\n", line.origin.text(), place, line.text, width,
                      with_steps ? steps_text(line.steps) : line.reason);
  }
}

void write_origin(JsonWriter& json, const Origin& origin) {
  if (origin.empty()) return;
  json.key("origin").begin_object().member("source", origin.source);
  if (origin.line > 0) json.member("line", origin.line);
  json.end_object();
}

void write_text(JsonWriter& json, std::string_view name, const std::string& text) {
  if (!text.empty()) json.member(name, text);
}

void write_line(JsonWriter& json, const PlanLine& line) {
  json.begin_object();
  write_origin(json, line.origin);
  write_text(json, "text", line.text);
  json.key("steps").begin_array();
  for (const auto& step : line.steps) {
    json.begin_object().member("process", step.child ? "child" : "host");
    json.member("number", static_cast<std::int64_t>(step.number)).end_object();
  }
  json.end_array();
  if (line.steps.empty()) write_text(json, "reason", line.reason);
  json.end_object();
}

}  // namespace

std::string plan_text(const StartPlan& plan, const std::vector<PlanLine>& lines) {
  std::string text = print_plan(plan);
  text += "# lines of the config and their steps\n";
  append_lines(text, lines, true);
  text += "# lines without a step\n";
  append_lines(text, lines, false);
  return text;
}

std::string plan_json(const StartPlan& plan, const std::vector<PlanLine>& lines) {
  JsonWriter json;
  json.begin_object().member("vmid", plan.spec.vmid).member("config", plan.spec.config_path);
  json.key("host").begin_array();
  for (std::size_t at = 0; at < plan.host.size(); ++at) {
    const HostStep& step = plan.host[at];
    json.begin_object().member("number", static_cast<std::int64_t>(at + 1));
    json.member("lane", step.lane == HostLane::side ? "side" : "main").member("text", step.text);
    write_text(json, "undo", step.undo);
    write_text(json, "hint", step.hint);
    write_origin(json, step.origin);
    json.end_object();
  }
  json.end_array().key("child").begin_array();
  for (std::size_t at = 0; at < plan.child.info.size(); ++at) {
    const ChildStepInfo& step = plan.child.info[at];
    json.begin_object().member("number", static_cast<std::int64_t>(at + 1)).member("text", step.text);
    write_text(json, "hint", step.hint);
    write_origin(json, step.origin);
    json.end_object();
  }
  json.end_array().key("lines").begin_array();
  for (const auto& line : lines) write_line(json, line);
  json.end_array().end_object();
  return json.take();
}

}  // namespace hutch::cli
