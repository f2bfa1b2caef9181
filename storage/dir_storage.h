#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/sysroot.h"
#include "base/unique_fd.h"
#include "storage/storage_config.h"
#include "storage/volume_id.h"

namespace hutch {

// A volume found on a storage.
struct VolumeInfo {
  VolumeId id;
  FileVolume volume;
  std::uint64_t size = 0;  // bytes; 0 for a directory volume
};

// Storage of type `dir`: volumes are files and directories below its path.
class DirStorage {
 public:
  DirStorage(DirStorageSettings settings, Sysroot sysroot);

  const DirStorageSettings& settings() const { return settings_; }

  // Makes the storage usable: creates its path where `create-base-path` allows it; throws when the path is
  // missing or, with `is_mountpoint`, nothing is mounted there.
  void activate() const;

  // The absolute host path of a volume of this storage, existing or not. Throws for foreign or malformed ids.
  std::string path_of(const VolumeId& id) const;

  // The disks below images/: those of `vmid`, or all; sorted by vmid and name. Files of other shapes are left
  // out.
  std::vector<VolumeInfo> list(std::optional<std::uint32_t> vmid = std::nullopt) const;

  // The lowest number 0..1023 that no disk of `vmid` uses, raw images and subvols together. Throws when all
  // are taken.
  int next_disk_number(std::uint32_t vmid) const;

  // Makes a volume for a container, under the storage lock while it is being named.
  //   size_bytes > 0: sparse image, mode 0640, with an ext4 file system (feature mmp) whose root belongs to
  //   `root`; size_bytes = 0: directory ".subvol", mode 0755, owned by `root`.
  // `root` holds host ids. On failure nothing is left behind, not even an images/<vmid> that was made for it;
  // a full file system is ENOSPC. Does not check the storage's content types (StorageConfig::dir_for does).
  VolumeId allocate(std::uint32_t vmid, std::uint64_t size_bytes, const Owner& root) const;

  // Removes a disk (image or directory tree, symlinks not followed), and images/<vmid> when that became
  // empty. A missing volume is not an error. Throws for ids that are no disks, and when something is mounted
  // inside of the volume.
  void free(const VolumeId& id) const;

 private:
  std::string directory_of(VolumeKind kind) const;

  DirStorageSettings settings_;
  Sysroot sysroot_;
};

}  // namespace hutch
