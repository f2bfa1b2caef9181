#pragma once

#include "cli/command.h"

// Every command of pct, one function each, in the file of its name (shutdown and reboot in stop.cc, enter in
// exec.cc, import and export in foreign_formats.cc). Contracts: pct-cli.md §2.
namespace hutch::cli {

int command_config(CommandContext& context);
int command_console_log(CommandContext& context);
int command_create(CommandContext& context);
int command_destroy(CommandContext& context);
int command_enter(CommandContext& context);
int command_exec(CommandContext& context);
int command_export(CommandContext& context);
int command_help(CommandContext& context);
int command_import(CommandContext& context);
int command_list(CommandContext& context);
int command_pending(CommandContext& context);
int command_plan(CommandContext& context);
int command_reboot(CommandContext& context);
int command_set(CommandContext& context);
int command_shutdown(CommandContext& context);
int command_start(CommandContext& context);
int command_status(CommandContext& context);
int command_stop(CommandContext& context);
int command_unlock(CommandContext& context);

}  // namespace hutch::cli
