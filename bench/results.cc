#include "bench/results.h"

#include <fcntl.h>

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch::bench {
namespace {

using Json = nlohmann::json;

// A value and the way to it, for messages. Points into the document it was made from.
class Field {
 public:
  Field(const Json& value, const std::string& file, std::string path)
      : value_(&value), file_(&file), path_(std::move(path)) {}

  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(formatted("cannot use '{}': {} {}", *file_, path_.empty() ? "the file" : path_, reason));
  }

  const std::string& text() const {
    need(value_->is_string(), "a string");
    return value_->get_ref<const std::string&>();
  }
  double number() const {
    need(value_->is_number(), "a number");
    return value_->get<double>();
  }
  std::vector<Field> items() const {
    need(value_->is_array(), "a list");
    std::vector<Field> fields;
    for (const Json& value : *value_) {
      fields.emplace_back(value, *file_, formatted("{}[{}]", path_, fields.size()));
    }
    return fields;
  }
  std::optional<Field> find(const std::string& key) const {
    need(value_->is_object(), "an object");
    const auto found = value_->find(key);
    if (found == value_->end()) return std::nullopt;
    return Field(*found, *file_, path_.empty() ? key : path_ + "." + key);
  }
  Field member(const std::string& key) const {
    std::optional<Field> found = find(key);
    if (!found) fail(formatted("has no \"{}\"", key));
    return *found;
  }
  const std::string& text(const std::string& key) const { return member(key).text(); }
  double number(const std::string& key) const { return member(key).number(); }

 private:
  void need(bool fits, std::string_view what) const {
    if (!fits) fail(formatted("is of type {}, not {}", value_->type_name(), what));
  }

  const Json* value_;
  const std::string* file_;
  std::string path_;
};

Json document_of(std::string_view text, const std::string& file) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw Error(formatted("cannot read '{}' as JSON: {}", file, error.what()));
  }
}

Host read_host(const Field& field) {
  const Field cpus = field.member("cpus");
  const double number = cpus.number();
  if (!(number >= 1 && number <= 1e6) || number != static_cast<double>(static_cast<int>(number))) {
    cpus.fail("is no number of processors");
  }
  return {field.text("kernel"), static_cast<int>(number), field.text("cgroups"), field.text("date"),
          field.text("pct")};
}

Series read_one_series(const Field& field) {
  Series series{field.text("group"), field.text("variant"),    field.text("tool"),
                field.text("unit"),  field.text("leaves_out"), {}};
  const Field samples = field.member("samples");
  for (const Field& sample : samples.items()) {
    const double value = sample.number();
    if (!(value > 0)) sample.fail(formatted("is {}; a measured value is above 0", value));
    series.samples.push_back(value);
  }
  if (series.samples.empty()) samples.fail("is empty; a tool that was not measured has no series");
  return series;
}

std::vector<Series> read_series(const Field& list) {
  std::vector<Series> all;
  for (const Field& field : list.items()) {
    Series series = read_one_series(field);
    const bool known = std::any_of(all.begin(), all.end(), [&](const Series& other) {
      return other.group == series.group && other.variant == series.variant && other.tool == series.tool;
    });
    if (known) field.fail(formatted("is a second series of the same names ({})", series_name(series)));
    for (const Series& other : all) {
      if (other.group != series.group || other.unit == series.unit) continue;
      field.member("unit").fail(
          formatted("is {}, but {} is in {}", series.unit, series_name(other), other.unit));
    }
    all.push_back(std::move(series));
  }
  return all;
}

std::map<double, std::string> process_names(const std::vector<Field>& events) {
  std::map<double, std::string> names;
  for (const Field& event : events) {
    if (event.text("ph") == "M" && event.text("name") == "process_name") {
      names[event.number("pid")] = event.member("args").text("name");
    }
  }
  return names;
}

// Phases other than "X" (complete events) have no duration and are not drawn.
std::vector<TraceStep> read_trace(const Field& trace) {
  const std::vector<Field> events = trace.member("traceEvents").items();
  const auto names = process_names(events);
  std::vector<TraceStep> steps;
  for (const Field& event : events) {
    if (event.text("ph") != "X") continue;
    const double pid = event.number("pid");
    const auto name = names.find(pid);
    const Field duration = event.member("dur");
    if (duration.number() < 0) duration.fail("is below 0");
    steps.push_back({name == names.end() ? formatted("process {}", pid) : name->second, event.text("cat"),
                     event.text("name"), event.number("ts") / 1000.0, duration.number() / 1000.0});
  }
  std::stable_sort(steps.begin(), steps.end(), [](const TraceStep& a, const TraceStep& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.duration > b.duration;
  });
  const double first = steps.empty() ? 0.0 : steps.front().begin;
  for (TraceStep& step : steps) step.begin -= first;
  return steps;
}

}  // namespace

Results parse_results(std::string_view json, const std::string& file) {
  const Json document = document_of(json, file);
  const Field top(document, file, "");
  Results results{
      file, read_host(top.member("host")), top.text("plan"), read_series(top.member("series")), {}};
  if (const auto trace = top.find("trace")) results.trace = read_trace(*trace);
  return results;
}

Results read_results(const std::string& path) {
  return parse_results(read_file(AT_FDCWD, path), path);
}

const Series* find_series(const Results& results, std::string_view group, std::string_view variant,
                          std::string_view tool) {
  for (const Series& series : results.series) {
    if (series.group == group && series.variant == variant && series.tool == tool) return &series;
  }
  return nullptr;
}

std::string series_name(const Series& series) {
  return formatted("{} of {}, variant {}", series.group, series.tool, series.variant);
}

}  // namespace hutch::bench
