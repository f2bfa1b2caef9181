#include <algorithm>

#include "config/lowering.h"

// Programs that run at points of the container's life (lxc-keys 2.9, pct-conf: hookscript), and what the host
// writes about init (`lxc.proc.*`).
namespace hutch::config {

namespace {

constexpr std::string_view kHookPrefix = "lxc.hook.";
constexpr std::string_view kProcessPrefix = "lxc.proc.";

}  // namespace

// LXC has one list per phase: each line appends, an empty one clears it.
void set_hook(Lowering& lowering, const RawEntry& entry) {
  const std::string_view name = std::string_view(entry.key).substr(kHookPrefix.size());
  const auto found = std::find(kHookNames.begin(), kHookNames.end(), name);
  auto& list = lowering.spec.hooks.lists.at(static_cast<std::size_t>(found - kHookNames.begin()));
  if (entry.value.empty()) return list.clear();
  list.push_back({entry.value, entry.origin});
}

void set_hook_version(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.hook_version = c_boolean(entry) ? 1 : 0;
}

void clear_hooks(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) bad_value(entry, "empty (a hook is set as lxc.hook.<phase>)");
  for (auto& list : lowering.spec.hooks.lists) list.clear();
}

void lower_hookscript(Lowering& lowering) {
  const auto* option = lowering.section.find("hookscript");
  if (option == nullptr) return;
  lowering.spec.hookscript = {parse_option(lowering.section, "hookscript",
                                           [&](const std::string& value) {
                                             if (lowering.context.resolve_snippet)
                                               return lowering.context.resolve_snippet(value);
                                             throw Error(formatted("no storage has the volume '{}'", value));
                                           }),
                              option->origin};
}

// The name is one below /proc/<init>/, as LXC takes it.
void set_process_file(Lowering& lowering, const RawEntry& entry) {
  auto& files = lowering.spec.process_files;
  const std::string name = entry.key.substr(kProcessPrefix.size());
  if (name.find('/') != std::string::npos || name.starts_with('.')) {
    throw Error(formatted("'{}': '{}' is not the name of a file in /proc/<pid>", entry.key, name), 0, {},
                entry.origin);
  }
  std::erase_if(files, [&name](const auto& earlier) { return earlier.first == name; });
  if (!entry.value.empty()) files.emplace_back(name, Located<std::string>{entry.value, entry.origin});
}

void clear_process_files(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) bad_value(entry, "empty (a file is set as lxc.proc.<name>)");
  lowering.spec.process_files.clear();
}

}  // namespace hutch::config
