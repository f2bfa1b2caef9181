#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/arena.h"
#include "bench/contender.h"
#include "bench/race.h"
#include "bench/results.h"
#include "bench/suite_options.h"
#include "bench/timed_process.h"

namespace hutch::bench {

// One run of the benchmark suite: what every measurement needs, and what it adds to.
struct Suite {
  Suite(SuiteOptions suite_options, Arena suite_arena)
      : options(std::move(suite_options)), arena(std::move(suite_arena)), runner(arena.scratch + "/log") {}

  SuiteOptions options;
  Arena arena;
  Runner runner;
  std::vector<Tool> tools;
  std::string own_directory;  // of this build's benchmark programs
  Results results;
  bool complete = true;  // false once the floor or pct failed

  bool wants(const std::string& group) const;
  // Whether it is installed and asked for.
  bool competes(const Tool& tool) const;
  const Tool* tool(const std::string& name) const;
  // A failure is told on standard error; one of the floor's or pct's makes the run incomplete.
  void report_failure(const std::string& what, const std::string& reason, bool required);
  // Does nothing without samples.
  void add_series(const std::string& group, const std::string& variant, const std::string& tool,
                  const std::string& unit, const std::vector<double>& samples,
                  const std::string& leaves_out = {});
};

// The measurements. Each prints its tables, adds its series, removes what it started, and throws Error only
// when it cannot go on at all, or for a signal.
void measure_starts(Suite& suite);     // start, exec, stop
void measure_templates(Suite& suite);  // create, destroy
void measure_boot(Suite& suite);       // boot
void measure_memory(Suite& suite);     // memory
void measure_density(Suite& suite);    // density_start, density_list
void measure_parallel(Suite& suite);   // parallel
void measure_micro(Suite& suite);      // micro

// A number of a container that is not one of the variants' places: 0 to 99.
unsigned spare_vmid(const Arena& arena, unsigned index);
// The Debian template that scripts/make-template.sh keeps; empty when there is none.
std::string debian_template();

}  // namespace hutch::bench
