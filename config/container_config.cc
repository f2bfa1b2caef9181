#include "config/container_config.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/options.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

bool only_newlines(std::string_view text) {
  return text.find_first_not_of('\n') == std::string_view::npos;
}

template <typename T>
std::optional<T> typed(const Section& section, std::string_view key,
                       std::optional<T> (*parse)(std::string_view), std::string_view expects) {
  const auto* option = section.find(key);
  if (option == nullptr) return std::nullopt;
  const auto value = parse(option->value);
  if (!value) {
    throw Error(formatted("option '{}': '{}' is not {}", key, option->value, expects), 0, "correct the value",
                option->origin);
  }
  return value;
}

}  // namespace

bool Section::empty() const {
  return options.empty() && only_newlines(description) && environment.empty() && raw.empty() &&
         unreadable.empty() && pending_deletes.empty();
}

std::optional<std::string> Section::get(std::string_view key) const {
  if (key == "description") return description.empty() ? std::nullopt : std::optional(description);
  if (key == "env") {
    if (environment.empty()) return std::nullopt;
    std::vector<std::string> variables;
    for (const auto& variable : environment) variables.push_back(variable.value);
    return join(variables, std::string_view("\0", 1));
  }
  const auto* option = find(key);
  return option == nullptr ? std::nullopt : std::optional(option->value);
}

const Located<std::string>* Section::find(std::string_view key) const {
  const auto found = options.find(key);
  return found == options.end() ? nullptr : &found->second;
}

void Section::set(std::string_view key, std::string value, Origin origin) {
  if (key == "description") {
    description = std::move(value);
  } else if (key == "env") {
    environment.clear();
    if (value.empty()) return;
    for (const auto variable : split(value, '\0')) {
      if (!variable.empty()) environment.push_back({std::string(variable), origin});
    }
  } else {
    options.insert_or_assign(std::string(key), Located<std::string>{std::move(value), std::move(origin)});
  }
}

bool Section::erase(std::string_view key) {
  if (key == "description") return !std::exchange(description, {}).empty();
  if (key == "env") return !std::exchange(environment, {}).empty();
  const auto found = options.find(key);
  if (found == options.end()) return false;
  options.erase(found);
  if (const auto earlier = superseded.find(key); earlier != superseded.end()) superseded.erase(earlier);
  return true;
}

std::vector<std::string> Section::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : options) names.push_back(name);
  if (!description.empty()) names.emplace_back("description");
  if (!environment.empty()) names.emplace_back("env");
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<bool> Section::boolean(std::string_view key) const {
  return typed<bool>(*this, key, parse_boolean, "a boolean (1 or 0)");
}

std::optional<std::uint64_t> Section::unsigned_number(std::string_view key) const {
  return typed<std::uint64_t>(*this, key, parse_unsigned, "a whole number that fits 64 bits");
}

std::optional<double> Section::number(std::string_view key) const {
  return typed<double>(
      *this, key, [](std::string_view text) { return parse_number(text); }, "a number");
}

Origin Section::origin_of(std::string_view key) const {
  const auto* option = find(key);
  return option == nullptr ? Origin{} : option->origin;
}

std::vector<std::string> Section::indexed_keys(std::string_view prefix) const {
  std::vector<std::pair<std::uint32_t, std::string>> found;
  for (auto at = options.lower_bound(prefix); at != options.end() && at->first.starts_with(prefix); ++at) {
    const auto index = option_index(at->first);
    if (index && at->first == std::string(prefix) + std::to_string(*index))
      found.emplace_back(*index, at->first);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [index, name] : found) names.push_back(std::move(name));
  return names;
}

const Section* ContainerConfig::section(std::string_view name) const {
  if (name.empty()) return &main;
  const auto found = snapshots.find(name);
  return found == snapshots.end() ? nullptr : &found->second;
}

}  // namespace hutch::config
