#pragma once

#include <string>
#include <vector>

namespace hutch::bench {

// What the command line of hutch-bench asks for.
struct SuiteOptions {
  int rounds = 40;                    // counted rounds of the latency groups; from 1 on
  std::vector<std::string> groups;    // of group_names(), in their order; all by default
  std::vector<std::string> variants;  // of variant_table(); all by default
  std::vector<std::string> tools;     // of tool_names(), in their order; all by default
  int density = 100;                  // most containers running at once; 1 to 1000
  std::string json;                   // file to write; empty: none
  std::string pictures;               // directory to draw into; empty: none
  std::string pct;                    // absolute; empty: the one of this build
  bool quick = false;                 // prove that everything works; the numbers mean nothing
  bool help = false;
};

// The parts of the suite, as --only takes them. "start", "exec" and "stop" come from one race.
const std::vector<std::string>& group_names();

// The tools, as --tools takes them. Start, exec, stop and parallel know them all; the other groups have their
// own.
const std::vector<std::string>& tool_names();

// Reads the words after the program's name. Throws Error for unknown words, missing and bad values.
SuiteOptions parse_suite_options(const std::vector<std::string>& words);

// One paragraph a line, for --help.
std::string suite_usage();

}  // namespace hutch::bench
