#pragma once

#include <chrono>
#include <string>

#include "base/sysroot.h"
#include "base/unique_fd.h"

namespace hutch {

// The lock around allocating, freeing and renaming volumes of one storage: flock(2) on
// <sysroot>/run/lock/pve-manager/pve-storage-<id> (pct-cli 1.5), held while the object lives.
class StorageLock {
 public:
  // Waits up to `timeout`, then throws "can't lock file '<file>' - got timeout".
  StorageLock(const Sysroot& sysroot, const std::string& storage_id,
              std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  UniqueFd file_;
};

}  // namespace hutch
