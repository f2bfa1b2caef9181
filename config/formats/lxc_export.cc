#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/export.h"
#include "config/formats/lxc_options.h"
#include "config/formats/mount_line.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/options.h"
#include "config/property_formats.h"

// What PVE writes for LXC (lxc-mapping 1), with the includes written out: everything that the options cause,
// and then the raw lines as they are.
namespace hutch::config {

namespace {

// Raw lines that decide about what the options cause; the others only add to it.
bool decides(const RawEntry& entry) {
  constexpr std::string_view kKeys[] = {"lxc.apparmor.profile", "lxc.idmap", "lxc.seccomp.profile"};
  return entry.key.starts_with("lxc.rootfs.") ||
         std::find(std::begin(kKeys), std::end(kKeys), entry.key) != std::end(kKeys);
}

// Options that say how the tools treat a container, and their counterparts of LXC's.
struct OptionRow {
  std::string_view name;
  std::string_view why_not;  // empty: written
};
constexpr OptionRow kNotWritten[] = {
    {"cmode", "it is about 'pct console'"},
    {"cores", "LXC names CPUs, not their number"},
    {"debug", "it is an option of LXC's commands"},
    {"hookscript", "LXC's hooks are called in another way"},
    {"lock", "LXC has no locks of this kind"},
    {"nameserver", "LXC leaves the guest's files alone"},
    {"parent", "LXC has no snapshots in its file"},
    {"protection", "LXC protects no container"},
    {"searchdomain", "LXC leaves the guest's files alone"},
    {"tags", "LXC has no tags"},
    {"template", "LXC has no templates of this kind"},
    {"timezone", "LXC leaves the guest's files alone"},
    {"unused", "LXC knows no volumes"},
};

class Export {
 public:
  Export(const ContainerConfig& config, const LoweringContext& context, const std::string& policy_path)
      : config_(config), context_(context), policy_path_(policy_path) {
    raw_ = current_entries(config.main, context, exported_.diagnostics);
    exported_.diagnostics.clear();
    ContainerConfig generated = config;
    generated.main.raw.clear();
    for (const auto& entry : raw_) {
      if (decides(entry)) generated.main.raw.push_back({entry.key, quoted_value(entry.value), entry.origin});
    }
    spec_ = lower(generated, context).spec;
  }

  Exported run() {
    for (const auto line : split(config_.main.description, '\n')) {
      if (!line.empty()) exported_.text += formatted("#{}\n", line);
    }
    identity();
    terminals();
    security();
    devices();
    mounts();
    resources();
    volumes();
    links();
    options();
    for (const auto& entry : raw_) {
      if (!entry.key.starts_with("lxc.rootfs.")) put(entry.key, entry.value);
    }
    return std::move(exported_);
  }

 private:
  void put(std::string_view key, const std::string& value) {
    exported_.text += formatted("{} = {}\n", key, quoted_value(value));
  }
  void not_expressed(const Origin& origin, std::string message) {
    exported_.diagnostics.push_back({Diagnostic::Severity::error, std::move(message), origin});
  }
  bool has_raw(std::string_view key) const {
    return std::any_of(raw_.begin(), raw_.end(), [key](const RawEntry& entry) { return entry.key == key; });
  }

  void identity() {
    put("lxc.arch", config_.main.get("arch").value_or("amd64"));
    put("lxc.uts.name", spec_.hostname);
    if (has_raw("lxc.idmap")) return;
    for (const auto& range : spec_.id_map.uids)
      put("lxc.idmap", formatted("u {} {} {}", range.inside, range.host, range.count));
    for (const auto& range : spec_.id_map.gids)
      put("lxc.idmap", formatted("g {} {} {}", range.inside, range.host, range.count));
  }

  void terminals() {
    if (!spec_.tty_directory.empty()) put("lxc.tty.dir", spec_.tty_directory);
    put("lxc.pty.max", std::to_string(spec_.pty_max));
    put("lxc.tty.max", std::to_string(spec_.tty_count));
    if (!spec_.console) put("lxc.console.path", "none");
  }

  void security() {
    std::vector<std::string> dropped;
    for (const auto& name : spec_.capabilities.drop) dropped.push_back(name.value);
    if (!dropped.empty()) put("lxc.cap.drop", join(dropped, " "));
    if (!has_raw("lxc.seccomp.profile")) seccomp();
    if (has_raw("lxc.apparmor.profile")) return;
    put("lxc.apparmor.profile", spec_.apparmor.profile);
    if (spec_.apparmor.allow_nesting) put("lxc.apparmor.allow_nesting", "1");
    for (const auto& rule : spec_.apparmor.raw_rules) put("lxc.apparmor.raw", rule.value);
  }

