#include "cli/option_values.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "config/options.h"
#include "config/value_types.h"

namespace hutch::cli {

namespace {

const OptionRow& row_of(const std::string& name, const std::vector<OptionRow>& rows) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const auto& entry) { return entry.name == name; });
  if (row == rows.end()) throw Error(formatted("option '{}' is missing in the table", name));
  return *row;
}

// [+-]?digits
std::optional<double> parse_integer(const std::string& text) {
  const std::string_view digits =
      std::string_view(text).substr(text.starts_with('+') || text.starts_with('-'));
  const auto number = parse_unsigned(digits);
  if (!number) return std::nullopt;
  return text[0] == '-' ? -static_cast<double>(*number) : static_cast<double>(*number);
}

std::string shown(double number) {
  return formatted("{:.10g}", number);
}

std::optional<std::string> check_bounds(const OptionRow& row, std::optional<double> number, const char* type,
                                        const std::string& value) {
  if (!number) return formatted("type check ('{}') failed - got '{}'", type, value);
  if (*number < row.minimum) return formatted("value must have a minimum value of {}", shown(row.minimum));
  if (*number > row.maximum) return formatted("value must have a maximum value of {}", shown(row.maximum));
  return std::nullopt;
}

std::optional<std::string> check_length(const OptionRow& row, const std::string& value) {
  if (value.size() < row.minimum_length)
    return formatted("value must be at least {} characters long", row.minimum_length);
  if (value.size() > row.maximum_length)
    return formatted("value may only be {} characters long", row.maximum_length);
  return std::nullopt;
}

// The values of each option in their order.
std::map<std::string, std::vector<std::string>> collect_values(
    const std::vector<std::pair<std::string, std::string>>& canonical) {
  std::map<std::string, std::vector<std::string>> values;
  for (const auto& [name, value] : canonical) values[name].push_back(value);
  return values;
}

}  // namespace

OptionValues parse_options(const std::vector<std::pair<std::string, std::string>>& canonical,
                           const std::vector<OptionRow>& rows, std::vector<Problem>& problems) {
  if (canonical.empty()) return {};
  std::map<std::string, std::string> values;
  for (const auto& [name, given] : collect_values(canonical)) {
    const OptionRow& row = row_of(name, rows);
    std::string value = row.collects ? join(given, ",") : given.back();
    if (row.is_boolean()) {
      const auto flag = parse_boolean(value);
      if (!flag) throw ArgumentError("400 unable to parse boolean option");
      value = *flag ? "1" : "0";
    } else if (auto reason = check_value(row, value)) {
      problems.emplace_back(name, *reason);
    }
    values[name] = std::move(value);
  }
  return OptionValues(std::move(values));
}

void raise_problems(std::vector<Problem> problems) {
  if (problems.empty()) return;
  std::sort(problems.begin(), problems.end());
  std::string text = "400 Parameter verification failed.";
  for (const auto& [name, reason] : problems) text += formatted("\n{}: {}", name, reason);
  throw ArgumentError(text);
}

std::optional<std::string> OptionValues::value(const std::string& name) const {
  const auto entry = values_.find(name);
  if (entry == values_.end()) return std::nullopt;
  return entry->second;
}

bool OptionValues::flag(const std::string& name, bool fallback) const {
  const auto text = value(name);
  return text ? *text == "1" : fallback;
}

std::optional<std::int64_t> OptionValues::integer(const std::string& name) const {
  const auto text = value(name);
  if (!text) return std::nullopt;
  const auto number = parse_signed(std::string_view(*text).substr(text->starts_with('+')));
  if (!number) throw Error(formatted("option '--{}' is not an integer: '{}'", name, *text));
  return number;
}

std::optional<bool> parse_boolean(const std::string& text) {
  return text.empty() ? true : config::parse_boolean(text);
}

std::optional<std::string> check_vmid(const std::string& text) {
  const auto number = parse_unsigned(text);
  // parse_unsigned fails on overflow too, so a very long number is reported as out of format, not as too
  // large.
  if (!number || text[0] == '0')
    return formatted("invalid format - '{}' is not a container id (a number, 100 to 999999999)", text);
  if (*number < 100) return "value must have a minimum value of 100";
  if (*number > 999999999) return "value must have a maximum value of 999999999";
  return std::nullopt;
}

std::optional<std::string> check_value(const OptionRow& row, const std::string& value) {
  switch (row.type) {
    case ValueType::boolean:
      return parse_boolean(value) ? std::nullopt
                                  : std::optional("type check ('boolean') failed - got '" + value + "'");
    case ValueType::integer: return check_bounds(row, parse_integer(value), "integer", value);
    case ValueType::number: return check_bounds(row, config::parse_number(value, true), "number", value);
    case ValueType::string: return check_length(row, value);
    case ValueType::storage_id:
      if (config::is_storage_id(value)) return std::nullopt;
      return formatted("invalid format - storage id '{}' contains illegal characters", value);
    case ValueType::config_id:
      if (config::is_config_id(value)) return check_length(row, value);
      return formatted("invalid format - '{}' is not a name (a letter, then letters, digits, '-' or '_')",
                       value);
    case ValueType::config_option: {
      const auto checked = config::check_command_line_value(row.name, value);
      return checked.ok() ? std::nullopt : std::optional(checked.reason);
    }
  }
  return std::nullopt;
}

}  // namespace hutch::cli
