#include <algorithm>

#include "config/lowering.h"

// The variables that hooks and init get: `lxc.environment` is for both, `.runtime` (and the option `env`) for
// init, `.hooks` for the hooks inside the container's namespaces (lxc-keys 2.1).
namespace hutch::config {

namespace {

// NAME=value, or a bare NAME, whose value is that of whoever starts the container.
std::string variable_of(Lowering& lowering, const RawEntry& entry) {
  const auto equals = entry.value.find('=');
  if (equals == 0) bad_value(entry, "of the form NAME=value or NAME");
  if (equals != std::string::npos) return entry.value;
  const auto& lookup = lowering.context.starter_environment;
  const auto value = lookup ? lookup(entry.value) : std::nullopt;
  if (!value) {
    throw Error(
        formatted("'{}': the variable '{}' is not set in the environment of the command that starts the "
                  "container",
                  entry.key, entry.value),
        0, "set it there, or write NAME=value", entry.origin);
  }
  std::string variable = entry.value + "=" + *value;
  auto& copied = lowering.spec.copied_environment;
  if (std::find(copied.begin(), copied.end(), variable) == copied.end()) copied.push_back(variable);
  return variable;
}

void add_entry(Lowering& lowering, std::vector<Located<std::string>>& list, const RawEntry& entry) {
  if (entry.value.empty()) return list.clear();
  add_variable(list, variable_of(lowering, entry), entry.origin);
}

}  // namespace

void add_variable(std::vector<Located<std::string>>& environment, const std::string& variable,
                  const Origin& origin) {
  const auto name = variable.substr(0, variable.find('=') + 1);
  std::erase_if(environment, [&name](const auto& earlier) { return earlier.value.starts_with(name); });
  environment.push_back({variable, origin});
}

void lower_environment(Lowering& lowering) {
  for (auto* list : {&lowering.environment, &lowering.runtime_environment}) {
    for (const auto& variable : *list)
      add_variable(lowering.spec.init.environment, variable.value, variable.origin);
  }
  for (auto* list : {&lowering.environment, &lowering.hook_environment}) {
    for (const auto& variable : *list)
      add_variable(lowering.spec.hooks.environment, variable.value, variable.origin);
  }
}

void set_environment(Lowering& lowering, const RawEntry& entry) {
  add_entry(lowering, lowering.environment, entry);
}

void set_runtime_environment(Lowering& lowering, const RawEntry& entry) {
  add_entry(lowering, lowering.runtime_environment, entry);
}

void set_hook_environment(Lowering& lowering, const RawEntry& entry) {
  add_entry(lowering, lowering.hook_environment, entry);
}

}  // namespace hutch::config
