#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cli/option_row.h"

// PVE's option semantics (pct-cli.md §1.2): argv in, canonical words out. Pure.
namespace hutch::cli {

// A mistake in the arguments: ends the command with exit status 255 and its one-line usage. `what()` is the
// text for standard error without that usage line: the diagnostics, one per line, then "400 ...".
class ArgumentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the words of a command line mean: each option under its full name, in the order of appearance, and
// the positional words.
struct CanonicalArguments {
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<std::string> positional;

  bool operator==(const CanonicalArguments&) const = default;
};

// `words`: what follows the command name. Names are matched without regard to case, may be abbreviated as
// long as they are unique, and an exact name wins; `-opt` is `--opt`; the first bare `--` ends the options.
// An option that may stand without value (booleans) gives "" then. Throws ArgumentError listing every
// unknown, ambiguous and value-less option.
CanonicalArguments normalise_arguments(const std::vector<std::string>& words,
                                       const std::vector<OptionRow>& rows);

}  // namespace hutch::cli
