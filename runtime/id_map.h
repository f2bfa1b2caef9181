#pragma once

#include <sys/types.h>

#include <string>

#include "base/files.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"

namespace hutch {

// The text of /proc/<pid>/uid_map or gid_map (user_namespaces(7)), in ascending order of the inner ids.
std::string id_map_file(const std::vector<IdRange>& ranges);

// Writes both maps of a process that is alone in a new user namespace. The caller is the host's root and
// keeps setgroups(2) allowed inside. Errors carry the first range's origin.
void write_id_maps(pid_t pid, const IdMap& map);

// The map of an id-mapped mount of a volume, from ids on its disk (`inside`) to host ids: the container's own
// for DiskIds::container; for DiskIds::ranges the identity over all host ids of the container, except where
// `ranges` say that a container id is another id on disk (pct-conf.md 6.6). Throws EINVAL when one id on disk
// would stand for two.
IdMap disk_id_map(const IdMap& container, const VolumeSpec& volume);

// Which user and group on disk a map like that turns into these host ids; 0 where none does.
Owner owner_on_disk(const IdMap& disk_map, const Owner& host);

// A user namespace with this map and no process in it, for id-mapped mounts (mount_setattr(2)).
UniqueFd make_id_map_namespace(const IdMap& map);

}  // namespace hutch
