#pragma once

#include <string>

#include "base/unique_fd.h"

namespace hutch {

// A loop device over an image file (loop(4)). It is set to clear itself with its last user, so once the file
// system on it is mounted nothing has to be undone but the mount.
struct LoopDevice {
  UniqueFd fd;
  std::string path;  // "/dev/loop3"
};

// A device that has this very file already is used again: two devices over one file would each have a cache
// of their own, and the file system on it would be destroyed. EBUSY when that device is read-only and
// `read_only` is false.
LoopDevice attach_loop_device(const std::string& image, bool read_only);

}  // namespace hutch
