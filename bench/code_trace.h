#pragma once

#include <cstdint>
#include <vector>

#include "bench/timed_process.h"

namespace hutch::bench {

// Runs the command instruction by instruction (ptrace(2), PTRACE_SINGLESTEP), with all threads and processes
// that it makes until they execute another program: which addresses of the program's file were executed, in
// the order in which that came first. Takes a minute for a million instructions. What still runs when the
// command has ended is let go. Throws Error when the command fails.
std::vector<std::uint64_t> executed_addresses(const Command& command);

}  // namespace hutch::bench
