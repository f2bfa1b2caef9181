#include "config/pending.h"

#include <set>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "config/percent_encoding.h"

namespace hutch::cli {

int command_pending(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const auto config = load_config(context, store, context.vmid());
  std::set<std::string> keys;
  for (const auto* section : {&config.main, &config.pending}) {
    for (auto& key : section->keys()) keys.insert(std::move(key));
  }
  std::string text;
  const auto line = [&text](const char* state, const std::string& key, const std::string& value) {
    text +=
        formatted("{} {}: {}\n", state, key, key == "description" ? config::percent_encode(value) : value);
  };
  for (const auto& key : keys) {
    const auto active = config.main.get(key);
    const auto queued = config.pending.get(key);
    const bool goes = !queued && config.pending.pending_deletes.contains(key);
    if (active) line(goes ? "del" : "cur", key, *active);
    if (queued) line("new", key, *queued);
  }
  context.print(text);
  return 0;
}

}  // namespace hutch::cli
