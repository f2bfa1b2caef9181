#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"
#include "cli/config_store.h"
#include "config/container_config.h"

// A container's config as the commands use it: read with its complaints told, checked for locks.
namespace hutch::cli {

// Reads and parses the config. What is not understood in it is told as warnings on standard error ("WARN:
// ...", not counted as the command's own), as PVE does; `diagnostics` false drops them (list and status,
// which PVE lets stay silent about every container's old mistakes).
config::ContainerConfig load_config(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                                    bool diagnostics = true);
// The same; what is told is left in `diagnostics` as well.
config::ContainerConfig load_config(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                                    config::Diagnostics& diagnostics);

// The value of the config lock; "" when there is none.
std::string config_lock(const config::ContainerConfig& config);

// Throws Error "CT is locked (<value>)" when there is a config lock other than `allowed`.
void check_config_lock(const config::ContainerConfig& config, const std::string& allowed = {});

// `hostname`, else "CT<vmid>".
std::string container_name(const config::ContainerConfig& config);

}  // namespace hutch::cli
