#include "bench/compare.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::bench {
namespace {

constexpr std::string_view kPeers[] = {"lxc", "crun", "runc", "nspawn", "bwrap"};

// A series' samples in both runs.
struct Pair {
  const Series* older = nullptr;
  const Series* newer = nullptr;
};

struct Reference {
  std::string name;
  Pair pair;
};

struct Runs {
  const Results& older;
  const Results& newer;

  std::optional<Pair> find(const Series& like, std::string_view variant, std::string_view tool) const {
    const Pair pair{find_series(older, like.group, variant, tool),
                    find_series(newer, like.group, variant, tool)};
    if (pair.older == nullptr || pair.newer == nullptr) return std::nullopt;
    return pair;
  }
};

std::optional<Reference> in_variant(const Runs& runs, const Series& series, std::string_view variant,
                                    std::string_view tool) {
  const auto pair = runs.find(series, variant, tool);
  if (!pair) return std::nullopt;
  std::string name(tool);
  if (variant != series.variant) name += formatted(" in {}", variant);
  return Reference{std::move(name), *pair};
}

std::optional<Reference> fewest_running(const Runs& runs, const Series& series) {
  std::optional<Reference> fewest;
  std::uint64_t least = parse_unsigned(series.variant).value_or(0);
  for (const Series& other : runs.older.series) {
    if (other.group != series.group || other.tool != series.tool) continue;
    const auto running = parse_unsigned(other.variant);
    if (!running || *running >= least) continue;
    auto reference = in_variant(runs, series, other.variant, series.tool);
    if (!reference) continue;
    fewest = std::move(reference);
    least = *running;
  }
  return fewest;
}

// The table in the header, from the top; the first that both runs have is taken.
std::optional<Reference> reference_of(const Runs& runs, const Series& series) {
  const auto here = [&](std::string_view tool) { return in_variant(runs, series, series.variant, tool); };
  if (series.group == "start") {
    auto own = here("floor");
    return own ? own : in_variant(runs, series, "base", "floor");
  }
  if (series.group == "create") return here("tar");
  if (series.group == "destroy") return here("rm");
  if (auto floor = here("floor")) return floor;
  if (series.group.starts_with("density_")) {
    if (auto fewest = fewest_running(runs, series)) return fewest;
  }
  for (const std::string_view peer : kPeers) {
    if (auto reference = here(peer)) return reference;
  }
  return std::nullopt;
}

bool more_is_better(const Series& series) {
  return series.unit.ends_with("/s");
}

void judge(Comparison& row, const Pair& measured, const Reference& reference, double bound) {
  const RatioSamples older{measured.older->samples, reference.pair.older->samples};
  const RatioSamples newer{measured.newer->samples, reference.pair.newer->samples};
  row.old_ratio = ratio(older);
  row.new_ratio = ratio(newer);
  row.change = row.new_ratio / row.old_ratio;
  row.interval = change_interval(older, newer);
  if (more_is_better(*measured.older)) {
    row.change = 1 / row.change;
    row.interval = {1 / row.interval.high, 1 / row.interval.low};
  }
  std::size_t fewest = older.measured.size();
  for (const auto& samples : {older.reference, newer.measured, newer.reference}) {
    fewest = std::min(fewest, samples.size());
  }
  const bool past = row.change > bound || row.change < 1 / bound;
  if (fewest < kFewestSamples) {
    row.verdict = Verdict::few;
  } else if (!past) {
    row.verdict = Verdict::kept;
  } else if (row.interval.low > 1) {
    row.verdict = Verdict::worse;
  } else if (row.interval.high < 1) {
    row.verdict = Verdict::better;
  } else {
    row.verdict = Verdict::noise;
  }
}

Comparison compare_series(const Runs& runs, const Series& series, double bound) {
  Comparison row{series.group, series.variant, series.tool};
  const auto measured = runs.find(series, series.variant, series.tool);
  if (!measured) {
    row.verdict = Verdict::missing;
  } else if (measured->older->unit != measured->newer->unit) {
    row.verdict = Verdict::unit;
  } else if (const auto reference = reference_of(runs, series)) {
    row.reference = reference->name;
    if (reference->pair.older == measured->older) {
      row.verdict = Verdict::reference;
    } else {
      judge(row, *measured, *reference, bound);
    }
  }
  return row;
}

void note_difference(std::vector<std::string>& notes, std::string_view what, const std::string& older,
                     const std::string& newer) {
  if (older != newer)
    notes.push_back(formatted("{}: '{}' in the old run, '{}' in the new one", what, older, newer));
}

std::vector<std::string> notes_of(const Runs& runs) {
  std::vector<std::string> notes;
  const Host& before = runs.older.host;
  const Host& after = runs.newer.host;
  note_difference(notes, "kernel", before.kernel, after.kernel);
  note_difference(notes, "processors", formatted("{}", before.cpus), formatted("{}", after.cpus));
  note_difference(notes, "cgroups", before.cgroups, after.cgroups);
  if (runs.older.plan != runs.newer.plan) {
    notes.push_back("the plan of the start differs: check that no hardening step was lost");
  }
  for (const Series& series : runs.older.series) {
    const auto pair = runs.find(series, series.variant, series.tool);
    if (!pair) continue;
    note_difference(notes, series_name(series) + " leaves out", pair->older->leaves_out,
                    pair->newer->leaves_out);
  }
  return notes;
}

bool fails(Verdict verdict) {
  return verdict == Verdict::worse || verdict == Verdict::missing || verdict == Verdict::unit;
}

std::string verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kept: return "ok";
    case Verdict::better: return "better";
    case Verdict::worse: return "WORSE";
    case Verdict::noise: return "ok: within the noise";
    case Verdict::missing: return "MISSING in the new run";
    case Verdict::unit: return "OTHER UNIT in the new run";
    case Verdict::added: return "new";
    case Verdict::few: return formatted("not judged: fewer than {} samples", kFewestSamples);
    case Verdict::reference: return "reference";
    case Verdict::alone: return "not judged: no reference";
  }
  throw Error("cannot name a verdict");
}

