#pragma once

#include <optional>
#include <string>

#include "bench/results.h"

namespace hutch::bench {

// The median start of each tool in each variant, as a multiple of the floor's median in that variant; of the
// floor's in variant base, and marked so, where the run has no floor for it. A group of bars per variant,
// both in the order of the file. Nothing when no other tool's start can be compared with a floor.
std::optional<std::string> draw_start_variants(const Results& results);

}  // namespace hutch::bench
