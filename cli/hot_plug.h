#pragma once

#include <functional>

#include "base/undo.h"
#include "cli/command.h"
#include "cli/container_volumes.h"
#include "cli/pending_application.h"
#include "config/container_config.h"
#include "runtime/state.h"

namespace hutch::cli {

// Takes over what can be changed in a running container (pct-conf 8, table), in the container and in
// `config`; the rest stays queued. Every change registers its way back on `undo`; one that fails half done is
// taken back at once. Values that do not pass their check are left alone. All changes are tried, so that
// `failed` lists everything that cannot be done: cheap ones first, links, which taking back would cost their
// connections, last. The caller holds the container's lock. `check_interruption` may throw between two
// changes.
PendingResult hot_plug(CommandContext& context, const ContainerState& state, config::ContainerConfig& config,
                       ContainerVolumes& volumes, UndoStack& undo,
                       const std::function<void()>& check_interruption);

}  // namespace hutch::cli
