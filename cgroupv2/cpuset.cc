#include "cgroupv2/cpuset.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cgroupv2 {

namespace {

// Far above any kernel's NR_CPUS; keeps "0-4000000000" from filling the memory.
constexpr std::uint64_t kCpuLimit = 65536;

// SplitMix64 (Steele, Lea, Flood 2014): one well mixed number per step.
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

}  // namespace

CpuList parse_cpu_list(std::string_view text) {
  CpuList cpus;
  const std::string_view list = trim(text);
  if (list.empty()) return cpus;
  for (const auto part : split(list, ',')) {
    const auto dash = part.find('-');
    const auto first = parse_unsigned(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_unsigned(part.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= kCpuLimit) {
      throw Error(formatted("'{}' is not a list of CPUs", list), EINVAL, "write numbers and ranges: 0-3,8");
    }
    for (std::uint64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<unsigned>(cpu));
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string print_cpu_list(const CpuList& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[i]);
    if (end - i > 1) text += '-' + std::to_string(cpus[end - 1]);
    i = end;
  }
  return text;
}

CpuList choose_cpus(CpuList allowed, std::size_t count, std::uint64_t seed) {
  while (allowed.size() > count) {
    const auto victim = next_random(seed) % allowed.size();
    allowed.erase(allowed.begin() + static_cast<CpuList::difference_type>(victim));
  }
  return allowed;
}

CpuList resize_cpus(const CpuList& current, const CpuList& allowed, std::size_t count) {
  CpuList cpus;
  std::set_intersection(current.begin(), current.end(), allowed.begin(), allowed.end(),
                        std::back_inserter(cpus));
  if (cpus.size() > count) cpus.resize(count);
  for (const unsigned cpu : allowed) {
    if (cpus.size() >= count) break;
    const auto place = std::lower_bound(cpus.begin(), cpus.end(), cpu);
    if (place == cpus.end() || *place != cpu) cpus.insert(place, cpu);
  }
  return cpus;
}

CpuList effective_cpus(const Layout& layout, const std::string& group) {
  const bool on_v2 = layout.has_v2("cpuset");
  const std::string hierarchy = on_v2 ? layout.unified : layout.v1_hierarchy("cpuset");
  if (hierarchy.empty()) {
    throw Error("cannot find out which CPUs containers may use: this host has no cgroup controller 'cpuset'",
                0, "remove 'cores' from the config, or enable the controller");
  }
  const std::string file = on_v2 ? "/cpuset.cpus.effective" : "/cpuset.effective_cpus";
  if (const auto text = read_file_if_exists(AT_FDCWD, hierarchy + "/" + group + file)) {
    // A fresh v1 cpuset is empty until it is set up.
    if (const auto cpus = parse_cpu_list(*text); !cpus.empty()) return cpus;
  }
  return parse_cpu_list(read_file(AT_FDCWD, hierarchy + file));
}

}  // namespace hutch::cgroupv2
