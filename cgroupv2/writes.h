#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/origin.h"
#include "cgroupv2/layout.h"
#include "cgroupv2/resources.h"

// Limits as writes into control files: first in the language of cgroup v2, then placed on the trees of a
// host. Both steps are pure, so that a plan can be printed without touching the kernel.
namespace hutch::cgroupv2 {

// `value` into the control file `file` ("memory.max").
struct FileWrite {
  std::string file;
  std::string value;
  Origin origin;
  bool operator==(const FileWrite&) const = default;
};

// A write on a certain tree: the file is <hierarchy>/<group path>/<file>.
struct PlacedWrite {
  std::string hierarchy;  // a mount point: Layout::unified or one of Layout::v1
  std::string file;       // in the language of that tree
  std::string value;
  Origin origin;
  bool operator==(const PlacedWrite&) const = default;
};

// The writes for `resources`: swap before memory.high before memory.max, so that lowering the limits of a
// running group first reclaims (into the swap it may use) before the hard limit kills; then cpu, cpuset,
// pids; raw lines last, in their order, so that they win.
// `cpus`: range list for cpuset.cpus that the caller chose for resources.cpu_count (see cpuset.h); used only
// when cpu_count is set, and then it must not be empty (throws).
std::vector<FileWrite> resource_writes(const Resources& resources, const std::string& cpus = {});

// Sends every write to the tree where its controller lives, translated where that is a v1 hierarchy:
//   memory.max -> memory.limit_in_bytes, memory.high -> memory.soft_limit_in_bytes,
//   memory.swap.max -> memory.memsw.limit_in_bytes = memory.max + memory.swap.max (limit first),
//   cpu.max -> cpu.cfs_period_us, cpu.cfs_quota_us; cpu.weight -> cpu.shares; io.max ->
//   blkio.throttle.*_device; io.weight -> blkio.bfq.weight; cpuset.cpus, cpuset.mems, pids.max as they are.
// v1 knows one limit for memory plus swap, so several lines for memory.max and memory.swap.max become one
// pair, the last of each winning; a swap limit without a memory limit cannot be expressed and is an error.
// `cgroup.*` files go to the cgroup2 tree.
// Throws with the line's origin when a write cannot be enforced on this host: the controller is missing, or
// it lives on v1 and the file has no counterpart there, or the value is not one that the file takes.
std::vector<PlacedWrite> place(const std::vector<FileWrite>& writes, const Layout& layout);

// `placed` for groups that were just made: without the CPU period that a v1 group has from the beginning
// (sched-bwc.rst). Writing it changes nothing, and lets the kernel look at each group of the host.
std::vector<PlacedWrite> for_fresh_group(std::vector<PlacedWrite> placed);

// What has to be written to a running group that was limited by `from`, so that it is limited by `to`: the
// files whose last value differs, in the order above; a limit that `to` does not have any more gets the
// kernel's default (cgroup-v2.rst; 1024 for v1's cpu.shares), and a file without a known default is left as
// it is. memory.max and memory.swap.max come together, since v1 has one limit for both. The choice of CPUs is
// not part of it (limit_change.h). Throws as `place` does.
std::vector<PlacedWrite> changed_writes(const Resources& from, const Resources& to, const Layout& layout);

// "3G", "512M", "1048576" in bytes, with the kernel's suffixes (memparse: K M G T P E, either case); the
// outer optional is empty when the text is not a byte amount, Limit::max() for "max".
std::optional<Limit> parse_limit(std::string_view text);

// v1 cpu.shares for a v2 cpu.weight: the inverse of weight = 1 + (shares - 2) * 9999 / 262142,
// within 2..262144.
std::uint64_t shares_of_weight(std::uint64_t weight);

}  // namespace hutch::cgroupv2
