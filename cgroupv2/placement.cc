#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/writes.h"

// cgroup v2 writes in the language of v1 (Documentation/admin-guide/cgroup-v1/: memory.rst, cpusets.rst,
// blkio-controller.rst, pids.rst; Documentation/scheduler/sched-bwc.rst for cpu.cfs_*).
namespace hutch::cgroupv2 {

namespace {

constexpr std::string_view kFreshPeriod = "100000";

using Files = std::vector<std::pair<std::string, std::string>>;

[[noreturn]] void refuse(const FileWrite& write, std::string_view reason, std::string hint = {}) {
  throw Error(formatted("cannot set {} = '{}' on this host: {}", write.file, write.value, reason), 0,
              std::move(hint), write.origin);
}

[[noreturn]] void refuse_value(const FileWrite& write, std::string_view form) {
  throw Error(
      formatted("cannot set {} = '{}': the value is not of the form {}", write.file, write.value, form), 0,
      {}, write.origin);
}

// v1 byte limits take the same suffixes as v2 and say -1 for "max" (page_counter_memparse).
std::string v1_amount(const FileWrite& write) {
  const std::string_view value = trim(write.value);
  const auto limit = parse_limit(value);
  if (!limit) refuse_value(write, "BYTES[K|M|G|T] or max");
  return limit->bytes ? std::string(value) : "-1";
}

Files soft_limit(const FileWrite& write) {
  return {{"memory.soft_limit_in_bytes", v1_amount(write)}};
}

Files same(const FileWrite& write) {
  return {{write.file, write.value}};
}

Files cpu_bandwidth(const FileWrite& write) {
  constexpr std::string_view kForm = "QUOTA|max [PERIOD], in microseconds";
  const auto words = split_blanks(write.value);
  if (words.empty() || words.size() > 2) refuse_value(write, kForm);
  if (words[0] != "max" && !parse_unsigned(words[0])) refuse_value(write, kForm);
  Files files;
  if (words.size() == 2) {
    if (!parse_unsigned(words[1])) refuse_value(write, kForm);
    files.emplace_back("cpu.cfs_period_us", words[1]);
  }
  files.emplace_back("cpu.cfs_quota_us", words[0] == "max" ? "-1" : std::string(words[0]));
  return files;
}

Files cpu_burst(const FileWrite& write) {
  return {{"cpu.cfs_burst_us", write.value}};
}

Files cpu_shares(const FileWrite& write) {
  const auto weight = parse_unsigned(trim(write.value));
  if (!weight || *weight < 1 || *weight > 10000) refuse_value(write, "1..10000");
  return {{"cpu.shares", std::to_string(shares_of_weight(*weight))}};
}

bool is_device_number(std::string_view text) {
  const auto parts = split(text, ':');
  return parts.size() == 2 && parse_unsigned(parts[0]) && parse_unsigned(parts[1]);
}

Files io_throttle(const FileWrite& write) {
  constexpr std::string_view kForm = "MAJOR:MINOR rbps|wbps|riops|wiops=NUMBER|max ...";
  constexpr std::array<std::pair<std::string_view, const char*>, 4> kFiles = {{
      {"rbps", "blkio.throttle.read_bps_device"},
      {"wbps", "blkio.throttle.write_bps_device"},
      {"riops", "blkio.throttle.read_iops_device"},
      {"wiops", "blkio.throttle.write_iops_device"},
  }};
  const auto words = split_blanks(write.value);
  if (words.size() < 2 || !is_device_number(words[0])) refuse_value(write, kForm);
  Files files;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto equals = words[i].find('=');
    if (equals == std::string_view::npos) refuse_value(write, kForm);
    const std::string_view key = words[i].substr(0, equals);
    const std::string_view value = words[i].substr(equals + 1);
    const auto row =
        std::find_if(kFiles.begin(), kFiles.end(), [key](const auto& file) { return file.first == key; });
    const auto amount = parse_unsigned(value);
    // A zero is an error in v2, but lifts the limit in v1.
    if (row == kFiles.end() || (value != "max" && amount.value_or(0) == 0)) refuse_value(write, kForm);
    files.emplace_back(row->second, formatted("{} {}", words[0], amount.value_or(0)));
  }
  return files;
}

// The scale is the same with 100 as the default; BFQ ends at 1000 where io.weight ends at 10000.
Files io_weight(const FileWrite& write) {
  constexpr std::string_view kForm = "[default] 1..10000 or MAJOR:MINOR 1..10000|default";
  constexpr std::uint64_t kBfqMaximum = 1000;
  auto words = split_blanks(write.value);
  if (words.size() == 2 && words[0] == "default") words.erase(words.begin());
  const bool for_device = words.size() == 2 && is_device_number(words[0]);
  if (words.size() != 1 && !for_device) refuse_value(write, kForm);
  if (for_device && words[1] == "default")
    return {{"blkio.bfq.weight_device", formatted("{} default", words[0])}};
  const auto weight = parse_unsigned(words.back());
  if (!weight || *weight < 1 || *weight > 10000) refuse_value(write, kForm);
  const std::uint64_t clamped = std::min(*weight, kBfqMaximum);
  if (for_device) return {{"blkio.bfq.weight_device", formatted("{} {}", words[0], clamped)}};
  return {{"blkio.bfq.weight", std::to_string(clamped)}};
}

struct Translation {
  std::string_view file;
  Files (*translate)(const FileWrite& write);
};

// memory.max and memory.swap.max are one pair in v1 and are not in this table.
constexpr std::array<Translation, 11> kTranslations = {{
    {"cpu.max", cpu_bandwidth},
    {"cpu.max.burst", cpu_burst},
    {"cpu.weight", cpu_shares},
    {"cpu.idle", same},
    {"cpuset.cpus", same},
    {"cpuset.mems", same},
    {"io.max", io_throttle},
    {"io.weight", io_weight},
    {"memory.high", soft_limit},
    {"pids.max", same},
    {"rdma.max", same},
}};

bool is_on_unified(const FileWrite& write, const Layout& layout) {
  const std::string_view controller = std::string_view(write.file).substr(0, write.file.find('.'));
  return controller == "cgroup" || layout.has_v2(controller);
}

class Placement {
 public:
  Placement(const std::vector<FileWrite>& writes, const Layout& layout) : writes_(writes), layout_(layout) {}

