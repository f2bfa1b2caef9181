#pragma once

#include <cstdint>

#include "cli/command.h"
#include "cli/config_store.h"

namespace hutch::cli {

// Removes a container that does not run: its volumes, run files and config. The caller holds its file lock.
// Refuses protected and locked ones. Does nothing when there is no such container (any more).
void destroy_stopped(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                     bool unreferenced);

}  // namespace hutch::cli
