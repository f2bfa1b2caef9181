#include <cmath>

#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/lxc_options.h"
#include "config/lowering.h"
#include "config/value_types.h"

// Limits: files of cgroup v2 as the options memory, swap, cpulimit, cpuunits.
namespace hutch::config {

namespace {

constexpr std::uint64_t kMebibyte = 1U << 20;
constexpr std::uint64_t kPeriod = 100000;  // microseconds; what the option cpulimit is written with
constexpr std::uint64_t kMaxCpus = 8192;

// Whole mebibytes, `least` of them at least. The kernel takes suffixes, too.
std::optional<std::uint64_t> mebibytes(const RawEntry& entry, std::uint64_t least) {
  try {
    const auto bytes = v1_bytes(entry);
    if (!bytes || *bytes % kMebibyte != 0 || *bytes / kMebibyte < least) return std::nullopt;
    return *bytes / kMebibyte;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void memory_to_option(LxcDraft& draft, std::string_view file, const char* option, std::uint64_t least,
                      std::vector<RawEntry>& clears) {
  const std::string key = formatted("lxc.cgroup2.{}", file);
  const auto* entry = draft.last(key);
  if (entry != nullptr && !entry->value.empty() && entry->value != "max") {
    if (const auto count = mebibytes(*entry, least)) {
      draft.section.set(option, std::to_string(*count), entry->origin);
      draft.remove(key);
      return;
    }
    // The raw line stays and wins over the CT's default.
  } else {
    draft.remove(key);
  }
  clears.push_back({key, "", default_origin()});
}

// The shortest decimal number that the option turns into exactly this quota.
std::optional<std::string> cpu_count(std::uint64_t quota) {
  const std::uint64_t fraction = quota % kPeriod;
  std::string text = std::to_string(quota / kPeriod);
  if (fraction != 0) {
    text += formatted(".{:05}", fraction);
    while (text.back() == '0') text.pop_back();
  }
  const auto number = parse_number(text);
  if (!number || static_cast<std::uint64_t>(std::floor(static_cast<double>(kPeriod) * *number)) != quota) {
    return std::nullopt;
  }
  return text;
}

void cpu_max_to_option(LxcDraft& draft) {
  const auto* entry = draft.last("lxc.cgroup2.cpu.max");
  if (entry == nullptr) return;
  const auto words = split_blanks(entry->value);
  const bool no_limit = words.empty() || words[0] == "max";
  if (!no_limit) {
    const auto quota = parse_unsigned(words[0]);
    const auto period = words.size() == 2 ? parse_unsigned(words[1]) : kPeriod;
    // The option refuses quotas below the kernel's 1 ms.
    if (words.size() > 2 || !quota || period != kPeriod || *quota < 1000 || *quota > kMaxCpus * kPeriod)
      return;
    const auto text = cpu_count(*quota);
    if (!text) return;
    draft.section.set("cpulimit", *text, entry->origin);
  }
  draft.remove("lxc.cgroup2.cpu.max");
}

void cpu_weight_to_option(LxcDraft& draft) {
  const auto* entry = draft.last("lxc.cgroup2.cpu.weight");
  if (entry == nullptr) return;
  const auto weight = parse_unsigned(entry->value);
  if (!weight || *weight < 1 || *weight > 10000) return;
  draft.section.set("cpuunits", std::to_string(*weight), entry->origin);
  draft.remove("lxc.cgroup2.cpu.weight");
}

}  // namespace

void resources_to_options(LxcDraft& draft) {
  // A CT has limits by default, elsewhere a container has none.
  std::vector<RawEntry> clears;
  memory_to_option(draft, "memory.max", "memory", 16, clears);
  clears.push_back({"lxc.cgroup2.memory.high", "", default_origin()});
  memory_to_option(draft, "memory.swap.max", "swap", 0, clears);
  cpu_max_to_option(draft);
  cpu_weight_to_option(draft);
  draft.section.raw.insert(draft.section.raw.end(), clears.begin(), clears.end());
}

}  // namespace hutch::config