std::string row_text(const Comparison& row) {
  std::string numbers = formatted("{:>8} {:>8} {:>7}  {:<13}", "-", "-", "-", "-");
  if (row.old_ratio > 0) {
    numbers = formatted("{:>8.3f} {:>8.3f} {:>7.3f}  {:<13}", row.old_ratio, row.new_ratio, row.change,
                        formatted("{:.3f}-{:.3f}", row.interval.low, row.interval.high));
  }
  return formatted("{:<13} {:<20} {:<7} {:<14} {}  {}\n", row.group, row.variant, row.tool,
                   row.reference.empty() ? "-" : row.reference, numbers, verdict_text(row.verdict));
}

std::string failure_text(const Comparison& row, double bound) {
  const std::string name = formatted("{} of {}, variant {}", row.group, row.tool, row.variant);
  if (row.verdict == Verdict::missing) return name + ": measured in the old run, missing in the new one";
  if (row.verdict == Verdict::unit) return name + ": measured in another unit in the new run";
  return formatted("{}: {:.3f} times worse to {}, the bound is {}", name, row.change, row.reference, bound);
}

}  // namespace

std::size_t ComparisonReport::judged() const {
  return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [](const Comparison& row) {
    return row.verdict == Verdict::kept || row.verdict == Verdict::better || row.verdict == Verdict::worse ||
           row.verdict == Verdict::noise;
  }));
}

bool ComparisonReport::failed() const {
  return std::any_of(rows.begin(), rows.end(), [](const Comparison& row) { return fails(row.verdict); });
}

ComparisonReport compare(const Results& older, const Results& newer, const ComparisonOptions& options) {
  if (!(options.bound >= 1)) {
    throw Error(formatted("cannot compare with a bound of {}", options.bound), 0, "a bound is 1 or more");
  }
  const Runs runs{older, newer};
  const auto chosen = [&](const Series& series) {
    return options.tool.empty() || series.tool == options.tool;
  };
  ComparisonReport report;
  for (const Series& series : older.series) {
    if (chosen(series)) report.rows.push_back(compare_series(runs, series, options.bound));
  }
  // Nothing demanded would be nothing failed.
  if (report.rows.empty()) {
    throw Error(
        formatted("cannot compare with '{}'", older.file), 0,
        options.tool.empty() ? "it has no series" : formatted("it has no series of {}", options.tool));
  }
  for (const Series& series : newer.series) {
    if (!chosen(series) || find_series(older, series.group, series.variant, series.tool) != nullptr) continue;
    Comparison row{series.group, series.variant, series.tool};
    row.verdict = Verdict::added;
    report.rows.push_back(std::move(row));
  }
  report.notes = notes_of(runs);
  return report;
}

std::string report_text(const ComparisonReport& report, const ComparisonOptions& options) {
  std::string text = formatted("{:<13} {:<20} {:<7} {:<14} {:>8} {:>8} {:>7}  {:<13}  {}\n", "group",
                               "variant", "tool", "to", "old", "new", "change", "99 % interval", "verdict");
  for (const Comparison& row : report.rows) text += row_text(row);
  for (const std::string& note : report.notes) text += "note: " + note + "\n";
  int failed = 0;
  for (const Comparison& row : report.rows) {
    if (!fails(row.verdict)) continue;
    ++failed;
    text += "failed: " + failure_text(row, options.bound) + "\n";
  }
  return text + formatted("{} series, {} judged with bound {}, {} failed\n", report.rows.size(),
                          report.judged(), options.bound, failed);
}

}  // namespace hutch::bench
