#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/sysroot.h"
#include "base/undo.h"
#include "config/container_config.h"
#include "config/property_formats.h"
#include "runtime/container_spec.h"
#include "storage/storage_config.h"
#include "storage/volume_id.h"

// Volumes on storages, as commands on a container's options make, look at and free them.
namespace hutch::cli {

// The id map that these options give a container; empty: privileged. Nothing but `unprivileged` and the raw
// lxc.idmap lines, those of included files too, counts. Throws Error with the line of an include that cannot
// be read.
IdMap id_map_of(const config::Section& options, std::uint32_t vmid);

// The ids that the container's root has on the disk of this volume. Throws when it has none.
Owner root_on_disk(const IdMap& id_map, const config::VolumeOption& volume);

// Makes a volume on a storage with content type rootdir; freed again by `undo`.
VolumeId allocate_volume(std::uint32_t vmid, const config::NewVolume& wanted, const Owner& root,
                         const StorageConfig& storages, const Sysroot& sysroot, UndoStack& undo);

class ContainerVolumes {
 public:
  // `warn` gets what is wrong in storage.cfg. The file is read on first use.
  ContainerVolumes(Sysroot sysroot, std::uint32_t vmid, WarningSink warn);

  // Throws when the storage of the volume, existing or to be made, is unknown or does not allow content
  // rootdir. Bind mounts and devices pass.
  void check_content(const config::VolumeOption& volume);
  // The option with its volume ready: `STORAGE:SIZE` is allocated (taken back by `undo`), the `size` of an
  // existing one refreshed. Throws ENOENT for a volume that does not exist.
  config::VolumeOption ready(config::VolumeOption volume, const IdMap& id_map, UndoStack& undo);
  // Removes the volume when it belongs to the container; another's is left alone, with a warning. So is, with
  // `stays`, one that no storage here can have; else that is an error, too.
  enum class Unreachable { fails, stays };
  void free(const std::string& volume, Unreachable unreachable = Unreachable::fails);
  // Removes all volumes of the container that are on the enabled storages.
  void free_unreferenced();

 private:
  const StorageConfig& storages();

  Sysroot sysroot_;
  std::uint32_t vmid_;
  WarningSink warn_;
  std::optional<StorageConfig> storages_;
};

}  // namespace hutch::cli
