#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "config/container_config.h"

// `lxc.cgroup.*`, settings of cgroup v1, in the words of cgroup v2 (lxc-keys 5).
namespace hutch::config {

// What options of the section have set.
struct GeneratedLimits {
  std::optional<std::uint64_t> memory;        // bytes
  std::optional<std::uint64_t> cpu_quota_us;  // of 100 ms
};

enum class BadLimits { refuse, report };

// `entries` with every cgroup v1 line replaced by its `lxc.cgroup2.*` counterpart, where it stood; lines
// without a counterpart are left out with a warning. The limit of memory and swap together becomes one of
// swap alone: it is taken with the last limit of memory among the entries, else with the generated one; a
// period without a quota goes with the generated quota. A bad value is an Error with the line's origin:
// thrown, or, for a reader that goes on, a warning about a line that is left out, too. Pure.
std::vector<RawEntry> to_cgroup_v2(std::vector<RawEntry> entries, const GeneratedLimits& generated,
                                   Diagnostics& diagnostics, BadLimits bad = BadLimits::refuse);

// cpu.shares 2..262144 as a cpu.weight 1..10000.
std::uint64_t weight_of_shares(std::uint64_t shares);

// A v1 byte count: digits with k, m, g or t (any case), or -1 (or max) for no limit. Throws Error with the
// line's origin.
std::optional<std::uint64_t> v1_bytes(const RawEntry& entry);

}  // namespace hutch::config
