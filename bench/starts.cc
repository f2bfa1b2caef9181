#include <iostream>

#include "base/format.h"
#include "bench/suite.h"
#include "bench/table.h"

// start, exec and stop come from one race, so that all three see the same containers.
namespace hutch::bench {

namespace {

// What one table shows of the entries.
struct Part {
  const char* group;
  std::string Contender::*title;
  std::vector<double> Entry::*samples;
  bool remarks;  // they are about the start
  const char* reference;
};
constexpr Part kStart = {"start", &Contender::title, &Entry::start, true, "floor"};
constexpr Part kExec = {"exec", &Contender::exec_title, &Entry::exec, false, "floor"};
constexpr Part kStop = {"stop", &Contender::stop_title, &Entry::stop, false, "floor"};

std::string note_of(const Contender& contender, const Part& part) {
  const std::string left_out = contender.leaves_out.empty() ? "-" : contender.leaves_out;
  return part.remarks && !contender.remark.empty() ? formatted("{}  ({})", left_out, contender.remark)
                                                   : left_out;
}

std::vector<Entry> enter_all(Suite& suite, const Variant& variant) {
  std::vector<Entry> entries;
  for (const auto& tool : suite.tools) {
    if (!suite.competes(tool)) continue;
    entries.push_back({tool.make(suite.arena, tool.program, variant, 0), tool.required, {}, {}, {}, {}});
  }
  return entries;
}

void publish(Suite& suite, const Variant& variant, const std::vector<Entry>& entries, const Part& part) {
  std::vector<TableRow> rows;
  for (const auto& entry : entries) {
    const Contender& contender = entry.contender;
    const std::string& title = contender.*part.title;
    const auto& values = entry.*part.samples;
    if (title.empty()) continue;
    if (!contender.cannot.empty()) {
      rows.push_back({title, {}, contender.cannot});
    } else if (!entry.failure.empty()) {
      rows.push_back({title, {}, "failed, see above"});
    } else if (!values.empty()) {
      rows.push_back({title, values, note_of(contender, part)});
      suite.add_series(part.group, variant.name, contender.tool, "ms", values, contender.leaves_out);
    }
  }
  std::cout << print_table(formatted("{}, {}", part.group, variant.name), rows, "ms", part.reference,
                           "leaves out")
            << std::flush;
}

}  // namespace

void measure_starts(Suite& suite) {
  for (const auto& name : suite.options.variants) {
    const Variant& variant = find_variant(name);
    const bool is_base = variant.number == 0;
    const bool only_link_missing = name == "no-network";
    const bool exec = suite.wants("exec") && is_base;
    const bool stop = suite.wants("stop") && (is_base || only_link_missing);
    if (!suite.wants("start") && !exec && !stop) continue;
    if (const std::string reason = missing_on_host(variant.rootfs); !reason.empty()) {
      std::cout << formatted("\nstart, {}: skipped, {}\n", name, reason);
      continue;
    }
    auto entries = enter_all(suite, variant);
    race(suite.runner, entries, {suite.options.rounds, suite.options.quick ? 0 : 3, exec});
    for (const auto& entry : entries) {
      if (!entry.failure.empty())
        suite.report_failure(formatted("{} ({})", entry.contender.title, name), entry.failure,
                             entry.required);
    }
    if (suite.wants("start")) publish(suite, variant, entries, kStart);
    if (exec) publish(suite, variant, entries, kExec);
    if (stop) publish(suite, variant, entries, kStop);
  }
}

}  // namespace hutch::bench
