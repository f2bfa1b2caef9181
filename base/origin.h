#pragma once

#include <string>

namespace hutch {

// Where a setting came from, carried from the text of a config to the kernel operation it causes.
// `source` is a file path, an option name ("--memory") or a word such as "default"; `line` counts
// from 1 and is 0 when the source has no lines.
struct Origin {
  std::string source;
  int line = 0;

  bool operator==(const Origin&) const = default;
  bool empty() const { return source.empty(); }
  // "100.conf:12", "--memory", or "" when empty.
  std::string text() const { return line > 0 ? source + ":" + std::to_string(line) : source; }
};

// A value with the place that asked for it.
template <typename T>
struct Located {
  T value{};
  Origin origin;

  bool operator==(const Located&) const = default;
};

}  // namespace hutch
