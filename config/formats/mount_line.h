#pragma once

#include <string>
#include <string_view>

#include "runtime/container_spec.h"

namespace hutch::config {

// A mount as a line of fstab(5), as `lxc.mount.entry` takes it.
std::string mount_line(const MountSpec& mount);

// A field of such a line: blanks and backslashes as octal escapes.
std::string fstab_field(std::string_view text);

// "nodev,noatime": words for MOUNT_ATTR_* bits, with a comma before each.
std::string attribute_words(std::uint64_t attributes);

}  // namespace hutch::config
