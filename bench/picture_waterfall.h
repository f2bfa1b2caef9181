#pragma once

#include <optional>
#include <string>

#include "bench/results.h"

namespace hutch::bench {

// One start by plan step, from results.trace: a lane per process (by first begin), on one time axis. Steps
// that take at least 1 % of the whole are labelled below their lane, shorter ones where there is room; every
// step carries a tooltip. A step whose name begins with "wait for" is hollow. Nothing without a trace.
std::optional<std::string> draw_start_waterfall(const Results& results);

}  // namespace hutch::bench
