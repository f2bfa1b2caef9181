#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/undo.h"
#include "cli/config_store.h"
#include "cli/container_volumes.h"
#include "config/container_config.h"
#include "config/pending.h"

// Taking queued changes over into the config of a container that does not run (pct-conf 8), at `set`, `start`
// and after the end of the container.
namespace hutch::cli {

struct FailedChange {
  std::string key;
  std::string reason;
};

// A deleted entry unused[n]: its volume is freed once the config without the entry is in its file.
struct ReleasedVolume {
  std::string key;
  std::string volume;
};

struct PendingResult {
  std::vector<FailedChange> failed;  // these stay queued
  std::vector<ReleasedVolume> released;
};

// Throws for a queued value that does not pass its option's check, or an unknown option: a hand-written
// mistake that the config's reader has complained about. The error names its line and the ways out.
void check_stored_value(const config::ContainerConfig& config, const config::PendingChange& change);

// Why a change failed, with the line that asks for it where it has one.
FailedChange failed_change(const config::ContainerConfig& config, const std::string& key, const Error& error);

// What a queued mp[n] needs before it can be taken over: the volume is made, or its size refreshed, and the
// queued value rewritten. Other changes pass.
void prepare_change(config::ContainerConfig& config, config::PendingChange& change, ContainerVolumes& volumes,
                    UndoStack& undo);

// config::apply_change; a deleted unused[n] whose volume nothing uses goes to `released`.
void take_over(config::ContainerConfig& config, const config::PendingChange& change,
               std::vector<ReleasedVolume>& released);

// Takes every queued change over; one that fails is taken back and stays queued as it was.
// `check_interruption` may throw between two of them.
PendingResult apply_pending(config::ContainerConfig& config, ContainerVolumes& volumes, UndoStack& undo,
                            const std::function<void()>& check_interruption = {});

// Frees the volumes, whose entries the config in the file has no more. The entries of those that cannot be
// freed are put back, into the file, too, and returned.
std::vector<FailedChange> free_volumes(const std::vector<ReleasedVolume>& released,
                                       config::ContainerConfig& config, ContainerVolumes& volumes,
                                       const ConfigStore& store);

// For start and stop, with the container's lock held: takes over what is queued and rewrites the file. What
// cannot be applied is told by `warn` and stays queued. Returns whether the file was changed; without queued
// changes nothing is done at all. Throws when the file cannot be written; then everything is as before.
bool apply_pending_to_file(config::ContainerConfig& config, const ConfigStore& store, const Sysroot& sysroot,
                           const WarningSink& warn);

// The same after a container has ended: reads the config, and leaves one that is locked, or whose container
// runs again, for the next start.
void apply_pending_after_stop(const ConfigStore& store, const Sysroot& sysroot, std::uint32_t vmid,
                              const WarningSink& warn);

}  // namespace hutch::cli
