#include <algorithm>
#include <sstream>

#include <pugixml.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/export.h"
#include "config/formats/mount_line.h"
#include "config/lowering.h"
#include "config/options.h"
#include "config/property_formats.h"

// A container as libvirt describes it. Most of what LXC's raw lines can say it has no words for.
namespace hutch::config {

namespace {

// Options that need no words: said by the elements, or about the tools alone.
constexpr std::string_view kWritten[] = {
    "arch", "console", "cores",  "cpulimit", "cpuunits", "dev",      "entrypoint", "hostname",    "memory",
    "mp",   "net",     "ostype", "rootfs",   "swap",     "timezone", "tty",        "unprivileged"};
// Raw lines that end up in elements; those of mounts and cgroup files are looked at one by one.
constexpr std::string_view kWrittenRaw[] = {
    "lxc.arch",        "lxc.cap.drop", "lxc.cap.keep", "lxc.environment",        "lxc.idmap",
    "lxc.init.cmd",    "lxc.init.cwd", "lxc.init.gid", "lxc.init.uid",           "lxc.mount.entry",
    "lxc.rootfs.path", "lxc.tty.max",  "lxc.uts.name", "lxc.environment.runtime"};
// Limits that a raw line may override, and where their value comes from then.
constexpr std::string_view kLimits[] = {"cpu.max",   "cpu.weight",  "cpuset.cpus", "cpuset.mems",
                                        "io.weight", "memory.high", "memory.max",  "memory.swap.max"};

template <typename Table>
bool contains(const Table& table, std::string_view word) {
  return std::find(std::begin(table), std::end(table), word) != std::end(table);
}

// The shares that weight_of_shares() turns into this weight.
std::uint64_t shares_of_weight(std::uint64_t weight) {
  return 2 + ((weight - 1) * 262142 + 9998) / 9999;
}

class Export {
 public:
  Export(const ContainerConfig& config, const LoweringContext& context) : config_(config), context_(context) {
    spec_ = lower(config, context).spec;
    raw_ = current_entries(config.main, context, exported_.diagnostics);
    exported_.diagnostics.clear();
  }

  Exported run() {
    domain_ = document_.append_child("domain");
    domain_.append_attribute("type") = "lxc";
    text(domain_, "name", spec_.hostname);
    if (const auto& description = config_.main.description; !description.empty()) {
      text(domain_, "description", std::string(trim(description)));
    }
    id_map();
    limits();
    operating_system();
    features();
    clock();
    devices();
    report_options();
    report_raw();
    std::ostringstream out;
    document_.save(out, "  ", pugi::format_default | pugi::format_no_declaration);
    exported_.text = out.str();
    return std::move(exported_);
  }

 private:
  static pugi::xml_node text(pugi::xml_node parent, const char* name, const std::string& value) {
    auto node = parent.append_child(name);
    node.text().set(value.c_str());
    return node;
  }
  static void attribute(pugi::xml_node node, const char* name, const std::string& value) {
    node.append_attribute(name) = value.c_str();
  }
  void not_expressed(const Origin& origin, std::string message) {
    exported_.diagnostics.push_back({Diagnostic::Severity::error, std::move(message), origin});
  }

  void id_map() {
    if (spec_.id_map.empty()) return;
    auto node = domain_.append_child("idmap");
    const auto add = [&node](const char* name, const std::vector<IdRange>& ranges) {
      for (const auto& range : ranges) {
        auto line = node.append_child(name);
        attribute(line, "start", std::to_string(range.inside));
        attribute(line, "target", std::to_string(range.host));
        attribute(line, "count", std::to_string(range.count));
      }
    };
    add("uid", spec_.id_map.uids);
    add("gid", spec_.id_map.gids);
  }

  // The last raw line of a cgroup file; null when the options alone say it.
  const cgroupv2::RawWrite* raw_limit(std::string_view file) const {
    const auto& raw = spec_.resources.raw;
    const auto found =
        std::find_if(raw.rbegin(), raw.rend(), [file](const auto& write) { return write.file == file; });
    return found == raw.rend() ? nullptr : &*found;
  }

