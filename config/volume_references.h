#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "config/container_config.h"

// Which volumes of a storage a config names, and where.
namespace hutch::config {

// The volume id that the value of rootfs, mp[n] or unused[n] names. Nothing for bind mounts, devices, volumes
// still to be made (`STORAGE:SIZE`), other options, and text that is no such value.
std::optional<std::string> volume_of(std::string_view key, const std::string& value);

// Every volume that the section's rootfs, mp[n] and unused[n] name.
std::set<std::string> volumes_of(const Section& section);

// Whether rootfs or mp[n] of the main section, of the pending one, or of a snapshot name the volume. (Entries
// unused[n] do not use it.)
bool is_volume_in_use(const ContainerConfig& config, const std::string& volume);

}  // namespace hutch::config
