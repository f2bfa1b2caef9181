#include <fcntl.h>

#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "bench/suite.h"
#include "bench/table.h"

// Runs the micro-benchmarks (parsers_bench.cc, Google Benchmark) and takes their times over.
namespace hutch::bench {

namespace {

double nanoseconds(double time, const std::string& unit) {
  const std::map<std::string, double> factors = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  const auto factor = factors.find(unit);
  if (factor == factors.end()) throw Error(formatted("parsers_bench counts in '{}'", unit));
  return time * factor->second;
}

using Times = std::vector<std::pair<std::string, std::vector<double>>>;  // in nanoseconds, by benchmark

Times read_times(const std::string& text) {
  Times times;
  try {
    const auto document = nlohmann::json::parse(text);
    for (const auto& benchmark : document.at("benchmarks")) {
      if (benchmark.at("run_type").get<std::string>() != "iteration") continue;
      const auto name = benchmark.at("name").get<std::string>();
      if (times.empty() || times.back().first != name) times.emplace_back(name, std::vector<double>());
      times.back().second.push_back(
          nanoseconds(benchmark.at("real_time").get<double>(), benchmark.at("time_unit").get<std::string>()));
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(formatted("cannot use the output of parsers_bench: {}", error.what()));
  }
  return times;
}

}  // namespace

void measure_micro(Suite& suite) {
  const std::string program = suite.own_directory + "/parsers_bench";
  if (!path_exists(AT_FDCWD, program)) {
    std::cout << "\nmicro: skipped, parsers_bench was not built\n";
    return;
  }
  std::vector<std::string> words = {
      program, "--benchmark_format=json",
      formatted("--benchmark_repetitions={}", suite.options.quick ? 1 : 9),
      formatted("--benchmark_min_time={}", suite.options.quick ? "0.001" : "0.05")};
  std::vector<TableRow> rows;
  try {
    for (const auto& [name, times] : read_times(run_checked(words).out)) {
      suite.add_series("micro", name, "pct", "ns", times);
      std::vector<double> microseconds;
      for (const double time : times) microseconds.push_back(time / 1000);
      rows.push_back({name, microseconds, ""});
    }
  } catch (const Error& error) {
    stop_if_interrupted();
    suite.report_failure("micro", error.what(), true);
    return;
  }
  if (rows.empty()) suite.report_failure("micro", "parsers_bench measured nothing", true);
  std::cout << print_table("parsers and planners", rows, "us", "", "") << std::flush;
}

}  // namespace hutch::bench