  // Bytes; nothing when there is no limit.
  std::optional<std::uint64_t> bytes(std::string_view file,
                                     const std::optional<Located<cgroupv2::Limit>>& option) const {
    const auto* raw = raw_limit(file);
    if (raw == nullptr) return option ? option->value.bytes : std::nullopt;
    if (raw->value == "max") return std::nullopt;
    return v1_bytes({std::string("lxc.cgroup2.") += file, raw->value, raw->origin});
  }

  static void size(pugi::xml_node parent, const char* name, std::uint64_t count) {
    const bool whole = count % 1024 == 0;
    auto node = text(parent, name, std::to_string(whole ? count / 1024 : count));
    attribute(node, "unit", whole ? "KiB" : "b");
  }

  void limits() {
    const auto& resources = spec_.resources;
    const auto memory = bytes("memory.max", resources.memory_max);
    // The element is mandatory; this is how libvirt writes "no limit".
    if (memory) {
      size(domain_, "memory", *memory);
    } else {
      attribute(text(domain_, "memory", "9007199254740991"), "unit", "KiB");
    }
    memory_tuning(memory);
    cpus();
    cpu_tuning();
    if (const auto* weight = raw_limit("io.weight"))
      text(domain_.append_child("blkiotune"), "weight", weight->value);
    if (const auto* nodes = raw_limit("cpuset.mems")) {
      attribute(domain_.append_child("numatune").append_child("memory"), "nodeset", nodes->value);
    }
  }

  void memory_tuning(const std::optional<std::uint64_t>& memory) {
    const auto high = bytes("memory.high", spec_.resources.memory_high);
    const auto swap = bytes("memory.swap.max", spec_.resources.memory_swap_max);
    if (!high && !(swap && memory)) return;
    auto node = domain_.append_child("memtune");
    if (high) size(node, "soft_limit", *high);
    if (swap && memory) size(node, "swap_hard_limit", *memory + *swap);
  }

  void cpus() {
    auto node = text(domain_, "vcpu",
                     spec_.resources.cpu_count ? std::to_string(spec_.resources.cpu_count->value) : "1");
    if (spec_.resources.cpu_count) return;
    const auto* set = raw_limit("cpuset.cpus");
    if (set != nullptr) return attribute(node, "cpuset", set->value);
    domain_.remove_child(node);
  }

  void cpu_tuning() {
    const auto& resources = spec_.resources;
    std::uint64_t weight = resources.cpu_weight ? resources.cpu_weight->value : 0;  // 0: none
    if (const auto* raw = raw_limit("cpu.weight")) weight = parse_unsigned(raw->value).value_or(0);
    std::optional<cgroupv2::CpuMax> cpu_max;
    if (resources.cpu_max) cpu_max = resources.cpu_max->value;
    if (const auto* raw = raw_limit("cpu.max")) {
      const auto words = split_blanks(raw->value);
      cpu_max = cgroupv2::CpuMax{words.empty() ? std::nullopt : parse_unsigned(words[0]),
                                 words.size() > 1 ? parse_unsigned(words[1]).value_or(100000) : 100000};
    }
    if (weight == 0 && !cpu_max) return;
    auto node = domain_.append_child("cputune");
    if (weight != 0)
      text(node, "shares", std::to_string(shares_of_weight(std::min<std::uint64_t>(weight, 10000))));
    if (!cpu_max) return;
    text(node, "period", std::to_string(cpu_max->period_us));
    text(node, "quota", cpu_max->quota_us ? std::to_string(*cpu_max->quota_us) : "-1");
  }

  void operating_system() {
    auto os = domain_.append_child("os");
    attribute(text(os, "type", "exe"), "arch", spec_.personality_32bit ? "i686" : "x86_64");
    const auto& init = spec_.init;
    text(os, "init", init.argv.front());
    for (std::size_t at = 1; at < init.argv.size(); ++at) text(os, "initarg", init.argv[at]);
    for (const auto& variable : init.environment) {
      if (variable.origin == default_origin()) continue;
      const auto equals = variable.value.find('=');
      attribute(text(os, "initenv", variable.value.substr(equals + 1)), "name",
                variable.value.substr(0, equals));
    }
    if (init.cwd != "/") text(os, "initdir", init.cwd);
    if (init.uid != 0) text(os, "inituser", std::to_string(init.uid));
    if (init.gid != 0) text(os, "initgroup", std::to_string(init.gid));
  }

