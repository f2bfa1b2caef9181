#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "runtime/container_spec.h"

// Volumes of a container, mounted in the supervisor's own mount namespace.
namespace hutch {

struct OpenedVolume {
  UniqueFd mount;  // detached
  // Only of an id-mapped one: the same file system with the ids of the disk, for edits by the host (whose
  // root has no id in the mapped view).
  UniqueFd plain;
};

// The volume with its options and, when `id_map_fd` is a user namespace (>= 0), its id map. An image comes
// through a loop device that clears itself when the last mount goes.
OpenedVolume open_volume(const VolumeSpec& volume, int id_map_fd);

// Mounts the rootfs volume on `path`, making the directory, and gives the plain view of an id-mapped one.
// `expected_owner` is the host user id that has to own its top, else the files are of another id map and
// the container could not use them.
UniqueFd mount_rootfs(const VolumeSpec& volume, int id_map_fd, const std::string& path,
                      std::optional<uid_t> expected_owner);

// A nameless file in that directory, open for writing: as long as it is open, nobody can make the file system
// read-only. Empty when the file system is read-only already.
UniqueFd open_pin(const std::string& directory);

// Mounts a mount point below the mounted rootfs. Missing directories are made (0755, `owner`); no part of
// the path inside may be a symlink.
void mount_below(const VolumeSpec& volume, int id_map_fd, const std::string& rootfs, uid_t owner,
                 gid_t group);

// The source of a bind entry as a detached tree with the entry's attributes; nothing when the entry is
// optional and the source does not exist.
std::optional<UniqueFd> open_bind_source(const MountSpec& mount, int id_map_fd);

}  // namespace hutch
