#pragma once

#include <string>

#include "bench/results.h"

namespace hutch::bench {

// The JSON file of a run, as results.h describes it. `trace` is the text of a Chrome trace, taken over as it
// is; empty: none. Results::trace and Results::file are not written.
std::string print_results(const Results& results, const std::string& trace);

}  // namespace hutch::bench
