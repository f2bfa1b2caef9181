#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/sysroot.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"

// Namespaces that exist already (lxc.namespace.share.*).
namespace hutch {

// The name below /proc/<pid>/ns: "net", "mnt" (namespaces(7)).
const char* namespace_file(NamespaceKind kind);
// CLONE_NEWNET and so on.
std::uint64_t clone_flag(NamespaceKind kind);

// "the net namespace of CT 101", "... of process 4711", "... /run/netns/lan"
std::string describe(const SharedNamespace& shared);

// Opens what the container is to join. Throws when the container does not run, the process does not exist, or
// the file is no namespace of that kind.
UniqueFd open_namespace(const SharedNamespace& shared, const Sysroot& sysroot);

// A detached mount of a file system that shows a namespace (proc, sysfs, cgroup2), made by the calling thread
// from within the one that `joined` is a descriptor of; -1: from within its own.
UniqueFd filesystem_of_namespace(const std::string& type, std::uint64_t attributes, NamespaceKind kind,
                                 int joined);

// Throws unless the process is in a user namespace with exactly this id map: files and mounts of the
// container are made for its ids.
void check_id_maps(pid_t pid, const IdMap& map);

}  // namespace hutch
