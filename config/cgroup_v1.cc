#include "config/cgroup_v1.h"

#include <algorithm>

#include "base/text.h"
#include "config/lowering.h"
#include "config/raw_keys.h"

namespace hutch::config {

namespace {

constexpr std::string_view kPrefix = "lxc.cgroup.";
constexpr std::uint64_t kDefaultPeriod = 100000;  // microseconds

bool is_unlimited(std::string_view value) {
  return value == "-1" || value == "max";
}

// "512M"; nothing for other text.
std::optional<std::uint64_t> parse_v1_bytes(std::string_view digits) {
  unsigned shift = 0;
  constexpr std::string_view units = "bkmgt";
  const auto unit =
      digits.empty() ? std::string_view::npos : units.find(to_lower(digits.substr(digits.size() - 1)));
  if (unit != std::string_view::npos) {
    shift = 10 * static_cast<unsigned>(unit);
    digits.remove_suffix(1);
  }
  const auto number = parse_unsigned(digits);
  if (!number || *number > UINT64_MAX >> shift) return std::nullopt;
  return *number << shift;
}

std::uint64_t number_of(const RawEntry& entry, std::string_view expects) {
  const auto number = parse_unsigned(entry.value);
  if (!number) bad_value(entry, expects);
  return *number;
}

// A line that the conversion of others may ask about.
class Entries {
 public:
  Entries(const std::vector<RawEntry>& entries, const GeneratedLimits& generated)
      : entries_(entries), generated_(generated) {}

  // The last line of that v1 file with a value.
  const RawEntry* last(std::string_view file) const {
    const auto found = std::find_if(entries_.rbegin(), entries_.rend(), [file](const RawEntry& entry) {
      return entry.key.starts_with(kPrefix) && std::string_view(entry.key).substr(kPrefix.size()) == file &&
             !entry.value.empty();
    });
    return found == entries_.rend() ? nullptr : &*found;
  }
  // Nothing: there is no limit.
  std::optional<std::uint64_t> memory_limit() const {
    if (const auto* entry = last("memory.limit_in_bytes")) return v1_bytes(*entry);
    return generated_.memory;
  }
  const GeneratedLimits& generated() const { return generated_; }

