#include <algorithm>

#include "base/text.h"
#include "config/lowering.h"

// Where the container's control groups are (lxc-keys 2.6).
namespace hutch::config {

namespace {

// A relative path without its needless slashes and dots.
std::string group_path(const RawEntry& entry) {
  std::vector<std::string> parts;
  for (const auto part : split(entry.value, '/')) {
    if (part == "..") bad_value(entry, "a path without '..'");
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  if (entry.value.front() == '/' || parts.empty()) bad_value(entry, "a relative path of control groups");
  return join(parts, "/");
}

struct CgroupPathKey {
  std::string_view key;
  std::string CgroupPaths::*path;
};
constexpr CgroupPathKey kPathKeys[] = {
    {"lxc.cgroup.dir.container", &CgroupPaths::container},
    {"lxc.cgroup.dir.monitor", &CgroupPaths::monitor},
    {"lxc.cgroup.dir.monitor.pivot", &CgroupPaths::monitor_pivot},
};

// Below the group that the starter is in.
void make_relative(Lowering& lowering) {
  const auto& relative = lowering.cgroup_relative;
  if (!lowering.context.own_cgroup) bad_value(relative, "known here: the caller's group is needed");
  const std::string own = lowering.context.own_cgroup();
  if (own.empty()) return;
  auto& paths = lowering.spec.cgroup_paths;
  if (paths.container.empty()) paths.container = formatted("lxc/{}", lowering.spec.vmid);
  for (std::string* path : {&paths.container, &paths.monitor, &paths.monitor_pivot}) {
    if (!path->empty()) *path = own + "/" + *path;
  }
  lowering.cgroup_paths_origin = relative.origin;
}

}  // namespace

void set_cgroup_path(Lowering& lowering, const RawEntry& entry) {
  auto& paths = lowering.spec.cgroup_paths;
  lowering.cgroup_paths_origin = entry.origin;
  if (entry.key == "lxc.cgroup.dir") {
    lowering.cgroup_parent = entry;
    if (!entry.value.empty()) lowering.cgroup_parent.value = group_path(entry);
    return;
  }
  if (entry.key == "lxc.cgroup.dir.container.inner") {
    if (entry.value.find('/') != std::string::npos || entry.value == "." || entry.value == "..") {
      bad_value(entry, "the name of one control group");
    }
    paths.inner = entry.value.empty() ? CgroupPaths().inner : entry.value;
    return;
  }
  const auto* row = std::find_if(std::begin(kPathKeys), std::end(kPathKeys),
                                 [&entry](const auto& candidate) { return candidate.key == entry.key; });
  paths.*(row->path) = entry.value.empty() ? std::string() : group_path(entry);
}

void set_cgroup_relative(Lowering& lowering, const RawEntry& entry) {
  lowering.cgroup_relative = c_boolean(entry) ? entry : RawEntry();
}

void lower_cgroup_paths(Lowering& lowering) {
  auto& paths = lowering.spec.cgroup_paths;
  const auto& parent = lowering.cgroup_parent;
  if (!parent.value.empty()) {
    if (paths != CgroupPaths()) {
      throw Error("'lxc.cgroup.dir' excludes the keys 'lxc.cgroup.dir.*'", 0, "use one of them",
                  parent.origin);
    }
    paths.container = formatted("{}/lxc.payload.{}", parent.value, lowering.spec.vmid);
    paths.monitor = formatted("{}/lxc.monitor.{}", parent.value, lowering.spec.vmid);
  }
  if (!lowering.cgroup_relative.key.empty()) make_relative(lowering);
  if (paths != CgroupPaths()) paths.origin = lowering.cgroup_paths_origin;
}

}  // namespace hutch::config
