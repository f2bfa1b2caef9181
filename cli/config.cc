#include <map>

#include "base/error.h"
#include "base/format.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "config/pending.h"
#include "config/percent_encoding.h"

namespace hutch::cli {

namespace {

using Values = std::map<std::string, std::string>;

Values values_of(const config::Section& section) {
  Values values;
  for (const auto& key : section.keys()) values[key] = section.get(key).value_or("");
  return values;
}

}  // namespace

int command_config(CommandContext& context) {
  const auto snapshot = context.options().value("snapshot");
  const bool current = context.options().flag("current");
  if (snapshot && current) {
    raise_problems({{"snapshot", "cannot use 'snapshot' parameter with 'current'"}});
  }
  const ConfigStore store(context.sysroot());
  const auto config = load_config(context, store, context.vmid());
  const config::Section* section = snapshot ? config.section(*snapshot) : &config.main;
  if (section == nullptr) throw Error(formatted("snapshot '{}' does not exist", *snapshot));

  const Values values = snapshot || current ? values_of(*section) : values_of(config::with_pending(config));
  std::string text;
  for (const auto& [key, value] : values) {
    text += formatted("{}: {}\n", key, key == "description" ? config::percent_encode(value) : value);
  }
  for (const auto& entry : section->raw) text += formatted("{}: {}\n", entry.key, entry.value);
  context.print(text);
  return 0;
}

}  // namespace hutch::cli
