#pragma once

#include <string>

#include "base/unique_fd.h"

namespace hutch {

// Whether the mount (or, for `recursive`, perhaps one below it) has attributes that a container's root must
// not be able to take off. Of a device's node only nodev counts.
bool has_attributes_to_lock(int mount_fd, bool recursive);

// A detached clone of everything mounted at `path`, with its attributes locked: read-only, nosuid and so on
// cannot be taken off any more by a container that gets it, though it is root over its own mount namespace
// (mount_namespaces(7), "Restrictions on mount namespaces"; the mounts inside the tree cannot be unmounted
// one by one either). The kernel locks what is copied into a mount namespace of a less privileged user
// namespace, so a short-lived process in such a pair makes the clone. `path` is seen in the calling thread's
// mount namespace; the directories on the way have to be root's or open to all.
UniqueFd clone_locked(const std::string& path);

// The same for a detached mount, which is mounted on `stage` meanwhile: a directory for a directory, a file
// for a file, in a private mount namespace.
UniqueFd lock_attributes(const UniqueFd& mount, const std::string& stage);

}  // namespace hutch
