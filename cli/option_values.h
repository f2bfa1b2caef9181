#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/option_row.h"

namespace hutch::cli {

// The options that a command was given, checked against its table.
class OptionValues {
 public:
  OptionValues() = default;
  explicit OptionValues(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  bool has(const std::string& name) const { return values_.count(name) != 0; }
  // The text of the value; booleans are "1" or "0". Nothing when the option was not given.
  std::optional<std::string> value(const std::string& name) const;
  // A boolean; `fallback` when it was not given.
  bool flag(const std::string& name, bool fallback = false) const;
  // An integer; nothing when it was not given. Only for options of type integer (throws otherwise).
  std::optional<std::int64_t> integer(const std::string& name) const;
  // Sorted by name.
  const std::map<std::string, std::string>& all() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
};

// One "<name>: <reason>" line of a failed verification.
using Problem = std::pair<std::string, std::string>;

// Checks every value, adding what is wrong to `problems`. Throws ArgumentError "400 unable to parse boolean
// option".
OptionValues parse_options(const std::vector<std::pair<std::string, std::string>>& canonical,
                           const std::vector<OptionRow>& rows, std::vector<Problem>& problems);

// Nothing to do when there are none, else throws ArgumentError "400 Parameter verification failed." and the
// lines, sorted by name.
void raise_problems(std::vector<Problem> problems);

// The rule of one row applied to one value; the reason when it fails.
std::optional<std::string> check_value(const OptionRow& row, const std::string& value);

// "1 on yes true", "0 off no false" in any case, "" is true; nothing for anything else.
std::optional<bool> parse_boolean(const std::string& text);

// "invalid format - ..." when `text` is no vmid (100..999999999), else nothing.
std::optional<std::string> check_vmid(const std::string& text);

}  // namespace hutch::cli
