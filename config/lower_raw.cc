#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "config/lowering.h"

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

void set_tty_directory(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.size() > 255 || entry.value.find('/') != std::string::npos ||
      entry.value.starts_with('.')) {
    bad_value(entry, "the name of a directory below /dev");
  }
  lowering.spec.tty_directory = entry.value;
}

void set_host_name(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) lowering.spec.hostname = entry.value;
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

void check_selinux_context(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.empty() || entry.value == "unconfined_t") return;
  lowering.refuse(entry.origin,
                  formatted("'{}' is not honoured by this version, and without it the container would "
                            "run in another SELinux domain",
                            entry.key));
}

// The old link /dev/kmsg -> console.
void check_kmsg(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty() && entry.value != "0") {
    lowering.warn(entry.origin,
                  formatted("'{}' is not honoured by this version and has no effect", entry.key));
  }
}

void not_honoured(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.empty()) return;
  lowering.warn(entry.origin, formatted("'{}' is not honoured by this version and has no effect", entry.key));
}

void must_be_honoured(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.empty()) return;
  lowering.refuse(entry.origin,
                  formatted("'{}' is not honoured by this version, and leaving it out could leave the "
                            "container unprotected or incomplete; remove the line",
                            entry.key));
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
    {"lxc.autodev.tmpfs.size",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.dev_size = entry.value.empty() ? 500000 : c_number(entry, UINT64_MAX);
     }},
    {"lxc.cap.drop", set_capability_drop},
    {"lxc.cap.keep", set_capability_keep},
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
    {"lxc.group", not_honoured},
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
    {"lxc.include", must_be_honoured},
    {"lxc.init.cmd", set_init_command},
    {"lxc.init.cwd",
     [](Lowering& lowering, const RawEntry& entry) {
       if (!entry.value.empty() && entry.value.front() != '/') bad_value(entry, "an absolute path");
       lowering.spec.init.cwd = entry.value.empty() ? "/" : entry.value;
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
    {"lxc.kmsg", check_kmsg},
    {"lxc.log.file", set_log_file},
    {"lxc.log.level", set_log_level},
    {"lxc.log.syslog", set_log_syslog},
    {"lxc.mount.auto", set_mount_auto},
    {"lxc.mount.entry", set_mount_entry},
    {"lxc.mount.fstab", [](Lowering& lowering, const RawEntry& entry) { lowering.fstab = entry; }},
    {"lxc.no_new_privs",
     [](Lowering& lowering, const RawEntry& entry) { lowering.spec.no_new_privs = c_boolean(entry); }},
    {"lxc.proc", clear_process_files},
    {"lxc.pty.max",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.pty_max = static_cast<std::uint32_t>(c_number(entry));
     }},
    {"lxc.rootfs.mount", not_honoured},
    {"lxc.seccomp.notify.cookie", not_honoured},
    {"lxc.seccomp.notify.proxy", must_be_honoured},
    {"lxc.seccomp.profile", set_seccomp_profile},
    {"lxc.selinux.context", check_selinux_context},
    {"lxc.signal.halt", set_signal},
    {"lxc.signal.reboot", set_signal},
    {"lxc.signal.stop", set_signal},
    {"lxc.start.auto", not_honoured},
    {"lxc.start.delay", not_honoured},
    {"lxc.start.order", not_honoured},
    {"lxc.tty.dir", set_tty_directory},
    {"lxc.tty.max",
     [](Lowering& lowering, const RawEntry& entry) {
       lowering.spec.tty_count = static_cast<std::uint32_t>(c_number(entry));
     }},
    {"lxc.uts.name", set_host_name},
};

// Everything below these names.
constexpr RawKeyRow kRawPrefixes[] = {
    {"lxc.cgroup2.", set_cgroup_file}, {"lxc.cgroup.", set_cgroup_v1_file}, {"lxc.prlimit.", set_rlimit},
    {"lxc.sysctl.", set_sysctl},       {"lxc.net.", not_honoured},          {"lxc.proc.", set_process_file},
};

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
  for (const auto& entry : lowering.raw) {
    const auto* row = std::find_if(std::begin(kRawKeys), std::end(kRawKeys),
                                   [&entry](const auto& candidate) { return candidate.name == entry.key; });
    if (row != std::end(kRawKeys)) {
      row->apply(lowering, entry);
      continue;
    }
    const auto* prefix =
        std::find_if(std::begin(kRawPrefixes), std::end(kRawPrefixes),
                     [&entry](const auto& candidate) { return entry.key.starts_with(candidate.name); });
    if (prefix == std::end(kRawPrefixes)) {
      must_be_honoured(lowering, entry);
    } else {
      prefix->apply(lowering, entry);
    }
  }
}

}  // namespace hutch::config
