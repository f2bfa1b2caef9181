#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/undo.h"
#include "bench/suite.h"
#include "bench/table.h"

// What a running container costs beside its own processes: the proportional set sizes (proc(5), smaps_rollup)
// of all that its start left running on the host. They are our descendants, because we adopt orphans.
namespace hutch::bench {

namespace {

constexpr int kRounds = 3;
constexpr std::chrono::seconds kSettleTime{1};

struct Process {
  std::uint64_t parent = 0;
  bool in_container = false;  // in another pid namespace than ours
};

std::string_view line_after(const std::string& text, std::string_view key) {
  for (const auto line : split(text, '\n')) {
    if (line.starts_with(key)) return line.substr(key.size());
  }
  throw Error(formatted("cannot find '{}' in a file of /proc", key));
}

std::uint64_t number_of(std::string_view field) {
  const auto words = split_blanks(field);
  const auto number = words.empty() ? std::nullopt : parse_unsigned(words.front());
  if (!number) throw Error(formatted("cannot use '{}' of /proc: it is no number", field));
  return *number;
}

// Nothing when the process has ended.
std::optional<std::string> process_file(std::uint64_t pid, std::string_view name) {
  try {
    return read_file_if_exists(AT_FDCWD, formatted("/proc/{}/{}", pid, name));
  } catch (const Error& error) {
    if (error.error_number() != ESRCH) throw;
    return std::nullopt;
  }
}

std::map<std::uint64_t, Process> all_processes() {
  std::map<std::uint64_t, Process> processes;
  for (const auto& name : list_directory("/proc")) {
    const auto pid = parse_unsigned(name);
    if (!pid) continue;
    const auto status = process_file(*pid, "status");
    if (!status) continue;
    // NSpid lists the ids in each namespace from ours inwards.
    const bool inside = split_blanks(line_after(*status, "NSpid:")).size() > 1;
    processes[*pid] = {number_of(line_after(*status, "PPid:")), inside};
  }
  return processes;
}

bool descends_from_us(const std::map<std::uint64_t, Process>& processes, std::uint64_t pid) {
  for (auto at = processes.find(pid); at != processes.end(); at = processes.find(at->second.parent)) {
    if (at->second.parent == static_cast<std::uint64_t>(getpid())) return true;
  }
  return false;
}

std::uint64_t kilobytes_beside_containers() {
  std::uint64_t sum = 0;
  const auto processes = all_processes();
  for (const auto& [pid, process] : processes) {
    if (process.in_container || !descends_from_us(processes, pid)) continue;
    const auto rollup = process_file(pid, "smaps_rollup");
    if (rollup && !rollup->empty()) sum += number_of(line_after(*rollup, "Pss:"));
  }
  return sum;
}

// For one container, when `count` are running.
double measure(Suite& suite, const Tool& tool, unsigned count) {
  UndoStack undo;
  for (unsigned i = 0; i < count; ++i) {
    stop_if_interrupted();
    const Contender contender = tool.make(suite.arena, tool.program, variant_table().front(), i);
    undo.push("container", [&suite, contender] { end_container_anyway(suite.runner, contender); });
    suite.runner.run(contender.start);
  }
  // What a start still tidies up is no cost of running: pct's supervisors give their memory back some time
  // after it.
  std::this_thread::sleep_for(kSettleTime);
  reap_orphans();
  return static_cast<double>(kilobytes_beside_containers()) / count;
}

}  // namespace

void measure_memory(Suite& suite) {
  for (const unsigned count : {1U, 10U}) {
    if (count > 1 && suite.options.quick) continue;
    std::vector<TableRow> rows;
    for (const char* name : {"pct", "lxc"}) {
      const Tool* tool = suite.tool(name);
      if (tool == nullptr) continue;
      const std::string title = tool->required ? "pct's supervisor" : "lxc's monitor";
      try {
        std::vector<double> kilobytes;
        for (int round = 0; round < (suite.options.quick ? 1 : kRounds); ++round)
          kilobytes.push_back(measure(suite, *tool, count));
        suite.add_series("memory", std::to_string(count), name, "kB", kilobytes);
        rows.push_back({title, kilobytes, ""});
      } catch (const Error& error) {
        stop_if_interrupted();
        suite.report_failure("memory of " + title, error.what(), tool->required);
      }
    }
    std::cout << print_table(formatted("memory (PSS) beside each container's own, {} running", count), rows,
                             "kB", "", "")
              << std::flush;
  }
}

}  // namespace hutch::bench
