#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.h"
#include "runtime/container_spec.h"

namespace hutch {

// The text of /proc/<pid>/uid_map or gid_map (user_namespaces(7)), in ascending order of the inner ids.
std::string id_map_file(const std::vector<IdRange>& ranges);

// Writes both maps of a process that is alone in a new user namespace. The caller is the host's root and
// keeps setgroups(2) allowed inside. Errors carry the first range's origin.
void write_id_maps(pid_t pid, const IdMap& map);

// A user namespace with this map and no process in it, for id-mapped mounts (mount_setattr(2)).
UniqueFd make_id_map_namespace(const IdMap& map);

}  // namespace hutch
