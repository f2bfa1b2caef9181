#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/anchor.h"
#include "base/undo.h"
#include "base/unique_fd.h"
#include "cgroupv2/layout.h"
#include "cgroupv2/writes.h"

namespace hutch::cgroupv2 {

// One container's control group: `path` ("lxc/100") holds the limits, its child `inner` ("ns") on the cgroup2
// tree holds the processes and is delegated to the container. On v1 hierarchies there is no inner group:
// processes sit in `path` itself. The object is a name, not an owner: nothing is removed on destruction.
// Every call throws Error; the host's administrator is trusted, so paths are walked as the host walks them.
class Group {
 public:
  // `path` is relative, without empty, "." and ".." parts; `inner` is a single name. Throws EINVAL otherwise,
  // and when the layout's root cannot be opened.
  Group(Layout layout, std::string path, std::string inner = "ns");

  const Layout& layout() const { return layout_; }
  const std::string& path() const { return path_; }
  // <unified>/<path>, for freezer.h and statistics.h.
  const std::string& directory() const { return directory_; }

  // Both make `path` where none is alive: a group of that name that holds processes is an error naming one of
  // them (EBUSY); a stale empty one is removed first. They do not apply the writes. When one throws, what it
  // made is removed again.
  // On the cgroup2 tree, with `path/inner`; enables cpu, cpuset, io, memory, pids (as far as the tree has
  // them) and the controllers of `writes` down the path.
  void create_unified(const std::vector<PlacedWrite>& writes);
  // On every v1 hierarchy that `writes` names; gives cpusets their parents' cpus and mems.
  void create_v1(const std::vector<PlacedWrite>& writes);
  // create_unified, then create_v1.
  void create(const std::vector<PlacedWrite>& writes);

  // Writes the limits into `path`; a failure carries the line's origin. Works on a live group, too: on v1 the
  // pair memory.limit_in_bytes, memory.memsw.limit_in_bytes is written in the order that its change needs.
  void apply(const std::vector<PlacedWrite>& writes) const;

  // `tasks` of `path` on a v1 hierarchy, open for writing: a single-threaded process that writes "0" to it
  // moves itself. cgroup.procs, and any other process's id, take a lock that every fork and exit on the host
  // holds for reading; getting it costs an RCU grace period, some 8 ms, whenever nobody took it just before.
  // Moving oneself by `tasks` does not take it (kernel/cgroup/cgroup.c, cgroup_procs_write_start, since
  // Linux 5.18; older kernels wait). The kernel checks the opener's rights, so that a child in a user
  // namespace may write to the descriptor it inherited. For the cgroup2 tree use open_inner() with
  // CLONE_INTO_CGROUP.
  UniqueFd open_tasks(const std::string& hierarchy) const;
  // For a process that enters a running container: the calling process, which must have one thread, moves
  // itself into `path` on every v1 hierarchy where the group exists. (A group cannot vanish while the
  // container's processes are in it.)
  void join_existing() const;

  // O_DIRECTORY descriptors: of `path/inner` for CLONE_INTO_CGROUP, of `path` for the device filter.
  UniqueFd open_inner() const;
  UniqueFd open_limits() const;

  // Hands `path/inner` to the container's root (cgroup-v2.rst: delegation): directory mode 0775 and, mode
  // 0664, cgroup.procs and the files that /sys/kernel/cgroup/delegate lists get the group `gid` (host id);
  // the owner stays. Files that this kernel does not have are left out; other failures throw.
  void delegate(gid_t gid) const;

  // Removes `path` with everything below it on all hierarchies, leaves first, then the parents of `path` that
  // are empty now. Kills nothing: after a kill it waits at most `timeout` for the last process to be gone,
  // then throws EBUSY naming one that is left. A group that does not exist is fine.
  void remove(std::chrono::milliseconds timeout = std::chrono::milliseconds(2000)) const;

 private:
  void make_unified(const std::vector<PlacedWrite>& writes);
  void make_v1(const std::string& hierarchy, const std::vector<PlacedWrite>& writes);
  void make(const std::string& hierarchy, UndoStack& undo);
  // Makes the group where none is alive.
  void make_fresh(const std::string& hierarchy);
  // False when it exists already.
  bool make_directory(const std::string& hierarchy);
  void make_parents(const std::string& hierarchy);
  void enable_controllers(const std::string& directory, const std::vector<std::string>& wanted) const;
  std::string fill_cpuset_parents(const std::string& hierarchy, const char* file) const;
  void write_limit(const PlacedWrite& write) const;

  Layout layout_;
  std::shared_ptr<const Anchor> anchor_;  // of all copies
  std::string path_;
  std::string inner_;
  std::string directory_;
  std::string inner_directory_;
  bool parents_missing_ = false;  // on one of the hierarchies
  bool parents_fresh_ = false;    // made by us, on the hierarchy that was made last
};

// Removes the group `path` of one hierarchy and then its parents, as far as nothing is in them: for groups
// that others may use, too. One that holds processes or groups stays.
void remove_empty_group(const std::string& hierarchy, const std::string& path);

// Whether `path` is a relative path of plain names, as Group needs it.
bool is_group_path(std::string_view path);

}  // namespace hutch::cgroupv2
