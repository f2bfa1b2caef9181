#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/raw_keys.h"

// The raw `lxc.*` entries: one row per key (lxc-keys 2).
namespace hutch::config {

namespace {

void set_id_map(Lowering& lowering, const RawEntry& entry) {
  auto& id_map = lowering.spec.id_map;
  if (entry.value.empty()) {
    id_map = {};
    return;
  }
  const auto words = split_blanks(entry.value);
  if (words.size() != 4 || (words[0] != "u" && words[0] != "g")) {
    bad_value(entry, "of the form '<u|g> <id in the container> <id on the host> <count>'");
  }
  std::uint32_t numbers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = parse_unsigned(words[i + 1]);
    if (!number || *number > UINT32_MAX) bad_value(entry, "made of ids that fit 32 bits");
    numbers[i] = static_cast<std::uint32_t>(*number);
  }
  const auto [inside, host, count] = numbers;
  // The id 4294967295 means "unchanged" to the kernel (chown(2)) and is never mapped.
  if (count == 0 || count > UINT32_MAX - inside || count > UINT32_MAX - host) {
    bad_value(entry, "a range of at least one id below 4294967295");
  }
  auto& ranges = words[0] == "u" ? id_map.uids : id_map.gids;
  const auto collides = [&](const IdRange& other) {
    return (inside < other.inside + other.count && other.inside < inside + count) ||
           (host < other.host + other.count && other.host < host + count);
  };
  const auto earlier = std::find_if(ranges.begin(), ranges.end(), collides);
  if (earlier != ranges.end()) {
    lowering.warn(entry.origin, formatted("'{}': '{}' overlaps the range of {}", entry.key, entry.value,
                                          earlier->origin.text()));
  }
  ranges.push_back({inside, host, count, entry.origin});
}

// What devpts can have (NR_UNIX98_PTY_MAX), and what a start has room for.
constexpr std::uint64_t kMaxPtys = 1U << 20;
constexpr std::uint64_t kMaxTerminals = 40;

// An absolute path without repeated, trailing and "/./" parts; "/" when it is empty.
std::string clean_path(std::string_view path) {
  std::string clean;
  for (const auto part : split(path, '/')) {
    if (!part.empty() && part != ".") clean.append("/").append(part);
  }
  return clean.empty() ? "/" : clean;
}

void set_tty_directory(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.size() > 255 || entry.value.find('/') != std::string::npos ||
      entry.value.starts_with('.')) {
    bad_value(entry, "the name of a directory below /dev");
  }
  lowering.spec.tty_directory = entry.value;
}

// Empty: none is set, and the container begins with the host's name.
void set_host_name(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.hostname = entry.value;
}

void set_apparmor_profile(Lowering& lowering, const RawEntry& entry) {
  auto& apparmor = lowering.spec.apparmor;
  apparmor.profile = entry.value.empty() ? "lxc-container-default-cgns" : entry.value;
  apparmor.origin = entry.origin;
}

void add_apparmor_rule(Lowering& lowering, const RawEntry& entry) {
  auto& rules = lowering.spec.apparmor.raw_rules;
  if (entry.value.empty()) return rules.clear();
  rules.push_back({entry.value, entry.origin});
}

void set_apparmor_nesting(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.apparmor.allow_nesting = lowering.spec.nesting_mounts = c_boolean(entry);
}

void set_dev_size(Lowering& lowering, const RawEntry& entry) {
  constexpr std::uint64_t kDefaultSize = 500000;
  lowering.spec.dev_size = kDefaultSize;
  if (entry.value.empty()) return;
  try {
    lowering.spec.dev_size = c_number(entry, UINT64_MAX);
  } catch (const Error&) {
    lowering.warn(entry.origin, formatted("'{}': '{}' is no number of bytes; {} is used", entry.key,
                                          entry.value, kDefaultSize));
  }
}

void must_be_honoured(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.empty()) return;
  lowering.refuse(entry.origin,
                  formatted("'{}' is not honoured by this version, and leaving it out could leave the "
                            "container unprotected or incomplete; remove the line",
                            entry.key));
}

void no_effect_needed(Lowering&, const RawEntry&) {}

// For starting at boot, beside `onboot` and `startup`: nothing to do at a start itself.
void check_boolean(Lowering&, const RawEntry& entry) {
  c_boolean(entry);
}
void check_number(Lowering&, const RawEntry& entry) {
  c_number(entry);
}
void check_signed_number(Lowering&, const RawEntry& entry) {
  RawEntry number = entry;
  if (number.value.starts_with('-')) number.value.erase(0, 1);
  if (number.value.empty() && !entry.value.empty()) bad_value(entry, "a number");
  c_number(number, INT32_MAX);
}

struct RawKeyRow {
  std::string_view name;
  RawKeyFunction apply;
};