  void seccomp() {
    if (!policy_path_.empty()) {
      exported_.seccomp_policy = spec_.seccomp.policy;
      return put("lxc.seccomp.profile", policy_path_);
    }
    put("lxc.seccomp.profile", std::string(kCommonSeccompProfile));
    if (spec_.unprivileged) {
      not_expressed(
          config_.main.origin_of("unprivileged"),
          "the seccomp rules of unprivileged containers need a file beside the config (use --output)");
    }
  }

  static std::string rule_text(const cgroupv2::DeviceRule& rule) {
    const auto number = [](const std::optional<std::uint32_t>& value) {
      return value ? std::to_string(*value) : "*";
    };
    return formatted("{} {}:{} {}{}{}", rule.type, number(rule.major), number(rule.minor),
                     rule.read ? "r" : "", rule.write ? "w" : "", rule.mknod ? "m" : "");
  }

  void devices() {
    put(spec_.devices.allow_by_default ? "lxc.cgroup2.devices.allow" : "lxc.cgroup2.devices.deny", "a");
    for (const auto& rule : spec_.devices.rules) {
      put(rule.allow ? "lxc.cgroup2.devices.allow" : "lxc.cgroup2.devices.deny", rule_text(rule));
    }
    for (const auto& key : config_.main.indexed_keys("dev")) device(key);
  }

  void device(const std::string& key) {
    const auto& option = *config_.main.find(key);
    const auto device = parse_option(config_.main, key, parse_device);
    if (!context_.device_at)
      return not_expressed(option.origin, formatted("'{}': its numbers are not known here", key));
    const auto node = context_.device_at(device.path);
    const auto numbers = formatted("{} {}:{}", node.type, node.major, node.minor);
    put("lxc.cgroup2.devices.allow",
        formatted("{} {}", numbers, device.deny_write.value_or(false) ? "r" : "rw"));
    if (device.deny_write.value_or(false)) put("lxc.cgroup2.devices.deny", numbers + " w");
    put("lxc.mount.entry", formatted("{} {} none bind,create=file 0 0", device.path, device.path.substr(1)));
    if (device.mode || device.uid || device.gid) {
      not_expressed(option.origin,
                    formatted("'{}': mode, uid and gid; the node is bound as the host has it", key));
    }
  }

  void mounts() {
    std::vector<std::string> words;
    if (spec_.cgroup != CgroupMount::none)
      words.emplace_back(spec_.cgroup == CgroupMount::read_only ? "cgroup:ro" : "cgroup:mixed");
    if (spec_.proc != ProcMount::none)
      words.emplace_back(spec_.proc == ProcMount::mixed ? "proc:mixed" : "proc:rw");
    switch (spec_.sys) {
      case SysMount::none: break;
      case SysMount::read_only: words.emplace_back("sys:ro"); break;
      case SysMount::mixed: words.emplace_back("sys:mixed"); break;
      case SysMount::read_write: words.emplace_back("sys:rw"); break;
    }
    if (!words.empty()) put("lxc.mount.auto", join(words, " "));
    for (const auto& mount : spec_.mounts) put("lxc.mount.entry", mount_line(mount));
  }

  void resources() {
    const auto& resources = spec_.resources;
    const auto limit = [this](const char* file, const std::optional<Located<cgroupv2::Limit>>& value) {
      if (value)
        put(formatted("lxc.cgroup2.{}", file),
            value->value.bytes ? std::to_string(*value->value.bytes) : "max");
    };
    limit("memory.max", resources.memory_max);
    limit("memory.high", resources.memory_high);
    limit("memory.swap.max", resources.memory_swap_max);
    if (resources.cpu_max) {
      const auto& cpu = resources.cpu_max->value;
      put("lxc.cgroup2.cpu.max",
          formatted("{} {}", cpu.quota_us ? std::to_string(*cpu.quota_us) : "max", cpu.period_us));
    }
    if (resources.cpu_weight) put("lxc.cgroup2.cpu.weight", std::to_string(resources.cpu_weight->value));
  }

  static std::string volume_options(const VolumeSpec& volume) {
    std::string options = attribute_words(volume.mount_attributes);
    if (volume.read_only) options += ",ro";
    for (const auto& [name, value] : volume.fs_options)
      options += "," + (value.empty() ? name : name + "=" + value);
    if (volume.disk_ids == DiskIds::container) options += ",idmap=container";
    return options;
  }

