#pragma once

#include <string>

#include "base/sysroot.h"
#include "config/container_config.h"
#include "storage/storage_config.h"

namespace hutch::cli {

// The checks of options that need this host (pct-cli.md §2.2, step 3): dev[n] exists and is a device node,
// net[n]'s MTU fits its bridge and its addresses can be configured, hookscript is an executable snippet.
// Throws Error naming the option.
void check_option_facts(const config::Section& options, const StorageConfig& storages,
                        const Sysroot& sysroot);

}  // namespace hutch::cli
