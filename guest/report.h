#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hutch::guest {

// What guest setup has to tell the user, in order. Filled also when a step throws, so print it in both cases.
struct Report {
  std::vector<std::string> warnings;  // for standard error; no prefix, no newline
  std::vector<std::string> lines;     // for standard output; no newline

  void warn(std::string text) { warnings.push_back(std::move(text)); }
  void print(std::string text) { lines.push_back(std::move(text)); }
};

}  // namespace hutch::guest
