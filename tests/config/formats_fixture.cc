#include "tests/config/formats_fixture.h"

#include <fcntl.h>

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "config/formats/mount_line.h"

namespace hutch::config {

namespace {

std::string limit(const cgroupv2::Limit& value) {
  return value.bytes ? std::to_string(*value.bytes) : "max";
}

// Bytes with a suffix as the kernel reads them.
std::string plain_number(const std::string& value) {
  const std::string_view units = "KMG";
  const auto unit = value.empty() ? std::string_view::npos : units.find(value.back());
  const auto number = parse_unsigned(std::string_view(value).substr(0, value.size() - 1));
  if (unit == std::string_view::npos || !number) return value;
  return std::to_string(*number << (10 * (unit + 1)));
}

// The files as they stand after all writes.
std::map<std::string, std::string> cgroup_files(const cgroupv2::Resources& resources) {
  std::map<std::string, std::string> files;
  if (resources.memory_max) files["memory.max"] = limit(resources.memory_max->value);
  if (resources.memory_high) files["memory.high"] = limit(resources.memory_high->value);
  if (resources.memory_swap_max) files["memory.swap.max"] = limit(resources.memory_swap_max->value);
  if (resources.cpu_max) {
    const auto& cpu = resources.cpu_max->value;
    files["cpu.max"] =
        formatted("{} {}", cpu.quota_us ? std::to_string(*cpu.quota_us) : "max", cpu.period_us);
  }
  if (resources.cpu_weight) files["cpu.weight"] = std::to_string(resources.cpu_weight->value);
  if (resources.cpu_count) files["cpu count"] = std::to_string(resources.cpu_count->value);
  for (const auto& write : resources.raw) {
    if (write.file == "io.max") {
      files[write.file] += write.value + ";";
    } else {
      files[write.file] = plain_number(write.value);
    }
  }
  // No limit is what a file says by itself.
  std::erase_if(files, [](const auto& file) { return file.second == "max"; });
  return files;
}

std::string device(const cgroupv2::DeviceRule& rule) {
  return formatted("{} {} {}:{} {}{}{}", rule.allow ? "allow" : "deny", rule.type,
                   rule.major ? std::to_string(*rule.major) : "*",
                   rule.minor ? std::to_string(*rule.minor) : "*", rule.read, rule.write, rule.mknod);
}

std::string volume(const VolumeSpec& spec) {
  std::string text =
      formatted("{} {} on {} {}{} {}", static_cast<int>(spec.kind), spec.source, spec.target, spec.read_only,
                attribute_words(spec.mount_attributes), static_cast<int>(spec.disk_ids));
  for (const auto& [name, value] : spec.fs_options) text += " " + name + "=" + value;
  return text;
}

// Mount points and mount entries: two ways to bind a directory.
std::vector<std::string> mounts(const ContainerSpec& spec) {
  std::vector<std::string> lines;
  for (const auto& point : spec.mount_points) {
    if (point.kind == VolumeSpec::Kind::directory) {
      MountSpec mount{.source = point.source, .target = point.target.substr(1), .type = "none", .bind = true};
      mount.create = MountSpec::Create::directory;
      mount.attributes_set = point.mount_attributes;
      std::string line = mount_line(mount);
      lines.push_back(point.read_only ? "ro " + line : line);
    } else {
      lines.push_back(volume(point));
    }
  }
  for (auto mount : spec.mounts) {
    const bool read_only = mount.bind && (mount.attributes_set & 1) != 0;
    if (mount.bind) mount.attributes_set &= ~std::uint64_t{1};
    lines.push_back((read_only ? "ro " : "") + mount_line(mount));
  }
  // Those that overlap stay mount entries, so that their order among each other is kept.
  std::sort(lines.begin(), lines.end());
  return lines;
}

void append_links(const ContainerSpec& spec, std::string& text) {
  for (const auto& link : spec.links) {
    text +=
        formatted("link {} {} {} {} {} {} {} {} {}\n", link.index, link.name, link.host_name, link.bridge,
                  link.mac, link.mtu.value_or(0), link.link_down, link.configure, join(link.addresses, ","));
    text += formatted("gateways {} {}\n", link.gateway4, link.gateway6);
  }
}

void append_identity(const ContainerSpec& spec, std::string& text) {
  text += formatted("name {} 32bit {}\n", spec.hostname, spec.personality_32bit);
  for (const auto& range : spec.id_map.uids)
    text += formatted("u {} {} {}\n", range.inside, range.host, range.count);
  for (const auto& range : spec.id_map.gids)
    text += formatted("g {} {} {}\n", range.inside, range.host, range.count);
  text += formatted("proc {} sys {} cgroup {} nesting {}\n", static_cast<int>(spec.proc),
                    static_cast<int>(spec.sys), static_cast<int>(spec.cgroup), spec.nesting_mounts);
  text += formatted("dev {} {} pty {} tty {} in '{}' console {}\n", spec.autodev, spec.dev_size, spec.pty_max,
                    spec.tty_count, spec.tty_directory, spec.console);
}

void append_init(const ContainerSpec& spec, std::string& text) {
  text += formatted("init {} in {} as {}:{}\n", join(spec.init.argv, "|"), spec.init.cwd, spec.init.uid,
                    spec.init.gid);
  std::vector<std::string> environment;
  for (const auto& variable : spec.init.environment) environment.push_back(variable.value);
  std::sort(environment.begin(), environment.end());
  text += join(environment, "\n") + "\n";
  text += formatted("signals {} {} {}\n", spec.signals.halt.value_or(0), spec.signals.reboot.value_or(0),
                    spec.signals.stop.value_or(0));
  for (const auto& rlimit : spec.rlimits) {
    text += formatted("rlimit {} {} {}\n", rlimit.name, rlimit.soft.value_or(0), rlimit.hard.value_or(0));
  }
  for (const auto& [name, value] : spec.sysctls) text += formatted("sysctl {} {}\n", name, value.value);
}

void append_security(const ContainerSpec& spec, std::string& text) {
  for (const auto& name : spec.capabilities.drop) text += "drop " + name.value + "\n";
  if (spec.capabilities.keep) text += "keep only\n";
  if (spec.capabilities.keep) {
    for (const auto& name : *spec.capabilities.keep) text += "keep " + name.value + "\n";
  }
  text += formatted("no new privileges {}\nseccomp {}\n", spec.no_new_privs, spec.seccomp.policy);
  text += formatted("apparmor {} {} {}\n", spec.apparmor.profile, spec.apparmor.allow_nesting,
                    spec.apparmor.allow_incomplete);
  for (const auto& rule : spec.apparmor.raw_rules) text += rule.value + "\n";
  text += formatted("devices {}\n", spec.devices.allow_by_default ? "allow" : "deny");
  for (const auto& rule : spec.devices.rules) {
    // What is the default anyway says nothing.
    if (rule.allow != spec.devices.allow_by_default) text += device(rule) + "\n";
  }
}

// The root file system as option or as raw lines; an option takes its place.
std::string take_rootfs(Section& section) {
  std::string path;
  for (const auto& entry : section.raw) {
    if (entry.key.starts_with("lxc.rootfs.")) path += entry.value + " ";
  }
  std::erase_if(section.raw, [](const RawEntry& entry) { return entry.key.starts_with("lxc.rootfs."); });
  if (section.has("rootfs")) return path;
  if (path.starts_with("dir:")) path.erase(0, 4);
  const bool directory = path.starts_with('/') && path.find(' ') == path.size() - 1;
  section.set("rootfs", directory ? path.substr(0, path.size() - 1) : "/raw");
  return directory ? "" : path;
}

}  // namespace

std::string describe(ContainerConfig config, bool with_links) {
  std::string text = take_rootfs(config.main);
  const auto spec = lower(config, example_context()).spec;
  append_identity(spec, text);
  text += "rootfs " + volume(spec.rootfs) + "\n";
  for (const auto& line : mounts(spec)) text += line + "\n";
  if (with_links) append_links(spec, text);
  for (const auto& [file, value] : cgroup_files(spec.resources)) text += file + " = " + value + "\n";
  append_init(spec, text);
  append_security(spec, text);
  return text;
}

}  // namespace hutch::config
