#include <algorithm>

#include "base/text.h"
#include "config/lowering.h"

// cgroup v1 values (lxc-keys 5) and where the groups are (lxc-keys 2.6).
namespace hutch::config {

namespace {

constexpr std::string_view kV1Prefix = "lxc.cgroup.";
constexpr std::uint64_t kDefaultPeriod = 100000;  // microseconds, sched-bwc.rst

// "512M" in bytes, also with the old "b"; nothing for other text.
std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  text = trim(text);
  constexpr std::string_view kUnits = "bkmgt";
  unsigned shift = 0;
  const auto unit =
      text.empty() ? std::string_view::npos : kUnits.find(to_lower(text.substr(text.size() - 1)));
  if (unit != std::string_view::npos) {
    shift = 10 * static_cast<unsigned>(unit);
    text.remove_suffix(1);
  }
  const auto number = parse_unsigned(text);
  if (!number || *number > UINT64_MAX >> shift) return std::nullopt;
  return *number << shift;
}

bool is_unlimited(std::string_view value) {
  return value == "-1" || value == "max";
}

std::string v2_bytes(const RawEntry& entry) {
  if (is_unlimited(entry.value)) return "max";
  const auto bytes = parse_bytes(entry.value);
  if (!bytes) bad_value(entry, "a byte count such as 512M");
  return std::to_string(*bytes);
}

// cpu.shares 2..262144 onto cpu.weight 1..10000.
std::string v2_weight(const RawEntry& entry) {
  const auto shares = parse_unsigned(entry.value);
  if (!shares) bad_value(entry, "a number of shares");
  const auto clamped = std::clamp<std::uint64_t>(*shares, 2, 262144);
  return std::to_string(1 + (clamped - 2) * 9999 / 262142);
}

// "8:0 1048576" as "8:0 rbps=1048576"; 0 is v1's "no limit".
std::string v2_throttle(const RawEntry& entry, std::string_view name) {
  constexpr std::string_view kForm = "of the form 'MAJOR:MINOR number'";
  const auto words = split_blanks(entry.value);
  if (words.size() != 2) bad_value(entry, kForm);
  const auto colon = words[0].find(':');
  if (colon == std::string_view::npos || !parse_unsigned(words[0].substr(0, colon)) ||
      !parse_unsigned(words[0].substr(colon + 1))) {
    bad_value(entry, kForm);
  }
  const auto rate = parse_bytes(words[1]);
  if (!rate) bad_value(entry, kForm);
  return formatted("{} {}={}", words[0], name, rate == 0U ? "max" : std::to_string(*rate));
}

struct V1File {
  std::string_view v1;
  std::string_view v2;
  std::string (*convert)(const RawEntry& entry) = nullptr;
};
constexpr V1File kV1Files[] = {
    {"blkio.throttle.read_bps_device", "io.max",
     [](const RawEntry& entry) { return v2_throttle(entry, "rbps"); }},
    {"blkio.throttle.read_iops_device", "io.max",
     [](const RawEntry& entry) { return v2_throttle(entry, "riops"); }},
    {"blkio.throttle.write_bps_device", "io.max",
     [](const RawEntry& entry) { return v2_throttle(entry, "wbps"); }},
    {"blkio.throttle.write_iops_device", "io.max",
     [](const RawEntry& entry) { return v2_throttle(entry, "wiops"); }},
    {"blkio.weight", "io.weight"},
    {"cpu.shares", "cpu.weight", v2_weight},
    {"cpuset.cpus", "cpuset.cpus"},
    {"cpuset.mems", "cpuset.mems"},
    {"devices.allow", "devices.allow"},
    {"devices.deny", "devices.deny"},
    {"memory.limit_in_bytes", "memory.max", v2_bytes},
    {"memory.soft_limit_in_bytes", "memory.high", v2_bytes},
    {"pids.max", "pids.max"},
};

// One v2 file for two v1 values, put together when all lines are read.
struct V1Half {
  std::string_view v1;
  std::string_view v2;
  RawEntry CgroupV1Pairs::*entry;
};
constexpr V1Half kV1Halves[] = {
    {"cpu.cfs_period_us", "cpu.max", &CgroupV1Pairs::period},
    {"cpu.cfs_quota_us", "cpu.max", &CgroupV1Pairs::quota},
    {"memory.memsw.limit_in_bytes", "memory.swap.max", &CgroupV1Pairs::memory_and_swap},
};

void set_half(Lowering& lowering, const V1Half& half, const RawEntry& entry) {
  lowering.cgroup_v1.*half.entry = entry;
  if (!entry.value.empty()) return;
  set_cgroup_file(lowering, {"lxc.cgroup2." + std::string(half.v2), "", entry.origin});
}

void write(Lowering& lowering, std::string_view file, std::string value, const Origin& origin) {
  lowering.spec.resources.raw.push_back({std::string(file), std::move(value), origin});
}

// The memory limit in force, in bytes; nothing: none, or one that only the kernel understands.
std::optional<std::uint64_t> memory_limit(const cgroupv2::Resources& resources) {
  for (auto raw = resources.raw.rbegin(); raw != resources.raw.rend(); ++raw) {
    if (raw->file == "memory.max") return parse_bytes(raw->value);
  }
  return resources.memory_max ? resources.memory_max->value.bytes : std::nullopt;
}

// v1 counts memory and swap together, v2 swap alone.
void lower_memory_and_swap(Lowering& lowering) {
  const RawEntry& entry = lowering.cgroup_v1.memory_and_swap;
  if (entry.value.empty()) return;
  if (is_unlimited(entry.value)) return write(lowering, "memory.swap.max", "max", entry.origin);
  const auto both = parse_bytes(entry.value);
  if (!both) bad_value(entry, "a byte count such as 1G");
  const auto memory = memory_limit(lowering.spec.resources);
  if (!memory) {
    return lowering.warn(entry.origin, formatted("'{}' has no effect without a limit of memory", entry.key));
  }
  if (*both < *memory) bad_value(entry, formatted("at least the limit of memory, {} bytes", *memory));
  write(lowering, "memory.swap.max", std::to_string(*both - *memory), entry.origin);
}

std::uint64_t microseconds(const RawEntry& entry) {
  const auto number = parse_unsigned(entry.value);
  if (!number || *number == 0) bad_value(entry, "a number of microseconds");
  return *number;
}

void lower_cpu_bandwidth(Lowering& lowering) {
  const auto& [memory, quota, period] = lowering.cgroup_v1;
  if (quota.value.empty() && period.value.empty()) return;
  const auto& generated = lowering.spec.resources.cpu_max;
  std::string allowed = "max";
  if (!quota.value.empty()) {
    if (!is_unlimited(quota.value)) allowed = std::to_string(microseconds(quota));
  } else if (generated && generated->value.quota_us) {
    allowed = std::to_string(*generated->value.quota_us);
  }
  const auto every = period.value.empty() ? kDefaultPeriod : microseconds(period);
  write(lowering, "cpu.max", formatted("{} {}", allowed, every),
        quota.value.empty() ? period.origin : quota.origin);
}

// ---- where the groups are

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

void set_cgroup_v1_file(Lowering& lowering, const RawEntry& entry) {
  const auto file = std::string_view(entry.key).substr(kV1Prefix.size());
  for (const auto& half : kV1Halves) {
    if (half.v1 == file) return set_half(lowering, half, entry);
  }
  for (const auto& row : kV1Files) {
    if (row.v1 != file) continue;
    RawEntry translated{"lxc.cgroup2." + std::string(row.v2), entry.value, entry.origin};
    if (row.convert != nullptr && !entry.value.empty()) translated.value = row.convert(entry);
    return set_cgroup_file(lowering, translated);
  }
  lowering.warn(entry.origin,
                formatted("'{}' is a cgroup v1 setting without a counterpart and has no effect", entry.key));
}

void lower_cgroup_v1(Lowering& lowering) {
  lower_memory_and_swap(lowering);
  lower_cpu_bandwidth(lowering);
}

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
