#pragma once

#include <optional>
#include <string>

#include "bench/results.h"

namespace hutch::bench {

// Start and list time against the number of running containers (groups density_start and density_list, whose
// variants are those numbers), a panel for each group that the run has: medians joined by a line per tool,
// upright lines from the 10th to the 90th percentile. Nothing without either group. Throws Error for a
// variant that is no number above 0.
std::optional<std::string> draw_density(const Results& results);

}  // namespace hutch::bench
