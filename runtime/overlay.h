#pragma once

#include <string>

#include "base/files.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"

// overlayfs (Documentation/filesystems/overlayfs.rst), mounted by the host: a container's root could neither
// reach the layers nor, on older kernels, mount one.
namespace hutch {

// A detached overlay of the volume's layers. Missing upper and work directories are made; the upper one,
// whose top is the container's "/", gets the mode of the topmost lower directory and the owner `inner_root`.
// With a user namespace `id_map_fd` (>= 0) the lower layers are id-mapped; the upper one always holds host
// ids. `stage` is a directory where layers are mounted for a moment, in a private mount namespace: overlayfs
// takes layers by path only.
UniqueFd mount_overlay(const VolumeSpec& volume, int id_map_fd, const std::string& stage,
                       const Owner& inner_root);

// A mount entry of type overlay. The directories of `upperdir=` and `workdir=` are made (0755, `inner_root`)
// when they are below `container_directory` (var/lib/lxc/<vmid>) but not below its rootfs; there no part of
// their paths may be a symlink (ELOOP).
UniqueFd mount_overlay_entry(const MountSpec& mount, const std::string& container_directory,
                             const Owner& inner_root);

}  // namespace hutch