  std::vector<PlacedWrite> run() {
    for (const auto& write : writes_) place(write);
    return std::move(placed_);
  }

 private:
  void place(const FileWrite& write) {
    const auto dot = write.file.find('.');
    if (dot == std::string::npos || dot == 0 || write.file.find('/') != std::string::npos) {
      refuse(write, "this is not the name of a control file",
             "control files are named <controller>.<name>, such as memory.max");
    }
    const std::string controller = write.file.substr(0, dot);
    if (is_on_unified(write, layout_)) {
      placed_.push_back({layout_.unified, write.file, write.value, write.origin});
      return;
    }
    const std::string hierarchy = layout_.v1_hierarchy(controller == "io" ? "blkio" : controller);
    if (hierarchy.empty()) {
      refuse(write, formatted("it has no cgroup controller '{}'", controller),
             "see /proc/cgroups and /sys/fs/cgroup/cgroup.controllers; a controller can be disabled on the "
             "kernel's "
             "command line (cgroup_disable=) or left out of the kernel");
    }
    if (write.file == "memory.max" || write.file == "memory.swap.max") {
      place_memory_pair(hierarchy);
      return;
    }
    const auto row = std::find_if(kTranslations.begin(), kTranslations.end(),
                                  [&write](const Translation& entry) { return entry.file == write.file; });
    if (row == kTranslations.end()) {
      refuse(
          write, formatted("its controller '{}' is on cgroup v1, which has no such setting", controller),
          "remove the line, or boot with all controllers on cgroup v2 (systemd.unified_cgroup_hierarchy=1)");
    }
    for (auto& [file, value] : row->translate(write))
      placed_.push_back({hierarchy, file, value, write.origin});
  }

  const FileWrite* last(std::string_view file) const {
    const auto found = std::find_if(writes_.rbegin(), writes_.rend(),
                                    [file](const FileWrite& write) { return write.file == file; });
    return found == writes_.rend() ? nullptr : &*found;
  }

  void place_memory_pair(const std::string& hierarchy) {
    if (memory_placed_) return;
    memory_placed_ = true;
    const FileWrite* memory = last("memory.max");
    const FileWrite* swap = last("memory.swap.max");
    if (memory != nullptr)
      placed_.push_back({hierarchy, "memory.limit_in_bytes", v1_amount(*memory), memory->origin});
    if (swap == nullptr) return;
    const bool unlimited = v1_amount(*swap) == "-1";
    if (!layout_.v1_swap_accounting) {
      if (unlimited) return;
      refuse(*swap, "its kernel does not count swap", "boot with swapaccount=1");
    }
    placed_.push_back(
        {hierarchy, "memory.memsw.limit_in_bytes", unlimited ? "-1" : sum(memory, *swap), swap->origin});
  }

  static std::string sum(const FileWrite* memory, const FileWrite& swap) {
    const auto memory_limit = memory == nullptr ? Limit::max() : parse_limit(trim(memory->value)).value();
    if (!memory_limit.bytes) {
      refuse(swap, "cgroup v1 limits memory and swap together, so a swap limit needs a limit for memory",
             "set memory.max, too");
    }
    const std::uint64_t swap_bytes = parse_limit(trim(swap.value)).value().bytes.value_or(0);
    if (*memory_limit.bytes > std::numeric_limits<std::uint64_t>::max() - swap_bytes) return "-1";
    return std::to_string(*memory_limit.bytes + swap_bytes);
  }

  const std::vector<FileWrite>& writes_;
  const Layout& layout_;
  std::vector<PlacedWrite> placed_;
  bool memory_placed_ = false;
};

}  // namespace

std::vector<PlacedWrite> place(const std::vector<FileWrite>& writes, const Layout& layout) {
  return Placement(writes, layout).run();
}

std::vector<PlacedWrite> for_fresh_group(std::vector<PlacedWrite> placed) {
  const auto period = std::find_if(placed.begin(), placed.end(), [](const PlacedWrite& write) {
    return write.file == "cpu.cfs_period_us";
  });
  // A later one may go back to it.
  if (period != placed.end() && period->value == kFreshPeriod) placed.erase(period);
  return placed;
}

}  // namespace hutch::cgroupv2
