#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/origin.h"

namespace hutch::cgroupv2 {

// A byte amount or "max" (cgroup-v2.rst: memory interface files).
struct Limit {
  std::optional<std::uint64_t> bytes;  // nothing: "max"

  static Limit max() { return {}; }
  static Limit of(std::uint64_t bytes) { return {bytes}; }
  bool operator==(const Limit&) const = default;
};

// cpu.max: `quota` microseconds of CPU time in every `period` microseconds; no quota: "max".
struct CpuMax {
  std::optional<std::uint64_t> quota_us;
  std::uint64_t period_us = 100000;
  bool operator==(const CpuMax&) const = default;
};

// A line of the config that names a cgroup v2 file itself (`lxc.cgroup2.<file>`), in config order.
struct RawWrite {
  std::string file;   // "pids.max"
  std::string value;  // written as it is
  Origin origin;
  bool operator==(const RawWrite&) const = default;
};

// What a container may use, in the language of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).
// What is unset is not written.
struct Resources {
  std::optional<Located<Limit>> memory_max;
  std::optional<Located<Limit>> memory_high;
  std::optional<Located<Limit>> memory_swap_max;
  std::optional<Located<CpuMax>> cpu_max;
  std::optional<Located<std::uint32_t>> cpu_weight;  // 1..10000
  // How many CPUs the container sees; the planner picks which (HostFacts), unless a raw line says so.
  std::optional<Located<std::uint32_t>> cpu_count;
  std::optional<Located<Limit>> pids_max;
  std::vector<RawWrite> raw;  // after all others, so that they win

  bool operator==(const Resources&) const = default;
};

// One line of a device policy (lxc-keys: device rules). `type` is 'a', 'b' or 'c'; no number means "*".
struct DeviceRule {
  bool allow = true;
  char type = 'a';
  std::optional<std::uint32_t> major;
  std::optional<std::uint32_t> minor;
  bool read = false;
  bool write = false;
  bool mknod = false;
  Origin origin;
  bool operator==(const DeviceRule&) const = default;
};

// The rules of a node that a container is given: it may be read and written, or only read and never
// written, whatever other rules allow.
inline std::vector<DeviceRule> rules_of_passed_device(char type, std::uint32_t major, std::uint32_t minor,
                                                      bool deny_write, const Origin& origin) {
  DeviceRule allow{true, type, major, minor, true, !deny_write, false, origin};
  if (!deny_write) return {allow};
  return {allow, {false, type, major, minor, false, true, false, origin}};
}

// `allow_by_default` with no rules needs no filter at all.
struct DevicePolicy {
  bool allow_by_default = true;
  std::vector<DeviceRule> rules;
  bool operator==(const DevicePolicy&) const = default;
};

}  // namespace hutch::cgroupv2
