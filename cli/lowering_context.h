#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/sysroot.h"
#include "config/lower.h"

namespace hutch::cli {

// What config::lower asks of this host: volume ids are looked up in storage.cfg (read at the first volume
// that needs it, so a container on bind mounts never reads it), files are read from the host.
config::LoweringContext make_lowering_context(const Sysroot& sysroot, std::uint32_t vmid);

// The node at a host path. Throws Error for a path that is no device's.
config::HostDevice host_device(const std::string& path);

// The names in a host directory; nothing when `path` is none, or cannot be looked at.
std::optional<std::vector<std::string>> directory_names(const std::string& path);

}  // namespace hutch::cli