constexpr RawKeyRow kRawKeys[] = {
    {"lxc.apparmor.allow_incomplete",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.apparmor.allow_incomplete = c_boolean(entry);
     }},
    {"lxc.apparmor.allow_nesting", set_apparmor_nesting},
    {"lxc.apparmor.profile", set_apparmor_profile},
    {"lxc.apparmor.raw", add_apparmor_rule},
    {"lxc.arch", set_architecture},
    {"lxc.autodev",
     [](Lowering& lowering, const RawEntry& entry) { lowering.spec.autodev = c_boolean(entry); }},
    {"lxc.autodev.tmpfs.size", set_dev_size},
    {"lxc.cap.drop", set_capability_drop},
    {"lxc.cap.keep", set_capability_keep},
    {"lxc.cgroup.dir", set_cgroup_path},
    {"lxc.cgroup.dir.container", set_cgroup_path},
    {"lxc.cgroup.dir.container.inner", set_cgroup_path},
    {"lxc.cgroup.dir.monitor", set_cgroup_path},
    {"lxc.cgroup.dir.monitor.pivot", set_cgroup_path},
    {"lxc.cgroup.relative", set_cgroup_relative},
    {"lxc.cgroup2", clear_cgroup_files},
    {"lxc.console.buffer.size", set_console_size},
    {"lxc.console.logfile", set_console_log},
    {"lxc.console.path", set_console_path},
    {"lxc.console.rotate",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.console_output.rotate = c_boolean(entry);
     }},
    {"lxc.console.size", set_console_size},
    {"lxc.devtty.dir", set_tty_directory},
    {"lxc.environment", set_environment},
    {"lxc.environment.hooks", set_hook_environment},
    {"lxc.environment.runtime", set_runtime_environment},
    {"lxc.ephemeral",
     [](Lowering& lowering, const RawEntry& entry) { lowering.spec.ephemeral = c_boolean(entry); }},
    {"lxc.execute.cmd", check_execute_command},
    {"lxc.group", no_effect_needed},
    {"lxc.hook", clear_hooks},
    {"lxc.hook.autodev", set_hook},
    {"lxc.hook.clone", set_hook},
    {"lxc.hook.destroy", set_hook},
    {"lxc.hook.mount", set_hook},
    {"lxc.hook.post-stop", set_hook},
    {"lxc.hook.pre-mount", set_hook},
    {"lxc.hook.pre-start", set_hook},
    {"lxc.hook.start", set_hook},
    {"lxc.hook.start-host", set_hook},
    {"lxc.hook.stop", set_hook},
    {"lxc.hook.version", set_hook_version},
    {"lxc.idmap", set_id_map},
    {"lxc.init.cmd", set_init_command},
    {"lxc.init.cwd",
     [](Lowering& lowering, const RawEntry& entry) {
       if (!entry.value.empty() && entry.value.front() != '/') bad_value(entry, "an absolute path");
       lowering.spec.init.cwd = clean_path(entry.value);
     }},
    {"lxc.init.gid",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.init.gid = static_cast<std::uint32_t>(c_number(entry, UINT32_MAX - 1));
     }},
    {"lxc.init.groups", set_init_groups},
    {"lxc.init.uid",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.init.uid = static_cast<std::uint32_t>(c_number(entry, UINT32_MAX - 1));
     }},
    {"lxc.keyring.session",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.new_keyring = entry.value.empty() || c_boolean(entry);
     }},
    {"lxc.kmsg",
     [](Lowering& lowering, const RawEntry& entry) { lowering.spec.kmsg_link = c_boolean(entry); }},
    {"lxc.log.file", set_log_file},
    {"lxc.log.level", set_log_level},
    {"lxc.log.syslog", set_log_syslog},
    {"lxc.monitor.signal.pdeath", set_parent_death_signal},
    {"lxc.monitor.unshare", check_monitor_unshare},
    {"lxc.mount.auto", set_mount_auto},
    {"lxc.mount.entry", set_mount_entry},
    {"lxc.mount.fstab", [](Lowering& lowering, const RawEntry& entry) { lowering.fstab = entry; }},
    {"lxc.net", clear_networks},
    {"lxc.namespace.clone", set_namespace_clone},
    {"lxc.namespace.keep", set_namespace_keep},
    {"lxc.no_new_privs",
     [](Lowering& lowering, const RawEntry& entry) { lowering.spec.no_new_privs = c_boolean(entry); }},
    {"lxc.prlimit", clear_rlimits},
    {"lxc.proc", clear_process_files},
    {"lxc.pty.max",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.pty_max = static_cast<std::uint32_t>(c_number(entry, kMaxPtys));
     }},
    // 0: `pct destroy` leaves the storage alone.
    {"lxc.rootfs.managed", [](Lowering&, const RawEntry& entry) { c_boolean(entry); }},
    {"lxc.rootfs.mount", set_rootfs_mount},
    // Read when the volumes are lowered.
    {"lxc.rootfs.options", no_effect_needed},
    {"lxc.rootfs.path", no_effect_needed},
    {"lxc.sched.core",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.core_scheduling = c_boolean(entry);
       lowering.spec.core_scheduling_origin = entry.origin;
     }},
    // A filter of our own is loaded in any case, on top of the starter's.
    {"lxc.seccomp.allow_nesting", check_boolean},
    {"lxc.seccomp.notify.cookie",
     [](Lowering& lowering, const RawEntry& entry) { lowering.spec.seccomp.notify_cookie = entry.value; }},
    {"lxc.seccomp.notify.proxy", set_seccomp_proxy},
    {"lxc.seccomp.profile", set_seccomp_profile},
    {"lxc.selinux.context", set_selinux_context},
    {"lxc.selinux.context.keyring", set_selinux_context},
    {"lxc.signal.halt", set_signal},
    {"lxc.signal.reboot", set_signal},
    {"lxc.signal.stop", set_signal},
    {"lxc.start.auto", check_boolean},
    {"lxc.start.delay", check_number},
    {"lxc.start.order", check_signed_number},
    {"lxc.sysctl", clear_sysctls},
    {"lxc.time.offset.boot", set_boot_time_offset},
    {"lxc.time.offset.monotonic", set_monotonic_time_offset},
    {"lxc.tty.dir", set_tty_directory},
    {"lxc.tty.max",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.tty_count = static_cast<std::uint32_t>(c_number(entry, kMaxTerminals));
     }},
    {"lxc.uts.name", set_host_name},
};

