#pragma once

#include "cli/command.h"

// The commands of `hutch-import`, which `pct` hands over to (foreign_formats.h). Options and words as the
// rows of `pct import` and `pct export` in command_table.cc.
namespace hutch::cli {

// <vmid> <file> [--format F] [--rootfs PATH] [--dry-run]: writes a CT config. What was not carried over
// appears with its line and the reason, on standard output (standard error with --dry-run, where the config
// itself goes to standard output).
int import_container(CommandContext& context);
// <vmid> <file> [--format F]: the config and its diagnostics in the form of config_transfer.h.
int convert_container(CommandContext& context);
// <vmid> --format lxc|libvirt [--output FILE]
int export_container(CommandContext& context);

}  // namespace hutch::cli