  void volumes() {
    if (config_.main.find("rootfs") != nullptr) {
      const auto& root = spec_.rootfs;
      constexpr std::string_view kTypes[] = {"dir:", "loop:", ""};
      put("lxc.rootfs.path", formatted("{}{}", kTypes[static_cast<std::size_t>(root.kind)], root.source));
      if (const auto text = volume_options(root); !text.empty()) put("lxc.rootfs.options", text.substr(1));
    } else {
      for (const auto& entry : raw_) {
        if (entry.key.starts_with("lxc.rootfs.")) put(entry.key, entry.value);
      }
    }
    for (const auto& volume : spec_.mount_points) mount_point(volume);
  }

  void mount_point(const VolumeSpec& volume) {
    if (volume.kind != VolumeSpec::Kind::directory) {
      return not_expressed(volume.origin,
                           formatted("'{}': a mount entry of LXC's needs to know the file system on '{}'",
                                     volume.key, volume.source));
    }
    put("lxc.mount.entry",
        formatted("{} {} none bind,create=dir{} 0 0", fstab_field(volume.source),
                  fstab_field(std::string_view(volume.target).substr(1)), volume_options(volume)));
  }

  void links() {
    for (const auto& key : config_.main.indexed_keys("net")) link(key);
  }

  void link(const std::string& key) {
    const auto& origin = config_.main.find(key)->origin;
    const auto net = parse_option(config_.main, key, parse_net);
    const auto index = *option_index(key);
    const auto put_setting = [&](std::string_view name, const std::string& value) {
      if (!value.empty()) put(formatted("lxc.net.{}.{}", index, name), value);
    };
    put_setting("type", "veth");
    put_setting("veth.pair", formatted("veth{}i{}", context_.vmid, index));
    const bool is_down = net.link_down.value_or(false);
    if (!is_down) put_setting("link", net.bridge);
    put_setting("name", net.name);
    put_setting("hwaddr", net.hwaddr);
    if (net.mtu) put_setting("mtu", std::to_string(*net.mtu));
    if (net.host_managed.value_or(false) && !is_down) {
      put_setting("flags", "up");
      for (const auto* family : {"ipv4", "ipv6"}) {
        const bool v4 = std::string_view(family) == "ipv4";
        const auto& address = v4 ? net.ip : net.ip6;
        if (address.find('/') == std::string::npos) continue;
        put_setting(formatted("{}.address", family), address);
        put_setting(formatted("{}.gateway", family), v4 ? net.gw : net.gw6);
      }
    } else if (!net.ip.empty() || !net.ip6.empty()) {
      not_expressed(origin,
                    formatted("'{}': addresses that the guest itself is told (ip, gw, ip6, gw6)", key));
    }
    const std::pair<std::string_view, bool> rest[] = {{"tag", net.tag.has_value()},
                                                      {"trunks", !net.trunks.empty()},
                                                      {"rate", !net.rate.empty()},
                                                      {"firewall", net.firewall.value_or(false)},
                                                      {"link_down (the bridge is left out)", is_down}};
    for (const auto& [name, is_set] : rest) {
      if (is_set) not_expressed(origin, formatted("'{}': {}", key, name));
    }
  }

  void options() {
    const auto& main = config_.main;
    if (spec_.init.argv != std::vector<std::string>{"/sbin/init"}) {
      std::vector<std::string> words;
      for (const auto& word : spec_.init.argv) words.push_back(quoted_word(word));
      put("lxc.init.cmd", join(words, " "));
    }
    if (spec_.signals.halt) put("lxc.signal.halt", std::to_string(*spec_.signals.halt));
    put("lxc.environment", "TERM=linux");
    for (const auto& variable : main.environment) put("lxc.environment.runtime", variable.value);
    if (main.boolean_or("onboot", false)) put("lxc.start.auto", "1");
    if (const auto* startup = main.find("startup")) {
      const auto value = parse_option(main, "startup", parse_startup);
      if (value.order) put("lxc.start.order", std::to_string(*value.order));
      if (value.up) put("lxc.start.delay", std::to_string(*value.up));
      if (value.down)
        not_expressed(startup->origin, "'startup': LXC has no time for the shutdown of one container");
    }
    for (const auto& [key, value] : main.options) {
      const auto* option = find_option(key);
      if (option == nullptr) continue;
      const auto* row = std::find_if(std::begin(kNotWritten), std::end(kNotWritten),
                                     [option](const OptionRow& known) { return known.name == option->name; });
      if (row != std::end(kNotWritten)) not_expressed(value.origin, formatted("'{}': {}", key, row->why_not));
    }
  }

  const ContainerConfig& config_;
  const LoweringContext& context_;
  std::string policy_path_;
  std::vector<RawEntry> raw_;
  ContainerSpec spec_;
  Exported exported_;
};

}  // namespace

Exported export_lxc(const ContainerConfig& config, const LoweringContext& context,
                    const std::string& policy_path) {
  return Export(config, context, policy_path).run();
}

}  // namespace hutch::config