// Everything below these names.
constexpr RawKeyRow kRawPrefixes[] = {
    {"lxc.cgroup2.", set_cgroup_file}, {"lxc.namespace.share.", set_namespace_share},
    {"lxc.net.", set_network},         {"lxc.prlimit.", set_rlimit},
    {"lxc.proc.", set_process_file},   {"lxc.sysctl.", set_sysctl},
};

RawKeyFunction raw_key_function(std::string_view key) {
  const auto* row = std::find_if(std::begin(kRawKeys), std::end(kRawKeys),
                                 [key](const auto& candidate) { return candidate.name == key; });
  if (row != std::end(kRawKeys)) return row->apply;
  const auto* prefix = std::find_if(std::begin(kRawPrefixes), std::end(kRawPrefixes),
                                    [key](const auto& candidate) { return key.starts_with(candidate.name); });
  return prefix == std::end(kRawPrefixes) ? must_be_honoured : prefix->apply;
}

}  // namespace

void bad_value(const RawEntry& entry, std::string_view expects) {
  throw Error(formatted("'{}': '{}' is not {}", entry.key, entry.value, expects), 0, {}, entry.origin);
}

std::uint64_t c_number(const RawEntry& entry, std::uint64_t max) {
  // Empty resets a number to its default, which is 0 for all of these.
  if (entry.value.empty()) return 0;
  std::string_view digits = entry.value;
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits.starts_with('0')) {
    base = 8;
  }
  std::uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, number, base);
  if (result.ec != std::errc{} || result.ptr != end || number > max) {
    bad_value(entry, formatted("a number from 0 to {}", max));
  }
  return number;
}

bool c_boolean(const RawEntry& entry) {
  const auto number = c_number(entry);
  if (number > 1) bad_value(entry, "0 or 1");
  return number == 1;
}

void lower_raw_entries(Lowering& lowering) {
  for (const auto& entry : lowering.raw) raw_key_function(entry.key)(lowering, entry);
}

std::vector<BadEntry> bad_entries(const ContainerConfig& config, const Section& section) {
  // A host that has whatever a line names.
  LoweringContext context;
  context.vmid = config.vmid;
  context.read_file = [](const std::string&) { return std::string("2\ndenylist\n"); };
  context.device_at = [](const std::string&) { return HostDevice{}; };
  context.container_named = [](const std::string&) { return std::optional<std::uint32_t>(0); };
  context.own_cgroup = [] { return std::string(); };
  context.starter_environment = [](const std::string&) { return std::optional<std::string>(""); };
  Lowering lowering{.config = config, .section = section, .context = context};
  lowering.os = find_os_type("unmanaged");
  try {
    lower_links(lowering);
  } catch (const Error&) {
    // An option's value, which is not asked about; lines beside that option may look incomplete.
  }
  std::vector<BadEntry> bad;
  for (std::size_t at = 0; at < section.raw.size(); ++at) {
    RawEntry entry = section.raw[at];
    if (entry.key == "lxc.include") continue;
    entry.value = without_quotes(entry.value);
    try {
      raw_key_function(entry.key)(lowering, entry);
    } catch (const Error& error) {
      bad.push_back({at, error});
    }
  }
  return bad;
}

RawKeySupport raw_key_support(std::string_view key) {
  const RawKeyFunction function = raw_key_function(key);
  return function == must_be_honoured ? RawKeySupport::refused : RawKeySupport::honoured;
}

}  // namespace hutch::config
