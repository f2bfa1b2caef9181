#pragma once

#include <string>

#include "config/container_config.h"
#include "storage/storage_config.h"

namespace hutch::cli {

// What net[n], mp[n] and rootfs of one container cannot have in common. `given` are the values of the command
// line, `whole` is all that the container will have. Throws Error naming the option for an interface name or
// an image that another one has, and for what lies over the loopback or the rootfs; warns of addresses and
// mount paths. Nothing is said about two options that were not given, nor about lines that cannot be read.
void check_clashes(const config::Section& whole, const config::Section& given, const WarningSink& warn);

// Throws Error for the rootfs's own path, "/" in any spelling.
void check_mount_path(const std::string& mp);

}  // namespace hutch::cli