 private:
  const std::vector<RawEntry>& entries_;
  const GeneratedLimits& generated_;
};

using Convert = std::optional<std::string> (*)(const RawEntry& entry, const Entries& all);

std::optional<std::string> same(const RawEntry& entry, const Entries&) {
  return entry.value;
}

std::optional<std::string> bytes(const RawEntry& entry, const Entries&) {
  const auto count = v1_bytes(entry);
  return count ? std::to_string(*count) : "max";
}

std::optional<std::string> swap(const RawEntry& entry, const Entries& all) {
  const auto total = v1_bytes(entry);
  const auto memory = all.memory_limit();
  if (!total || !memory) return "max";
  if (*total < *memory) bad_value(entry, formatted("at least the limit of memory alone, {} bytes", *memory));
  return std::to_string(*total - *memory);
}

std::optional<std::string> weight(const RawEntry& entry, const Entries&) {
  return std::to_string(weight_of_shares(number_of(entry, "a number of shares")));
}

std::string cpu_max(const Entries& all) {
  const auto* quota = all.last("cpu.cfs_quota_us");
  const auto* period = all.last("cpu.cfs_period_us");
  const auto us = period == nullptr ? kDefaultPeriod : number_of(*period, "a number of microseconds");
  if (quota == nullptr) {
    const auto generated = all.generated().cpu_quota_us;
    return formatted("{} {}", generated ? std::to_string(*generated) : "max", us);
  }
  if (is_unlimited(quota->value)) return formatted("max {}", us);
  return formatted("{} {}", number_of(*quota, "a number of microseconds, or -1"), us);
}

std::optional<std::string> quota(const RawEntry&, const Entries& all) {
  return cpu_max(all);
}

// Part of what the line of the quota says, if there is one.
std::optional<std::string> period(const RawEntry&, const Entries& all) {
  if (all.last("cpu.cfs_quota_us") != nullptr) return std::nullopt;
  return cpu_max(all);
}

// "8:0 1048576" -> "8:0 rbps=1048576"
std::string throttle(const RawEntry& entry, std::string_view name) {
  constexpr std::string_view kForm = "of the form '<major>:<minor> <limit>'";
  const auto words = split_blanks(entry.value);
  if (words.size() != 2 || words[0].find(':') == std::string_view::npos) bad_value(entry, kForm);
  const auto limit = parse_v1_bytes(words[1]);
  if (!limit) bad_value(entry, kForm);
  // 0 took the limit away.
  return formatted("{} {}={}", words[0], name, *limit == 0 ? std::string("max") : std::to_string(*limit));
}

struct V1File {
  std::string_view v1;
  std::string_view v2;
  Convert convert = same;
};
constexpr V1File kFiles[] = {
    {"blkio.throttle.read_bps_device", "io.max",
     [](const RawEntry& entry, const Entries&) { return std::optional(throttle(entry, "rbps")); }},
    {"blkio.throttle.read_iops_device", "io.max",
     [](const RawEntry& entry, const Entries&) { return std::optional(throttle(entry, "riops")); }},
    {"blkio.throttle.write_bps_device", "io.max",
     [](const RawEntry& entry, const Entries&) { return std::optional(throttle(entry, "wbps")); }},
    {"blkio.throttle.write_iops_device", "io.max",
     [](const RawEntry& entry, const Entries&) { return std::optional(throttle(entry, "wiops")); }},
    {"blkio.weight", "io.weight"},
    {"cpu.cfs_period_us", "cpu.max", period},
    {"cpu.cfs_quota_us", "cpu.max", quota},
    {"cpu.shares", "cpu.weight", weight},
    {"cpuset.cpus", "cpuset.cpus"},
    {"cpuset.mems", "cpuset.mems"},
    {"devices.allow", "devices.allow"},
    {"devices.deny", "devices.deny"},
    {"memory.limit_in_bytes", "memory.max", bytes},
    {"memory.memsw.limit_in_bytes", "memory.swap.max", swap},
    {"memory.soft_limit_in_bytes", "memory.high", bytes},
    {"pids.max", "pids.max"},
};

// A line that is replaced: not lxc.cgroup.dir and the like.
bool is_v1_file(const RawEntry& entry) {
  return entry.key.starts_with(kPrefix) && raw_key_info(entry.key).key_class == RawKeyClass::cgroup_v1;
}

// Null for a file without a counterpart.
const V1File* find_file(const RawEntry& entry) {
  const auto file = std::string_view(entry.key).substr(kPrefix.size());
  const auto* row = std::find_if(std::begin(kFiles), std::end(kFiles),
                                 [file](const V1File& known) { return known.v1 == file; });
  return row == std::end(kFiles) ? nullptr : row;
}

void report(const Error& error, Diagnostics& diagnostics) {
  diagnostics.push_back({Diagnostic::Severity::warning, error.action(), error.origin()});
}

// Without the lines whose values are bad by themselves. They must not reach those that look at others.
std::vector<RawEntry> usable(const std::vector<RawEntry>& entries, Diagnostics& diagnostics) {
  std::vector<RawEntry> result;
  for (const auto& entry : entries) {
    const auto* row = is_v1_file(entry) && !entry.value.empty() ? find_file(entry) : nullptr;
    try {
      if (row != nullptr) row->convert(entry, Entries({entry}, {}));
      result.push_back(entry);
    } catch (const Error& error) {
      report(error, diagnostics);
    }
  }
  return result;
}

}  // namespace

std::vector<RawEntry> to_cgroup_v2(std::vector<RawEntry> entries, const GeneratedLimits& generated,
                                   Diagnostics& diagnostics, BadLimits bad) {
  if (std::none_of(entries.begin(), entries.end(), is_v1_file)) return entries;
  if (bad == BadLimits::report) entries = usable(entries, diagnostics);
  std::vector<RawEntry> result;
  const Entries all(entries, generated);
  for (const auto& entry : entries) {
    if (!is_v1_file(entry)) {
      result.push_back(entry);
      continue;
    }
    const auto* row = find_file(entry);
    if (row == nullptr) {
      diagnostics.push_back(
          {Diagnostic::Severity::warning,
           formatted("'{}' is a cgroup v1 setting without a counterpart and has no effect", entry.key),
           entry.origin});
      continue;
    }
    if (row->convert == swap && !entry.value.empty() && v1_bytes(entry) && !all.memory_limit()) {
      diagnostics.push_back({Diagnostic::Severity::warning,
                             formatted("'{}' has no effect without a limit of memory", entry.key),
                             entry.origin});
      continue;
    }
    try {
      auto value = entry.value.empty() ? std::string() : row->convert(entry, all);
      if (value) result.push_back({formatted("lxc.cgroup2.{}", row->v2), std::move(*value), entry.origin});
    } catch (const Error& error) {
      // A limit of memory and swap below that of memory alone.
      if (bad == BadLimits::refuse) throw;
      report(error, diagnostics);
    }
  }
  return result;
}

std::uint64_t weight_of_shares(std::uint64_t shares) {
  return 1 + (std::clamp<std::uint64_t>(shares, 2, 262144) - 2) * 9999 / 262142;
}

std::optional<std::uint64_t> v1_bytes(const RawEntry& entry) {
  if (is_unlimited(entry.value)) return std::nullopt;
  const auto count = parse_v1_bytes(entry.value);
  if (!count) bad_value(entry, "a byte count such as 512M");
  return count;
}

}  // namespace hutch::config
