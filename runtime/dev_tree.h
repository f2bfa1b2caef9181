#pragma once

#include "base/unique_fd.h"
#include "runtime/container_spec.h"

namespace hutch {

// The container's /dev as a detached tmpfs: device nodes, directories, symlinks, and the files that ptys are
// mounted on later. The host makes it with its own rights (mknod is refused inside a user namespace), which
// replaces a bind mount for every node; inside, nobody can make further nodes on it, because it belongs to
// the initial user namespace. Everything is owned by the container's root.
UniqueFd build_dev_tree(const ContainerSpec& spec);

}  // namespace hutch
