#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "config/container_config.h"

// `lxc.cgroup.*`, settings of cgroup v1, in the words of cgroup v2 (lxc-keys 5).
namespace hutch::config {

// `entries` with every cgroup v1 line replaced by its `lxc.cgroup2.*` counterpart, where it stood; lines
// without a counterpart are left out with a warning. The limit of memory and swap together becomes one of
// swap alone: it is taken with the last limit of memory among the entries, else with `memory_limit` (bytes).
// Throws Error with the line's origin for a bad value. Pure.
std::vector<RawEntry> to_cgroup_v2(const std::vector<RawEntry>& entries,
                                   std::optional<std::uint64_t> memory_limit, Diagnostics& diagnostics);

// cpu.shares 2..262144 as a cpu.weight 1..10000.
std::uint64_t weight_of_shares(std::uint64_t shares);

// A v1 byte count: digits with k, m, g or t (any case), or -1 for no limit. Throws Error with the line's
// origin.
std::optional<std::uint64_t> v1_bytes(const RawEntry& entry);

}  // namespace hutch::config
