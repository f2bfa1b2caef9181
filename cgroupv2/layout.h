#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

// Which cgroup tree of this host holds which controller.
namespace hutch::cgroupv2 {

struct Layout {
  // Mount point of the cgroup2 tree: "/sys/fs/cgroup" or "/sys/fs/cgroup/unified". It always exists:
  // freezing, killing, the device filter and CLONE_INTO_CGROUP need it, whether or not it has controllers.
  std::string unified;
  // Controllers that the cgroup2 tree has (its cgroup.controllers), sorted.
  std::vector<std::string> v2_controllers;
  // v1 controller -> mount point of its hierarchy. Co-mounted controllers ("cpu,cpuacct") name the same one.
  std::map<std::string, std::string, std::less<>> v1;
  // Whether the v1 memory hierarchy counts swap (memory.memsw.*; off with swapaccount=0).
  bool v1_swap_accounting = true;

  bool hybrid() const { return !v1.empty(); }
  bool has_v2(std::string_view controller) const;
  // Mount point of the controller's v1 hierarchy; empty when it has none.
  std::string v1_hierarchy(std::string_view controller) const;
  // The directory that all of these mount points are in, or the only one's.
  std::string root() const;
  // Every v1 mount point once, sorted.
  std::vector<std::string> v1_hierarchies() const;

  bool operator==(const Layout&) const = default;
};

// Looks at the mounts at and directly below `cgroup_root` by their file system magic (statfs(2)); mountinfo
// is not read, so the cost does not grow with the number of mounts. Throws, with a hint what to mount, when
// there is no cgroup2 tree at `cgroup_root` or `cgroup_root`/unified.
Layout detect_layout(const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace hutch::cgroupv2
