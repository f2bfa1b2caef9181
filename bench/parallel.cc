#include <algorithm>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "base/undo.h"
#include "bench/suite.h"
#include "bench/table.h"

// Several start commands at once, each for a container of its own.
namespace hutch::bench {

namespace {

constexpr unsigned kAtOnce[] = {1, 2, 4, 8};
// One container runs all the time: the groups above the containers' are made and removed by the first and the
// last one, which is not what is measured.
constexpr unsigned kAnchor = 20;

std::vector<double> measure(Suite& suite, const Tool& tool, unsigned count, int rounds) {
  const Variant& base = variant_table().front();
  std::vector<Contender> contenders;
  std::vector<Command> starts;
  for (unsigned i = 0; i < count; ++i) {
    contenders.push_back(tool.make(suite.arena, tool.program, base, i));
    starts.push_back(contenders.back().start);
  }
  std::vector<double> rates;
  for (int round = -1; round < rounds; ++round) {
    std::this_thread::sleep_for(kPause);
    stop_if_interrupted();
    UndoStack undo;
    for (const auto& contender : contenders)
      undo.push("container", [&] { end_container_anyway(suite.runner, contender); });
    const Milliseconds time = suite.runner.run_together(starts);
    if (round >= 0) rates.push_back(1000.0 * count / time.count());
  }
  return rates;
}

}  // namespace

void measure_parallel(Suite& suite) {
  const int rounds = std::max(1, suite.options.rounds / 4);
  std::vector<std::vector<TableRow>> tables(std::size(kAtOnce));
  for (const auto& tool : suite.tools) {
    if (!suite.competes(tool)) continue;
    const Contender anchor = tool.make(suite.arena, tool.program, variant_table().front(), kAnchor);
    if (anchor.start.until_output) continue;
    try {
      UndoStack undo;
      undo.push("container", [&] { end_container_anyway(suite.runner, anchor); });
      suite.runner.run(anchor.start);
      for (std::size_t i = 0; i < std::size(kAtOnce); ++i) {
        const auto rates = measure(suite, tool, kAtOnce[i], rounds);
        suite.add_series("parallel", std::to_string(kAtOnce[i]), tool.name, "starts/s", rates,
                         anchor.leaves_out);
        tables[i].push_back({anchor.title, rates, anchor.leaves_out.empty() ? "-" : anchor.leaves_out});
      }
    } catch (const Error& error) {
      stop_if_interrupted();
      suite.report_failure("parallel starts of " + anchor.title, error.what(), tool.required);
    }
  }
  for (std::size_t i = 0; i < std::size(kAtOnce); ++i) {
    std::cout << print_table(formatted("starts per second, {} at once", kAtOnce[i]), tables[i], "/s", "floor",
                             "leaves out")
              << std::flush;
  }
}

}  // namespace hutch::bench
