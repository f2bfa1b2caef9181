#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/libvirt_reader.h"

// Limits. Sizes are in KiB unless the element says otherwise.
namespace hutch::config {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::uint64_t kKibi = 1024;
constexpr Unit kUnits[] = {{"b", 1},
                           {"bytes", 1},
                           {"kb", 1000},
                           {"k", kKibi},
                           {"kib", kKibi},
                           {"mb", 1000000},
                           {"m", kKibi* kKibi},
                           {"mib", kKibi* kKibi},
                           {"gb", 1000000000},
                           {"g", kKibi* kKibi* kKibi},
                           {"gib", kKibi* kKibi* kKibi},
                           {"tb", 1000000000000},
                           {"t", kKibi* kKibi* kKibi* kKibi},
                           {"tib", kKibi* kKibi* kKibi* kKibi}};
// virDomainMemtuneDef's "no limit": 2^53 - 1 KiB, and what older versions rounded it to.
constexpr std::uint64_t kUnlimitedKibibytes = 9007199254740988;

void put_limit(LibvirtDraft& draft, const pugi::xml_node& node, const char* file,
               std::optional<std::uint64_t> bytes) {
  draft.put(formatted("lxc.cgroup2.{}", file), bytes ? std::to_string(*bytes) : "max", node);
}

std::optional<std::uint64_t> bytes_in(const LibvirtDraft& draft, const pugi::xml_node& node) {
  return libvirt_bytes(draft, node, text_of(node), attribute(node, "unit"));
}

void read_swap_limit(LibvirtDraft& draft, const pugi::xml_node& both, std::optional<std::uint64_t> limit) {
  const auto bytes = bytes_in(draft, both);
  if (bytes && limit && *bytes < *limit) draft.bad(both, text_of(both), "at least the limit of memory alone");
  put_limit(draft, both, "memory.swap.max", bytes && limit ? std::optional(*bytes - *limit) : std::nullopt);
}

void read_memory(LibvirtDraft& draft, const pugi::xml_node& domain) {
  const auto memory = domain.child("memory");
  const auto tune = domain.child("memtune");
  const auto hard = tune.child("hard_limit");
  std::optional<std::uint64_t> limit;
  const auto node = hard ? hard : memory;
  draft.attempt(node, [&] {
    if (!node) return;
    limit = bytes_in(draft, node);
    put_limit(draft, node, "memory.max", limit);
  });
  const auto current = domain.child("currentMemory");
  draft.attempt(current, [&] {
    if (current && memory && bytes_in(draft, current) != bytes_in(draft, memory))
      draft.not_carried(current, "the memory of a container is not ballooned; <memory> counts");
  });
  if (const auto soft = tune.child("soft_limit"))
    draft.attempt(soft, [&] { put_limit(draft, soft, "memory.high", bytes_in(draft, soft)); });
  if (const auto both = tune.child("swap_hard_limit"))
    draft.attempt(both, [&] { read_swap_limit(draft, both, limit); });
  if (const auto least = tune.child("min_guarantee")) {
    draft.not_carried(least, "containers have no guaranteed memory");
  }
}

void read_cpus(LibvirtDraft& draft, const pugi::xml_node& domain) {
  const auto vcpu = domain.child("vcpu");
  if (!vcpu) return;
  if (const auto set = attribute(vcpu, "cpuset"); !set.empty()) {
    if (set.find('^') != std::string::npos) {
      return draft.not_carried(vcpu, "a CPU set with exclusions; write the ranges that are meant");
    }
    return draft.put("lxc.cgroup2.cpuset.cpus", set, vcpu);
  }
  const auto count = draft.number(vcpu, text_of(vcpu));
  if (count == 0 || count > 8192) draft.bad(vcpu, text_of(vcpu), "a number of CPUs from 1 to 8192");
  draft.set("cores", std::to_string(count), vcpu);
}

void read_shares(LibvirtDraft& draft, const pugi::xml_node& node) {
  draft.put("lxc.cgroup2.cpu.weight", std::to_string(weight_of_shares(draft.number(node, text_of(node)))),
            node);
}

void read_quota(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto period = node.parent().child("period");
  // Negative: no limit.
  const auto quota =
      text_of(node).starts_with('-') ? "max" : std::to_string(draft.number(node, text_of(node)));
  draft.put("lxc.cgroup2.cpu.max",
            formatted("{} {}", quota, period ? draft.number(period, text_of(period)) : 100000), node);
}

constexpr ElementRow kCpuTune[] = {
    {"period", [](LibvirtDraft&, const pugi::xml_node&) {}},  // with the quota
    {"quota", read_quota},
    {"shares", read_shares},
};

void read_device_limits(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto path = text_of(node.child("path"));
  HostDevice device;
  try {
    if (!draft.lxc.sources.device_at) throw Error(formatted("cannot stat '{}'", path), ENOENT);
    device = draft.lxc.sources.device_at(path);
  } catch (const Error& error) {
    return draft.not_carried(node, formatted("limits of a device need its numbers: {}", error.what()));
  }
  constexpr std::pair<std::string_view, const char*> kLimits[] = {{"read_bytes_sec", "rbps"},
                                                                  {"read_iops_sec", "riops"},
                                                                  {"write_bytes_sec", "wbps"},
                                                                  {"write_iops_sec", "wiops"}};
  const auto read_limit = [&](const pugi::xml_node& child) {
    const std::string_view name = child.name();
    const auto* row =
        std::find_if(std::begin(kLimits), std::end(kLimits), [&](const auto& r) { return r.first == name; });
    if (row != std::end(kLimits)) {
      const auto limit = draft.number(child, text_of(child));
      draft.put("lxc.cgroup2.io.max",
                formatted("{}:{} {}={}", device.major, device.minor, row->second,
                          limit == 0 ? std::string("max") : std::to_string(limit)),
                child);
    } else if (name == "weight") {
      draft.put("lxc.cgroup2.io.weight",
                formatted("{}:{} {}", device.major, device.minor, draft.number(child, text_of(child))),
                child);
    } else {
      draft.not_carried(child, "it has no counterpart in a CT config");
    }
  };
  for (const auto& child : node.children()) {
    if (child.type() != pugi::node_element || std::string_view(child.name()) == "path") continue;
    draft.attempt(child, [&] { read_limit(child); });
  }
}

constexpr ElementRow kBlockTune[] = {
    {"device", read_device_limits},
    {"weight",
     [](LibvirtDraft& draft, const pugi::xml_node& node) {
       draft.put("lxc.cgroup2.io.weight", std::to_string(draft.number(node, text_of(node))), node);
     }},
};

constexpr ElementRow kNumaTune[] = {
    {"memory",
     [](LibvirtDraft& draft, const pugi::xml_node& node) {
       const auto nodes = attribute(node, "nodeset");
       if (nodes.empty()) return draft.not_carried(node, "only a nodeset is taken");
       draft.put("lxc.cgroup2.cpuset.mems", nodes, node);
     }},
};

}  // namespace

std::optional<std::uint64_t> libvirt_bytes(const LibvirtDraft& draft, const pugi::xml_node& node,
                                           const std::string& text, const std::string& unit) {
  const auto name = to_lower(unit.empty() ? "KiB" : unit);
  const auto* row =
      std::find_if(std::begin(kUnits), std::end(kUnits), [&name](const Unit& u) { return u.name == name; });
  if (row == std::end(kUnits)) draft.bad(node, unit, "a unit such as KiB, MiB or GB");
  const auto count = draft.number(node, text);
  if (count > UINT64_MAX / row->bytes || count * row->bytes / kKibi >= kUnlimitedKibibytes)
    return std::nullopt;
  return count * row->bytes;
}

void read_tuning(LibvirtDraft& draft, const pugi::xml_node& domain) {
  read_memory(draft, domain);
  draft.attempt(domain.child("vcpu"), [&] { read_cpus(draft, domain); });
  read_children(draft, domain.child("cputune"), kCpuTune, std::size(kCpuTune));
  read_children(draft, domain.child("blkiotune"), kBlockTune, std::size(kBlockTune));
  read_children(draft, domain.child("numatune"), kNumaTune, std::size(kNumaTune));
}

}  // namespace hutch::config
