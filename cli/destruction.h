#pragma once

#include <cstdint>

#include "cli/command.h"
#include "cli/config_store.h"

namespace hutch::cli {

// Removes a container that does not run: its volumes, run files and config. The caller holds its file lock.
// Refuses protected and locked ones. Does nothing when there is no such container (any more).
void destroy_stopped(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                     bool unreferenced);

// The same for a container that was to be gone when it has stopped, if its config says so (`lxc.ephemeral`)
// still: it may have been changed, or the vmid be another container's, before the lock was the caller's. What
// keeps it (option `protection`, a lock) is a warning: the stop itself has gone well.
void destroy_ephemeral(CommandContext& context, const ConfigStore& store, std::uint32_t vmid);

}  // namespace hutch::cli
