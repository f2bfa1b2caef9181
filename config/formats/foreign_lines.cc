#include "config/formats/foreign_lines.h"

#include <algorithm>
#include <climits>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/lxc_options.h"
#include "config/legacy_names.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/raw_keys.h"

namespace hutch::config {

namespace {

// Beginnings of keys, also of such as somebody may have misspelled.
constexpr std::string_view kConfining[] = {
    "lxc.aa_",
    "lxc.apparmor",
    "lxc.cap",
    "lxc.cgroup.devices",
    "lxc.cgroup2.devices",
    "lxc.id_map",
    "lxc.idmap",
    "lxc.init.gid",
    "lxc.init.groups",
    "lxc.init.uid",
    "lxc.include",
    "lxc.init_gid",
    "lxc.init_uid",
    "lxc.mount.auto",
    "lxc.no_new_priv",
    "lxc.rootfs.options",
    "lxc.se_context",
    "lxc.seccomp",
    "lxc.selinux",
};

// What can be stored in a CT config (pct-conf 1); LXC has no other names, either.
bool is_known_key(const std::string& key) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
  return key.find_first_not_of(kCharacters) == std::string::npos &&
         raw_key_info(key).key_class != RawKeyClass::unknown;
}

// A device rule of cgroup v1 that is neither of the two: others of v1 without a counterpart are only told.
bool is_unknown_device_rule(const RawEntry& entry) {
  return entry.key.starts_with("lxc.cgroup.devices.") && entry.key != "lxc.cgroup.devices.allow" &&
         entry.key != "lxc.cgroup.devices.deny";
}

// Settings of the old names before any interface that they could belong to.
void drop_misplaced_settings(std::vector<RawEntry>& entries, Imported& imported) {
  constexpr std::string_view kPrefix = "lxc.network.";
  bool has_interface = false;
  std::erase_if(entries, [&](const RawEntry& entry) {
    if (entry.key == "lxc.network") has_interface = false;
    if (!entry.key.starts_with(kPrefix)) return false;
    const auto name = std::string_view(entry.key).substr(kPrefix.size());
    if (name == "type") has_interface = true;
    const bool has_index = parse_unsigned(name.substr(0, name.find('.'))).has_value();
    if (has_interface || has_index) return false;
    lose_line(imported, entry.key, entry.origin,
              formatted("'{}' stands before any 'lxc.network.type'", entry.key));
    return true;
  });
}

// "lxc.net.1." of "lxc.net.1.type"; "" for other keys.
std::string_view interface_of(std::string_view key) {
  constexpr std::string_view kPrefix = "lxc.net.";
  if (!key.starts_with(kPrefix) || key.find('.', kPrefix.size()) == key.npos) return {};
  return key.substr(0, key.find('.', kPrefix.size()) + 1);
}

using Interfaces = std::set<std::string, std::less<>>;

// They need no link.
Interfaces veth_interfaces(const Section& section) {
  Interfaces found;
  for (const auto& entry : section.raw) {
    const auto interface = interface_of(entry.key);
    if (!interface.empty() && entry.value == "veth") found.emplace(interface);
  }
  return found;
}

// Without this line there is no interface.
bool makes_interface(std::string_view key, const Interfaces& veths) {
  const auto interface = interface_of(key);
  const auto name = key.substr(interface.size());
  return !interface.empty() && (name == "type" || (name == "link" && !veths.contains(interface)));
}

// The other lines of interfaces that are not carried over, by the beginnings of their keys.
void drop_interfaces(const Interfaces& interfaces, Imported& imported, Section& section) {
  if (interfaces.empty()) return;
  std::erase_if(section.raw, [&](const RawEntry& entry) {
    if (!interfaces.contains(interface_of(entry.key))) return false;
    lose_harmless_line(imported, entry.origin,
                       formatted("'{}' belongs to an interface that is not carried over", entry.key));
    return true;
  });
}

void drop_bad_lines(Imported& imported, Section& section) {
  std::vector<bool> drop(section.raw.size());
  const auto veths = veth_interfaces(section);
  Interfaces interfaces;
  for (const auto& [at, error] : bad_entries(imported.config, section)) {
    const auto& entry = section.raw[at];
    if (makes_interface(entry.key, veths)) interfaces.emplace(interface_of(entry.key));
    if (confines(entry.key)) {
      imported.unusable.push_back(entry.origin);
      remark(imported, entry.origin,
             formatted("{}; the line says what the container may do, so it is kept as it is: the "
                       "container does not start until it is corrected",
                       reason_of(error)));
    } else {
      lose_line(imported, entry.key, entry.origin, reason_of(error));
      drop[at] = true;
    }
  }
  std::vector<RawEntry> kept;
  for (std::size_t at = 0; at < drop.size(); ++at) {
    if (!drop[at]) kept.push_back(std::move(section.raw[at]));
  }
  section.raw = std::move(kept);
  drop_interfaces(interfaces, imported, section);
}

// What a start does because of a line.
struct ProgramRow {
  std::string_view key;
  std::string_view what;
};
constexpr std::string_view kAsRoot = "runs a program on this host, as root";
constexpr ProgramRow kPrograms[] = {
    {"lxc.hook.autodev", "runs a program of this host's in the container's namespaces"},
    {"lxc.hook.clone", kAsRoot},
    {"lxc.hook.destroy", kAsRoot},
    {"lxc.hook.mount", "runs a program of this host's in the container's namespaces"},
    {"lxc.hook.post-stop", kAsRoot},
    {"lxc.hook.pre-mount", "runs a program of this host's in the container's namespaces"},
    {"lxc.hook.pre-start", kAsRoot},
    {"lxc.hook.start", "runs a program inside the container"},
    {"lxc.hook.start-host", kAsRoot},
    {"lxc.hook.stop", kAsRoot},
    {"lxc.include", "names a file that is read anew at each start, and may have hooks"},
};

std::string_view what_runs(std::string_view key) {
  if (key.starts_with("lxc.net.") && key.find(".script.") != key.npos) return kAsRoot;
  const auto* row = std::find_if(std::begin(kPrograms), std::end(kPrograms),
                                 [key](const ProgramRow& known) { return known.key == key; });
  return row == std::end(kPrograms) ? std::string_view() : row->what;
}

void point_out(Imported& imported, const std::string& key, const std::string& value, const Origin& origin,
               std::string_view what) {
  remark(imported, origin,
         formatted("'{}' {}; read it before you start the container: '{}'", key, what, value));
}

}  // namespace

