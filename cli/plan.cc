#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/start_preparation.h"

namespace hutch::cli {

int command_plan(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const auto config = load_config(context, store, context.vmid());
  Trace untraced(TraceLane::command, false);
  context.print(print_plan(prepare_start(context, config, untraced)));
  return 0;
}

}  // namespace hutch::cli
