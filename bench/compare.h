#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/results.h"
#include "bench/statistics.h"

// The regression check: two runs of the benchmark suite, compared by ratios that each run measured within
// itself. Absolute values of different runs are never compared: they move with the machine.
//
// What a series is measured against, the first that both runs have:
//   start          the floor in the same variant, else the floor in variant "base"
//   create         tar in the same variant
//   destroy        rm in the same variant
//   density_*      the floor in the same variant, else the same tool with the fewest running containers
//   other groups   in the same variant: floor, lxc, crun, runc, nspawn, bwrap; density's lists end so, too
// The reference itself, and a series without one, are listed and not judged.
//
// Noise. A series fails when two things hold: its ratio became worse by more than the bound, and the scatter
// of the samples does not explain that it became worse at all: the 99 % interval of the change lies above 1.
// The interval is the percentile bootstrap over all four lists of samples (statistics.h); its random numbers
// have a fixed seed, so the same two files always give the same answer. It covers the scatter within the
// runs; what moves a whole run (a busier machine, another processor) is what the bound leaves room for. With
// fewer than kFewestSamples samples in one of the lists the scatter is unknown and the series is not judged.
namespace hutch::bench {

inline constexpr double kDefaultBound = 1.15;
inline constexpr std::size_t kFewestSamples = 5;

enum class Verdict {
  kept,       // within the bound
  better,     // the mirror image of worse
  worse,      // fails
  noise,      // past the bound, but within the scatter
  missing,    // in the old run only; fails
  unit,       // measured in another unit; fails
  added,      // in the new run only
  few,        // too few samples
  reference,  // what others are measured against
  alone,      // nothing to measure it against
};

struct Comparison {
  std::string group;
  std::string variant;
  std::string tool;
  std::string reference;  // "floor", "floor in base", "pct in 10"; empty: none
  double old_ratio = 0;   // 0 where there is none
  double new_ratio = 0;
  // How many times worse: new_ratio / old_ratio, or its inverse where more is better (units "../s").
  double change = 0;
  Interval interval;  // of change
  Verdict verdict = Verdict::alone;
};

struct ComparisonOptions {
  double bound = kDefaultBound;  // at least 1
  std::string tool;              // judge and demand only this tool's series; empty: every tool's
};

struct ComparisonReport {
  std::vector<Comparison> rows;    // in the order of the old run, then those of the new run alone
  std::vector<std::string> notes;  // what differs between the runs besides times: host, plan, work left out
  std::size_t judged() const;      // rows with a verdict about times: kept, better, worse or noise
  bool failed() const;
};

// Throws Error for a bound below 1, and when no series of `options.tool` is in the old run.
ComparisonReport compare(const Results& older, const Results& newer, const ComparisonOptions& options);

// A line per row, then the notes, the failures by name, and a summary.
std::string report_text(const ComparisonReport& report, const ComparisonOptions& options);

}  // namespace hutch::bench
