#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"

// Volumes of a container, mounted in the supervisor's own mount namespace.
namespace hutch {

struct OpenedVolume {
  UniqueFd mount;  // detached
  // Only of an id-mapped one: the same file system with the ids of the disk, for edits by the host (whose
  // root has no id in the mapped view).
  UniqueFd plain;
  std::string device;  // "/dev/loop3" of an image or device
};

// The volume with its options and, when `id_map_fd` is a user namespace (>= 0), its id map. An image comes
// through a loop device that clears itself when the last mount goes.
OpenedVolume open_volume(const VolumeSpec& volume, int id_map_fd);

// Mounts the rootfs volume on the directory `path`. `expected_owner` is the host user id that has to own its
// top, else the files are of another id map and the container could not use them. `inner_root` owns what has
// to be made for an overlay. The result keeps no `mount`.
OpenedVolume mount_rootfs(const VolumeSpec& volume, int id_map_fd, const std::string& path,
                          std::optional<uid_t> expected_owner, const Owner& inner_root);

// A nameless file in that directory, open for writing: as long as it is open, nobody can make the file system
// read-only. Empty when the file system is read-only already.
UniqueFd open_pin(const std::string& directory);

// Mounts a mount point below the mounted rootfs. Missing directories are made (0755, `owner`); no part of
// the path inside may be a symlink. The result keeps no `mount`.
OpenedVolume mount_below(const VolumeSpec& volume, int id_map_fd, const std::string& rootfs, uid_t owner,
                         gid_t group);

// `keepattrs`: the top of a volume takes owner, group and mode of the directory that it will cover; a
// read-only volume stays as it is.
void take_attributes(int mount_fd, int covered_fd);
// Gives what puts them back as they are now.
std::function<void()> remember_attributes(int mount_fd);

// The attributes of the volume's mount, besides an id map.
std::uint64_t attributes_of(const VolumeSpec& volume);
// MS_SHARED and so on; 0 for unchanged.
std::uint64_t propagation_flag(Propagation propagation);

// The source of a bind entry as a detached tree with the entry's attributes, id-mapped when `id_map_fd` is a
// user namespace (>= 0).
UniqueFd open_bind_source(const MountSpec& mount, int id_map_fd);

// A user namespace by its path (`idmap=/proc/42/ns/user`). EINVAL when it is none.
UniqueFd open_id_map_namespace(const std::string& path, const Origin& origin);

}  // namespace hutch
