#pragma once

#include <vector>

#include "config/container_config.h"

// The key names of LXC before 3.0 (lxc-keys 4).
namespace hutch::config {

// `entries` under their current names, each with its origin; names that are not old stay. `lxc.network.type`
// opens an interface, numbered from `first_interface` on, and the lines after it belong to it;
// `lxc.rootfs.backend` goes into `lxc.rootfs.path`; obsolete keys are left out. With `diagnostics`, one
// warning says how many lines have old names. Throws Error with the line's origin for an interface's setting
// before any `lxc.network.type`. Pure.
std::vector<RawEntry> to_current_names(std::vector<RawEntry> entries, unsigned first_interface = 0,
                                       Diagnostics* diagnostics = nullptr);

}  // namespace hutch::config
