#pragma once

#include <linux/mount.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

// The mount API by file descriptor (fsopen(2), open_tree(2), mount_setattr(2)), for the host side: trees
// stay detached, visible to nobody, until they are attached, and vanish with their descriptor.
namespace hutch {

using FsOptions = std::vector<std::pair<std::string, std::string>>;  // an empty value is a flag

// Creates a new file system and returns its detached mount. `attributes` is a set of MOUNT_ATTR_*.
// On failure the kernel's own explanation (fsopen(2), "log") is part of the error.
UniqueFd new_filesystem(const std::string& type, const FsOptions& options, std::uint64_t attributes);

// A detached clone of the mount at `path` (of everything mounted below it too, when `recursive`).
UniqueFd clone_mount(int dirfd, const std::string& path, bool recursive);

// Sets and clears attributes of a detached mount (mount_setattr(2)). An access time attribute takes the place
// of the one that is there.
void set_mount_attributes(int mount_fd, std::uint64_t set, std::uint64_t clear, bool recursive);

// Changes how mounts below this one reach its copies elsewhere: MS_SHARED, MS_SLAVE, MS_PRIVATE or
// MS_UNBINDABLE (mount_namespaces(7)).
void set_mount_propagation(int mount_fd, std::uint64_t propagation, bool recursive);

// Applies an id map to a detached mount that has none yet: ids on disk are the ids inside the user
// namespace of `userns_fd`, ids on the host are those it maps to. EINVAL: the file system cannot.
void set_mount_id_map(int mount_fd, int userns_fd, bool recursive);

// Attaches a detached mount at `path`, which must be a directory for a directory, a file for a file.
void attach_mount(int mount_fd, int dirfd, const std::string& path);

// Mounts a file system of one of the types that the kernel lists as block device types, as
// mount(8) without -t does: `device` is tried with each until one accepts its super block.
UniqueFd mount_block_device(const std::string& device, const FsOptions& options, std::uint64_t attributes);

// Writes back the file system of a directory that may be written to. 0, or the errno of what could not be
// written since the directory was opened, which each descriptor is told once. A file system that has given up
// after an error (ext4(5), errors=; an aborted journal) is one, too, each time: syncfs(2) passes over what
// such a one has not written.
int sync_file_system(int directory_fd);

}  // namespace hutch
