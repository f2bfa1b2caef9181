#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "config/lowering.h"
#include "config/options.h"

// Limits: lxc-mapping 2, and the raw cgroup files that override them.
namespace hutch::config {

namespace {

using cgroupv2::CpuMax;
using cgroupv2::Limit;
using cgroupv2::Resources;

constexpr std::uint64_t kMebibyte = 1U << 20;

std::uint64_t mebibytes(const Section& section, std::string_view key, std::uint64_t otherwise) {
  const auto value = section.unsigned_number(key).value_or(otherwise);
  if (value > kMostMebibytes) {
    throw Error(formatted("option '{}': {} MiB are more than a byte count can hold", key, value), 0,
                "correct the value", section.origin_of(key));
  }
  return value;
}

void lower_memory(Lowering& lowering) {
  const auto& section = lowering.section;
  auto& resources = lowering.spec.resources;
  const auto memory = mebibytes(section, "memory", 512);
  const auto origin = origin_or_default(section, "memory");
  // Large containers are slowed down 128 MiB below the limit, small ones at 1016/1024 of it.
  const auto high = memory >= 16384 ? (memory - 128) * kMebibyte : memory * 1024 * 1016;
  resources.memory_max = {Limit::of(memory * kMebibyte), origin};
  resources.memory_high = {Limit::of(high), origin};
  resources.memory_swap_max = {Limit::of(mebibytes(section, "swap", 0) * kMebibyte),
                               origin_or_default(section, "swap")};
}

void lower_cpu(Lowering& lowering) {
  const auto& section = lowering.section;
  auto& resources = lowering.spec.resources;
  if (const auto limit = section.number("cpulimit"); limit && *limit > 0) {
    const auto origin = section.origin_of("cpulimit");
    // The kernel takes no quota below 1 ms (Documentation/scheduler/sched-bwc.rst).
    if (*limit < 0.01 || *limit > 1e9) {
      throw Error(formatted("option 'cpulimit': {} CPUs cannot be enforced", *limit), 0,
                  "use 0.01 or more, or 0 for no limit", origin);
    }
    resources.cpu_max = {CpuMax{static_cast<std::uint64_t>(std::floor(100000 * *limit)), 100000}, origin};
  }
  if (const auto units = section.unsigned_number("cpuunits")) {
    const auto origin = section.origin_of("cpuunits");
    if (*units == 0) {
      throw Error("option 'cpuunits': 0 is no CPU weight", 0, "use 1 to 10000", origin);
    }
    resources.cpu_weight = {static_cast<std::uint32_t>(std::min<std::uint64_t>(*units, 10000)), origin};
  }
  if (const auto cores = section.unsigned_number("cores")) {
    const auto origin = section.origin_of("cores");
    if (*cores == 0 || *cores > UINT32_MAX) {
      throw Error(formatted("option 'cores': {} is no number of CPUs", *cores), 0, "use 1 to 8192", origin);
    }
    resources.cpu_count = {static_cast<std::uint32_t>(*cores), origin};
  }
}

// Generated limits by the file they are written to: an empty raw line takes the limit away.
struct GeneratedFile {
  std::string_view file;
  void (*clear)(Resources& resources);
};
constexpr GeneratedFile kGeneratedFiles[] = {
    {"memory.max", [](Resources& resources) { resources.memory_max.reset(); }},
    {"memory.high", [](Resources& resources) { resources.memory_high.reset(); }},
    {"memory.swap.max", [](Resources& resources) { resources.memory_swap_max.reset(); }},
    {"cpu.max", [](Resources& resources) { resources.cpu_max.reset(); }},
    {"cpu.weight", [](Resources& resources) { resources.cpu_weight.reset(); }},
};

void set_file(Lowering& lowering, const std::string& file, const RawEntry& entry) {
  // The characters of keys allow no slash, so a file name can only leave its directory as "..".
  if (file.empty() || file.front() == '.') bad_value(entry, "a setting of a cgroup file such as pids.max");
  auto& resources = lowering.spec.resources;
  // The user picks the CPUs, or takes the choice away.
  if (file == "cpuset.cpus") resources.cpu_count.reset();
  if (!entry.value.empty()) {
    resources.raw.push_back({file, entry.value, entry.origin});
    return;
  }
  std::erase_if(resources.raw, [&file](const auto& write) { return write.file == file; });
  for (const auto& generated : kGeneratedFiles) {
    if (generated.file == file) generated.clear(resources);
  }
}

}  // namespace

void lower_resources(Lowering& lowering) {
  lower_memory(lowering);
  lower_cpu(lowering);
}

void set_cgroup_file(Lowering& lowering, const RawEntry& entry) {
  const std::string file = entry.key.substr(entry.key.find('.', 4) + 1);
  if (file == "devices.allow" || file == "devices.deny") return set_device_rule(lowering, entry);
  set_file(lowering, file, entry);
}

void clear_cgroup_files(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) bad_value(entry, "empty, which takes all limits away");
  // Device rules stay: without any, every device would be open.
  lowering.spec.resources = {};
}

}  // namespace hutch::config
