#include "cgroupv2/writes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/format.h"

namespace hutch::cgroupv2 {

namespace {

std::string limit_text(const Limit& limit) {
  return limit.bytes ? std::to_string(*limit.bytes) : "max";
}

std::string cpu_max_text(const CpuMax& limit) {
  return formatted("{} {}", limit.quota_us ? std::to_string(*limit.quota_us) : "max", limit.period_us);
}

constexpr std::pair<std::string_view, const char*> kDefaults[] = {
    {"memory.swap.max", "max"}, {"memory.high", "max"}, {"memory.max", "max"},
    {"cpu.max", "max 100000"},  {"cpu.weight", "100"},  {"pids.max", "max"},
};

const FileWrite* last_write(const std::vector<FileWrite>& writes, std::string_view file) {
  const auto found = std::find_if(writes.rbegin(), writes.rend(),
                                  [file](const FileWrite& write) { return write.file == file; });
  return found == writes.rend() ? nullptr : &*found;
}

// Each file once, with the value that wins.
std::vector<FileWrite> final_writes(Resources resources) {
  resources.cpu_count.reset();
  const auto writes = resource_writes(resources);
  std::vector<FileWrite> last;
  for (const auto& write : writes) {
    if (last_write(writes, write.file) == &write) last.push_back(write);
  }
  return last;
}

bool is_memory_pair(std::string_view file) {
  return file == "memory.max" || file == "memory.swap.max";
}

}  // namespace

std::vector<FileWrite> resource_writes(const Resources& resources, const std::string& cpus) {
  std::vector<FileWrite> writes;
  const auto add = [&writes](const char* file, const auto& setting, const auto& text) {
    if (setting) writes.push_back({file, text(setting->value), setting->origin});
  };
  const auto number = [](std::uint32_t value) { return std::to_string(value); };
  add("memory.swap.max", resources.memory_swap_max, limit_text);
  add("memory.high", resources.memory_high, limit_text);
  add("memory.max", resources.memory_max, limit_text);
  add("cpu.max", resources.cpu_max, cpu_max_text);
  add("cpu.weight", resources.cpu_weight, number);
  if (resources.cpu_count && cpus.empty()) {
    throw Error(
        formatted("cannot limit the container to {} CPUs: none were chosen", resources.cpu_count->value), 0,
        {}, resources.cpu_count->origin);
  }
  add("cpuset.cpus", resources.cpu_count, [&cpus](std::uint32_t) { return cpus; });
  add("pids.max", resources.pids_max, limit_text);
  for (const auto& raw : resources.raw) writes.push_back({raw.file, raw.value, raw.origin});
  return writes;
}

std::vector<PlacedWrite> changed_writes(const Resources& from, const Resources& to, const Layout& layout) {
  const auto before = final_writes(from);
  auto after = final_writes(to);
  const bool weight_goes = last_write(after, "cpu.weight") == nullptr;
  for (const auto& [file, value] : kDefaults) {
    if (last_write(before, file) == nullptr || last_write(after, file) != nullptr) continue;
    after.push_back({std::string(file), value, {}});
  }
  const auto differs = [&before](const FileWrite& write) {
    const FileWrite* old = last_write(before, write.file);
    return old == nullptr || old->value != write.value;
  };
  const bool memory_pair = std::any_of(after.begin(), after.end(), [&](const FileWrite& write) {
    return is_memory_pair(write.file) && differs(write);
  });
  std::erase_if(after, [&](const FileWrite& write) {
    return !differs(write) && !(memory_pair && is_memory_pair(write.file));
  });
  auto placed = place(after, layout);
  // The defaults of the two trees do not correspond: a weight of 100 would be 2598 shares.
  for (auto& write : placed) {
    if (weight_goes && write.file == "cpu.shares") write.value = "1024";
  }
  return placed;
}

std::optional<Limit> parse_limit(std::string_view text) {
  if (text == "max") return Limit::max();
  constexpr std::string_view kSuffixes = "kmgtpe";
  unsigned shift = 0;
  if (!text.empty()) {
    const char last = text.back();
    const char lower = last >= 'A' && last <= 'Z' ? static_cast<char>(last - 'A' + 'a') : last;
    const auto found = kSuffixes.find(lower);
    if (found != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(found) + 1);
      text.remove_suffix(1);
    }
  }
  if (text.empty()) return std::nullopt;
  std::uint64_t amount = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (amount > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
    amount = amount * 10 + digit;
  }
  if (shift > 0 && amount > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return Limit::of(amount << shift);
}

std::uint64_t shares_of_weight(std::uint64_t weight) {
  const std::uint64_t clamped = std::clamp<std::uint64_t>(weight, 1, 10000);
  // Rounded up, so that the formula of the other direction, which rounds down, gives the weight back.
  return 2 + ((clamped - 1) * 262142 + 9998) / 9999;
}

}  // namespace hutch::cgroupv2
