#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hutch::cli {

// The types of pct-cli.md §1.3 that a command-line value is checked against.
enum class ValueType {
  boolean,  // 1 on yes true / 0 off no false; stored as "1" or "0"
  integer,  // [+-]?digits
  number,   // optional sign, decimal fraction, exponent
  string,
  storage_id,
  config_id,      // letter, then one or more of letters, digits, '_', '-'
  config_option,  // an option of the config file: config/options.h holds its rule
};

// One option of one command. A table of these is all that a command says about its options.
struct OptionRow {
  std::string name;  // without dashes
  ValueType type = ValueType::string;
  std::string_view help;  // like the other texts: of the program itself, never a copy
  // Occurrences are joined with ',' instead of the last one winning.
  bool collects = false;
  // The value may be left out (then it is empty), as for booleans: `--password`.
  bool optional_value = false;
  // Integers and numbers: inclusive bounds.
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  // Strings: length in characters.
  std::size_t minimum_length = 0;
  std::size_t maximum_length = std::numeric_limits<std::size_t>::max();

  // A `config_option` whose type in the config file is boolean.
  bool boolean_config = false;
  // For help: the form of the value; empty: named after the type.
  std::string_view value_text;
  // For help: "net" for net0 ... net31, which are described once as net[n].
  std::string_view group;

  bool is_boolean() const { return type == ValueType::boolean || boolean_config; }
  // Whether the word after the option is its value only when it does not look like an option.
  bool value_optional() const { return is_boolean() || optional_value; }
};

}  // namespace hutch::cli
