#include <algorithm>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "base/undo.h"
#include "bench/suite.h"
#include "bench/table.h"

// How the time of the next start, and of `pct list`, grows with the containers that run already.
namespace hutch::bench {

namespace {

constexpr int kMostRounds = 20;
constexpr unsigned kNextPlace = kMaxPlaces - 1;  // where the next one starts

struct Level {
  std::vector<double> floor;
  std::vector<double> pct;
  std::vector<double> list;
};

Level measure_level(Suite& suite, int rounds) {
  std::vector<Entry> entries;
  for (const char* name : {"floor", "pct"}) {
    const Tool* tool = suite.tool(name);
    entries.push_back(
        {tool->make(suite.arena, tool->program, variant_table().front(), kNextPlace), true, {}, {}, {}, {}});
  }
  race(suite.runner, entries, {rounds, 1, false});
  Level level{entries[0].start, entries[1].start, {}};
  for (const auto& entry : entries) {
    if (!entry.failure.empty())
      suite.report_failure("density of " + entry.contender.title, entry.failure, true);
  }
  const Command list = pct_command(suite.arena, suite.tool("pct")->program, {"list"});
  for (int round = 0; round < rounds; ++round) level.list.push_back(suite.runner.run(list).count());
  return level;
}

void publish(Suite& suite, const std::vector<std::pair<unsigned, Level>>& levels) {
  struct Part {
    const char* heading;
    const char* group;
    const char* tool;
    std::vector<double> Level::*samples;
  };
  constexpr Part kParts[] = {
      {"density: the next start of the floor", "density_start", "floor", &Level::floor},
      {"density: the next pct start", "density_start", "pct", &Level::pct},
      {"density: pct list", "density_list", "pct", &Level::list}};
  const std::string reference = levels.size() > 1 ? "10 running" : "1 running";
  for (const auto& part : kParts) {
    std::vector<TableRow> rows;
    for (const auto& [count, level] : levels) {
      rows.push_back({formatted("{} running", count), level.*part.samples, ""});
      suite.add_series(part.group, std::to_string(count), part.tool, "ms", level.*part.samples);
    }
    std::cout << print_table(part.heading, rows, "ms", reference, "") << std::flush;
  }
}

}  // namespace

void measure_density(Suite& suite) {
  const Tool& pct = *suite.tool("pct");
  const int rounds = std::min(suite.options.rounds, kMostRounds);
  std::vector<std::pair<unsigned, Level>> levels;
  UndoStack undo;
  try {
    unsigned running = 0;
    for (unsigned level = 1; level <= static_cast<unsigned>(suite.options.density); level *= 10) {
      for (; running < level; ++running) {
        stop_if_interrupted();
        const Contender contender = pct.make(suite.arena, pct.program, variant_table().front(), running);
        undo.push("container", [&suite, contender] { end_container_anyway(suite.runner, contender); });
        suite.runner.run(contender.start);
      }
      levels.emplace_back(level, measure_level(suite, rounds));
    }
  } catch (const Error& error) {
    stop_if_interrupted();
    suite.report_failure("the rest of density", error.what(), true);
  }
  undo.run();
  if (!levels.empty()) publish(suite, levels);
}

}  // namespace hutch::bench
