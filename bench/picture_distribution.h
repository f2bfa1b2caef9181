#pragma once

#include <optional>
#include <string>

#include "bench/results.h"

namespace hutch::bench {

// How long each tool takes to start the container (group start, variant base): a row per tool, the fastest
// median first, on a logarithmic time axis. Each sample is a dot; a box holds the middle half; median and p90
// are marked and written, as is the ratio to the floor's median where the run has a floor. What a tool leaves
// out is said below. Nothing without such series.
std::optional<std::string> draw_start_distribution(const Results& results);

}  // namespace hutch::bench