  void features() {
    auto node = domain_.append_child("features");
    if (spec_.namespaces.net && spec_.links.empty()) node.append_child("privnet");
    auto capabilities = node.append_child("capabilities");
    const auto& keep = spec_.capabilities.keep;
    attribute(capabilities, "policy", keep ? "deny" : "allow");
    for (const auto& name : keep ? *keep : spec_.capabilities.drop) {
      attribute(capabilities.append_child(name.value.c_str()), "state", keep ? "on" : "off");
    }
  }

  void clock() {
    auto node = domain_.append_child("clock");
    const auto zone = config_.main.get("timezone");
    attribute(node, "offset", !zone || *zone == "UTC" ? "utc" : *zone == "host" ? "localtime" : "timezone");
    if (zone && *zone != "UTC" && *zone != "host") attribute(node, "timezone", *zone);
  }

  void file_system(const VolumeSpec& volume) {
    constexpr const char* kTypes[] = {"mount", "file", "block"};
    constexpr const char* kSources[] = {"dir", "file", "dev"};
    const auto kind = static_cast<std::size_t>(volume.kind);
    if (kind >= std::size(kTypes)) {
      return not_expressed(volume.origin,
                           formatted("'{}': libvirt has no file system of this type", volume.key));
    }
    if (volume.target != "/" && volume.kind != VolumeSpec::Kind::directory) {
      return not_expressed(volume.origin, formatted("'{}': an image beside the root", volume.key));
    }
    auto node = devices_.append_child("filesystem");
    attribute(node, "type", kTypes[kind]);
    attribute(node.append_child("source"), kSources[kind], volume.source);
    attribute(node.append_child("target"), "dir", volume.target);
    if (volume.read_only) node.append_child("readonly");
    if (volume.mount_attributes != 0 || !volume.fs_options.empty() || volume.disk_ids != DiskIds::host) {
      not_expressed(volume.origin, formatted("'{}': mount options and idmap", volume.key));
    }
  }

  void mount(const MountSpec& mount) {
    // What every CT has.
    if (mount.origin == default_origin()) return;
    const bool plain = !mount.recursive && !mount.id_mapped && !mount.optional &&
                       mount.create == MountSpec::Create::directory && mount.attributes_set == 0 &&
                       mount.attributes_clear == 0 && mount.propagation == MountSpec::Propagation::unchanged;
    const bool ram = plain && !mount.bind && mount.type == "tmpfs" && mount.fs_options.size() == 1 &&
                     mount.fs_options[0].first == "size" && parse_unsigned(mount.fs_options[0].second);
    if (!ram && !(plain && mount.bind)) {
      return not_expressed(mount.origin, formatted("the mount on /{}", mount.target));
    }
    auto node = devices_.append_child("filesystem");
    attribute(node, "type", ram ? "ram" : mount.source_in_root ? "bind" : "mount");
    auto source = node.append_child("source");
    if (ram) {
      attribute(source, "usage", mount.fs_options[0].second);
      attribute(source, "units", "b");
    } else {
      attribute(source, "dir",
                mount.source_in_root && !mount.source.starts_with('/') ? "/" + mount.source : mount.source);
    }
    attribute(node.append_child("target"), "dir", "/" + mount.target);
  }

  void devices() {
    devices_ = domain_.append_child("devices");
    file_system(spec_.rootfs);
    for (const auto& volume : spec_.mount_points) file_system(volume);
    for (const auto& entry : spec_.mounts) mount(entry);
    for (const auto& key : config_.main.indexed_keys("net")) interface(key);
    for (const auto& key : config_.main.indexed_keys("dev")) host_device(key);
    for (std::uint32_t i = 0; i < spec_.tty_count; ++i)
      attribute(devices_.append_child("console"), "type", "pty");
  }

