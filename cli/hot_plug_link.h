#pragma once

#include "base/origin.h"
#include "base/undo.h"
#include "cli/command.h"
#include "config/container_config.h"
#include "config/pending.h"
#include "runtime/container_spec.h"
#include "runtime/state.h"

namespace hutch::cli {

// Lowers a config for a change of a running container. What lowering has to say about the lines of `origin`,
// the changed option, is told or refused; the rest was said at the start. Throws, too, for what clashes with
// another of the container's things (refuse_clashes).
ContainerSpec lower_for_change(CommandContext& context, const config::ContainerConfig& config,
                               const Origin& origin);

// Adds, changes or removes net[n] of a running container: the link with its addresses, and, as far as the
// guest manages its network itself, its network files. `before` is the active config, `after` the one with
// the change. The way back goes on `undo`.
void change_link(CommandContext& context, const ContainerState& state, const config::ContainerConfig& before,
                 const config::ContainerConfig& after, const config::PendingChange& change, UndoStack& undo);

}  // namespace hutch::cli
