#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "runtime/container_spec.h"

namespace hutch {

// The container's /dev as a detached tmpfs: device nodes, directories, symlinks, and the files that ptys are
// mounted on later. The host makes it with its own rights (mknod is refused inside a user namespace), which
// replaces a bind mount for every node; inside, nobody can make further nodes on it, because it belongs to
// the initial user namespace. Everything is owned by the container's root.
//
// Passed devices (`dev[n]`) are nodes in it, too, in unprivileged containers as well: what makes a node
// unusable is nodev, on the mount or on a superblock that belongs to a container's user namespace, and this
// one is neither. `quota_devices` are paths of the host's block devices that have quotas: the tools find a
// file system's quota by its device's node. No rule of the device filter goes with them: quotactl(2) does not
// open the device, and nothing else may.
UniqueFd build_dev_tree(const ContainerSpec& spec, const std::vector<std::string>& quota_devices = {});

}  // namespace hutch
