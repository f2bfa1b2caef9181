#pragma once

#include <span>
#include <string>
#include <string_view>

// Which `lxc.*` lines a container's config may have (pct-conf 5, lxc-keys 3 and 4). What each of them is for
// stands in key_documentation.h, apart, so that no program but the one that writes docs/options.md carries
// those texts.
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

struct RawKey {
  std::string_view name;
  RawKeyClass key_class = RawKeyClass::unknown;
  std::string_view current = {};  // of renamed keys
};

// Sorted by name. The bare name of a family ("lxc.net", "lxc.cgroup2") is only good for clearing it.
std::span<const RawKey> raw_keys();
// Everything below these names ("lxc.cgroup2."), which end in a dot; `current` replaces the prefix.
std::span<const RawKey> raw_key_prefixes();

struct RawKeyInfo {
  RawKeyClass key_class = RawKeyClass::unknown;
  std::string current;  // of renamed keys
};

RawKeyInfo raw_key_info(std::string_view key);

}  // namespace hutch::config