bool confines(std::string_view key) {
  // In another VLAN, or in none, the container is in a network that it was kept out of.
  if (key.starts_with("lxc.net.") && key.find(".vlan.") != key.npos) return true;
  return std::any_of(std::begin(kConfining), std::end(kConfining),
                     [key](std::string_view beginning) { return key.starts_with(beginning); });
}

std::string reason_of(const Error& error) {
  if (error.error_number() == 0) return error.action();
  return formatted("{}: {}", error.action(), errno_text(error.error_number()));
}

void lose_line(Imported& imported, std::string_view key, const Origin& origin, std::string message) {
  if (confines(key)) {
    message += key.starts_with("lxc.include") ? "; what it includes may say what the container may do"
                                              : "; the line says what the container may do";
    imported.lost_protection.push_back(origin);
  }
  lose_harmless_line(imported, origin, std::move(message));
}

void lose_harmless_line(Imported& imported, const Origin& origin, std::string message) {
  imported.diagnostics.push_back({Diagnostic::Severity::error, std::move(message), origin});
}

void remark(Imported& imported, const Origin& origin, std::string message) {
  imported.diagnostics.push_back({Diagnostic::Severity::warning, std::move(message), origin});
}

void keep_foreign_line(Imported& imported, const Located<std::string>& line) {
  imported.config.main.description += line.value + "\n";
  lose_harmless_line(imported, line.origin,
                     formatted("'{}' is no setting; kept as part of the description", line.value));
}

void keep_text(const LxcFile& file, Imported& imported) {
  for (const auto& comment : file.comments) imported.config.main.description += comment.value + "\n";
  for (const auto& line : file.foreign) keep_foreign_line(imported, line);
  for (const auto& line : file.malformed) {
    lose_line(imported, line.value, line.origin, reason_of(malformed_line(line)));
  }
}

std::optional<std::string> net_complaint(NetOption net) {
  if (net.name.empty()) net.name = "eth0";
  try {
    parse_net(print_net(net));
  } catch (const Error& error) {
    return reason_of(error);
  }
  for (const auto* text : {&net.name, &net.bridge, &net.hwaddr, &net.ip, &net.gw, &net.ip6, &net.gw6}) {
    if (text->find(',') != std::string::npos) return "a comma begins the next property of net[n]";
  }
  return std::nullopt;
}

std::vector<RawEntry> current_lines(std::vector<RawEntry> entries, Imported& imported) {
  std::erase_if(entries, [&imported](const RawEntry& entry) {
    if (is_known_key(entry.key) && !is_unknown_device_rule(entry)) return false;
    lose_line(imported, entry.key, entry.origin, formatted("unknown key '{}'", entry.key));
    return true;
  });
  drop_misplaced_settings(entries, imported);
  entries = to_current_names(entries, 0, &imported.diagnostics);
  Diagnostics lost;
  entries = to_cgroup_v2(entries, {}, lost, BadLimits::report);
  for (auto& diagnostic : lost)
    lose_harmless_line(imported, diagnostic.origin, std::move(diagnostic.message));
  return entries;
}

void drop_bad_lines(Imported& imported) {
  drop_bad_lines(imported, imported.config.main);
  for (auto& [name, section] : imported.config.snapshots) drop_bad_lines(imported, section);
}

void point_out_programs(Imported& imported) {
  const auto& config = imported.config;
  for (const auto* section : {&config.main, &config.pending}) {
    for (const auto& entry : section->raw) {
      const auto what = what_runs(entry.key);
      if (!what.empty() && !entry.value.empty())
        point_out(imported, entry.key, entry.value, entry.origin, what);
    }
    if (const auto* script = section->find("hookscript"))
      point_out(imported, "hookscript", script->value, script->origin, kAsRoot);
  }
}

void sort_diagnostics(Imported& imported) {
  const auto place = [&imported](const Diagnostic& diagnostic) {
    const bool of_source = diagnostic.origin.source == imported.config.path;
    return of_source ? diagnostic.origin.line : INT_MAX;
  };
  std::stable_sort(imported.diagnostics.begin(), imported.diagnostics.end(),
                   [&place](const Diagnostic& a, const Diagnostic& b) { return place(a) < place(b); });
}

}  // namespace hutch::config