  static void address(pugi::xml_node node, const std::string& cidr, const std::string& gateway,
                      const char* family) {
    const auto slash = cidr.find('/');
    if (slash == std::string::npos) return;
    auto ip = node.append_child("ip");
    attribute(ip, "address", cidr.substr(0, slash));
    attribute(ip, "family", family);
    attribute(ip, "prefix", cidr.substr(slash + 1));
    if (gateway.empty()) return;
    auto route = node.append_child("route");
    attribute(route, "family", family);
    attribute(route, "address", std::string_view(family) == "ipv4" ? "0.0.0.0" : "::");
    attribute(route, "prefix", "0");
    attribute(route, "gateway", gateway);
  }

  void interface(const std::string& key) {
    const auto net = parse_option(config_.main, key, parse_net);
    const auto& origin = config_.main.find(key)->origin;
    auto node = devices_.append_child("interface");
    attribute(node, "type", net.bridge.empty() ? "ethernet" : "bridge");
    if (!net.bridge.empty()) attribute(node.append_child("source"), "bridge", net.bridge);
    if (!net.hwaddr.empty()) attribute(node.append_child("mac"), "address", net.hwaddr);
    attribute(node.append_child("guest"), "dev", net.name);
    if (net.mtu) attribute(node.append_child("mtu"), "size", std::to_string(*net.mtu));
    if (net.tag) attribute(node.append_child("vlan").append_child("tag"), "id", std::to_string(*net.tag));
    const bool is_down = net.link_down.value_or(false);
    const bool managed = net.host_managed.value_or(false);
    if (is_down) attribute(node.append_child("link"), "state", "down");
    if (managed) {
      address(node, net.ip, net.gw, "ipv4");
      address(node, net.ip6, net.gw6, "ipv6");
    } else if (!is_down) {
      not_expressed(origin, formatted("'{}': libvirt always brings the interface up itself", key));
    }
    const std::pair<std::string_view, bool> rest[] = {
        {"addresses that the guest itself is told", !managed && !(net.ip.empty() && net.ip6.empty())},
        {"trunks", !net.trunks.empty()},
        {"rate", !net.rate.empty()},
        {"firewall", net.firewall.value_or(false)}};
    for (const auto& [name, is_set] : rest) {
      if (is_set) not_expressed(origin, formatted("'{}': {}", key, name));
    }
  }

  void host_device(const std::string& key) {
    const auto& origin = config_.main.find(key)->origin;
    const auto device = parse_option(config_.main, key, parse_device);
    if (!context_.device_at) return not_expressed(origin, formatted("'{}': its type is not known here", key));
    const bool block = context_.device_at(device.path).type == 'b';
    auto node = devices_.append_child("hostdev");
    attribute(node, "mode", "capabilities");
    attribute(node, "type", block ? "storage" : "misc");
    text(node.append_child("source"), block ? "block" : "char", device.path);
    if (device.mode || device.uid || device.gid || device.deny_write) {
      not_expressed(origin, formatted("'{}': mode, owner and deny-write", key));
    }
  }

  void report_options() {
    for (const auto& [key, value] : config_.main.options) {
      const auto* option = find_option(key);
      if (option == nullptr || contains(kWritten, option->name) || value.value == "0") continue;
      not_expressed(value.origin, formatted("option '{}'", key));
    }
    if (!spec_.console) not_expressed(config_.main.origin_of("console"), "a container without a console");
  }

  void report_raw() {
    for (const auto& entry : raw_) {
      if (contains(kWrittenRaw, entry.key)) continue;
      const std::string_view key = entry.key;
      if (key.starts_with("lxc.cgroup2.") && contains(kLimits, key.substr(12))) continue;
      // An empty value takes something back, which the elements then do not say.
      if (!entry.value.empty()) not_expressed(entry.origin, formatted("'{} = {}'", entry.key, entry.value));
    }
  }

  const ContainerConfig& config_;
  const LoweringContext& context_;
  std::vector<RawEntry> raw_;
  ContainerSpec spec_;
  pugi::xml_document document_;
  pugi::xml_node domain_;
  pugi::xml_node devices_;
  Exported exported_;
};

}  // namespace

Exported export_libvirt(const ContainerConfig& config, const LoweringContext& context) {
  return Export(config, context).run();
}

}  // namespace hutch::config
