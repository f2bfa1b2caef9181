#pragma once

#include <string>
#include <string_view>

// Which `lxc.*` lines a container's config may have (pct-conf 5, lxc-keys 3 and 4).
namespace hutch::config {

enum class RawKeyClass {
  accepted,
  // Accepted, known to LXC but not to PVE, which would skip the line.
  extension,
  // An old name; RawKeyInfo::current has the new one.
  renamed,
  // cgroup v1 (`lxc.cgroup.*`).
  cgroup_v1,
  // Stands for the option `rootfs` (`lxc.rootfs.path`): without effect in a section that has that option.
  replaced,
  // An old key without a meaning today: kept, without effect.
  obsolete,
  unknown,
};

struct RawKeyInfo {
  RawKeyClass key_class = RawKeyClass::unknown;
  std::string current;  // of renamed keys
};

RawKeyInfo raw_key_info(std::string_view key);

}  // namespace hutch::config
