#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/container_config.h"

// Changes of options on their way into a config (pct-conf 8): every one is queued in the pending section
// first, then taken over, at once or when the container next stops or starts. Values only; what has to happen
// outside of the config is the caller's.
namespace hutch::config {

// One queued change.
struct PendingChange {
  std::string key;
  std::optional<std::string> from;  // the active value; nothing: unset
  std::optional<std::string> to;    // nothing: the option is to be deleted
  bool operator==(const PendingChange&) const = default;
};

// Queues a value as it is to be stored; a queued delete of the same option goes. An empty value (only
// `description` and `env` have one) queues a delete.
void queue_set(ContainerConfig& config, const std::string& key, std::string value, const Origin& origin = {});
// Queues a delete; a queued value of the same option goes.
void queue_delete(ContainerConfig& config, const std::string& key);
// Drops what is queued for the option.
void revert(ContainerConfig& config, const std::string& key);
// Drops values equal to the active ones and deletes of options that are not set.
void drop_unchanged(ContainerConfig& config);

// What is queued: deletes, then values, each in the order of their options (mp2 before mp10). An option with
// both (hand-written) gets the value.
std::vector<PendingChange> pending_changes(const ContainerConfig& config);

// What a change does to a running container (pct-conf 8, table).
enum class LiveEffect {
  none,         // it waits for the next stop or start
  config_only,  // taken over without touching the container
  limits,       // memory, swap, cpulimit, cpuunits: written to its control group
  cpus,         // cores: taken over, and its set of CPUs is adjusted
  link,         // net[n] added, changed or removed
  volume,       // mp[n] added
  device,       // dev[n] added
  free_volume,  // unused[n] deleted
};
LiveEffect live_effect(const PendingChange& change);

// Makes a queued change the active value and drops it from the queue. A volume that rootfs or mp[n] no longer
// name becomes unused[n] under the lowest free number, unless something still uses it. Throws when all
// numbers are taken; then nothing is changed.
void apply_change(ContainerConfig& config, const PendingChange& change);

// The main section as it will be with everything queued. Raw entries and the like are the active ones.
Section with_pending(const ContainerConfig& config);

}  // namespace hutch::config
