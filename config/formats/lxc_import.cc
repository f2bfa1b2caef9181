#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/import.h"
#include "config/formats/lxc_base.h"
#include "config/formats/lxc_options.h"
#include "config/legacy_names.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/lxc_include.h"
#include "config/raw_keys.h"

// The classic LXC file.
namespace hutch::config {

namespace {

// The distribution files that a container template put at the beginning, and that the option `ostype` stands
// for.
struct TemplateIncludes {
  std::string os_type;
  Origin origin;
};

// Keys that the distribution files set, too: a line before the include would be overridden by it.
constexpr std::string_view kSetByIncludes[] = {"lxc.apparmor", "lxc.cap.",   "lxc.cgroup",
                                               "lxc.include",  "lxc.mount.", "lxc.pty.",
                                               "lxc.seccomp",  "lxc.signal", "lxc.tty."};

bool set_by_includes(const RawEntry& entry) {
  auto info = raw_key_info(entry.key);
  const std::string key = info.current.empty() ? entry.key : std::move(info.current);
  return std::any_of(std::begin(kSetByIncludes), std::end(kSetByIncludes),
                     [&key](std::string_view prefix) { return key.starts_with(prefix); });
}

// "debian" for ".../debian.common.conf" of LXC's own directory (`ending` ".common.conf"); "" for anything
// else.
std::string_view type_of_include(const RawEntry& entry, std::string_view ending) {
  std::string_view name = entry.value;
  if (entry.key != "lxc.include" || !name.starts_with(kLxcConfigDirectory) || !name.ends_with(ending))
    return {};
  name.remove_prefix(kLxcConfigDirectory.size());
  name.remove_suffix(std::min(ending.size(), name.size()));
  return find_os_type(name) == nullptr ? std::string_view() : name;
}

using EntryAt = std::vector<RawEntry>::iterator;

// Takes the includes of one distribution out of `entries` when they come before everything that they would
// override, and, for containers with an id map, with the file for those. Otherwise nothing is changed.
std::optional<TemplateIncludes> take_template_includes(std::vector<RawEntry>& entries) {
  const auto common = std::find_if(entries.begin(), entries.end(), set_by_includes);
  if (common == entries.end()) return std::nullopt;
  const auto type = std::string(type_of_include(*common, ".common.conf"));
  if (type.empty()) return std::nullopt;
  const bool has_id_map = std::any_of(entries.begin(), entries.end(), [](const RawEntry& entry) {
    return entry.key == "lxc.idmap" || entry.key == "lxc.id_map";
  });
  const auto userns = std::find_if(common + 1, entries.end(), set_by_includes);
  const bool has_userns = userns != entries.end() &&
                          (type_of_include(*userns, ".userns.conf") == type ||
                           (find_os_type(type)->userns_mounts.empty() && userns->key == "lxc.include" &&
                            userns->value == std::string(kLxcConfigDirectory) + "userns.conf"));
  if (has_id_map != has_userns) return std::nullopt;
  TemplateIncludes found{type, common->origin};
  if (has_userns) entries.erase(userns);
  entries.erase(common);
  return found;
}

// The lines with what is included, as they count today.
std::vector<RawEntry> all_lines(const std::vector<RawEntry>& entries, const ImportSources& sources,
                                Imported& imported) {
  IncludeSources includes{sources.read_file, sources.list_directory, true};
  includes.on_error = [&imported](const RawEntry& entry, const Error& error) {
    lose_line(imported, entry.key, entry.origin, reason_of(error));
  };
  return current_lines(expand_includes(entries, includes, &imported.diagnostics), imported);
}

// What the distribution's files say beyond the defaults of a CT of that type.
void add_template_defaults(const TemplateIncludes& found, bool unprivileged, LxcDraft& draft) {
  draft.section.set("ostype", found.os_type, found.origin);
  if (!draft.has("lxc.tty.max")) draft.section.set("tty", "4", found.origin);
  if (!unprivileged) return;
  // A CT with an id map gets a stricter policy and a /sys that is partly read-only.
  auto& raw = draft.section.raw;
  raw.push_back({"lxc.mount.auto", "sys:rw", found.origin});
  raw.push_back({"lxc.mount.entry", "/sys/fs/fuse/connections sys/fs/fuse/connections none bind,optional 0 0",
                 found.origin});
  if (!draft.has("lxc.seccomp.profile")) {
    raw.push_back({"lxc.seccomp.profile", std::string(kCommonSeccompProfile), found.origin});
  }
}

Imported begin(std::string_view text, const std::string& source, std::uint32_t vmid, LxcFile& file) {
  Imported imported;
  imported.config.vmid = vmid;
  imported.config.path = source;
  file = read_lxc_file(text, source, MalformedLines::keep);
  keep_text(file, imported);
  return imported;
}

}  // namespace

void add_lxc_defaults(LxcDraft& draft) {
  struct Default {
    const char* key;
    const char* value;
    bool is_list;  // lines of the source add to it
  };
  constexpr Default kDefaults[] = {
      {"lxc.tty.dir", "", false},    {"lxc.cap.drop", "", true},    {"lxc.cgroup2.devices.allow", "a", true},
      {"lxc.mount.auto", "", true},  {"lxc.mount.entry", "", true}, {"lxc.seccomp.profile", "", false},
      {"lxc.signal.halt", "", false}};
  for (const auto& row : kDefaults) {
    if (row.is_list || !draft.has(row.key))
      draft.section.raw.push_back({row.key, row.value, default_origin()});
  }
  if (!draft.has("lxc.tty.max")) draft.section.set("tty", "0", default_origin());
  draft.section.set("ostype", "unmanaged", default_origin());
  if (!draft.has("lxc.idmap") && !draft.has("lxc.cap.drop") && !draft.has("lxc.cap.keep")) {
    draft.remark({},
                 "no line limits what the container may do: as with LXC, its root is the host's, with every "
                 "capability");
  }
}

void finish_import(LxcDraft& draft) {
  lxc_lines_to_options(draft);
  if (!draft.section.has("arch")) draft.section.set("arch", "amd64", default_origin());
}

Imported import_lxc(std::string_view text, const std::string& source, std::uint32_t vmid,
                    const ImportSources& sources) {
  LxcFile file;
  auto imported = begin(text, source, vmid, file);
  const auto found = take_template_includes(file.entries);
  LxcDraft draft{imported.config.main, all_lines(file.entries, sources, imported), sources, imported};
  if (found) {
    add_template_defaults(*found, draft.has("lxc.idmap"), draft);
  } else {
    add_lxc_defaults(draft);
  }
  finish_import(draft);
  return imported;
}

Imported import_lxc_raw(std::string_view text, const std::string& source, std::uint32_t vmid,
                        const ImportSources& sources) {
  LxcFile file;
  auto imported = begin(text, source, vmid, file);
  LxcDraft draft{imported.config.main, all_lines(file.entries, sources, imported), sources, imported};
  add_lxc_defaults(draft);
  auto& raw = draft.section.raw;
  for (const char* name : {"memory.max", "memory.high", "memory.swap.max"}) {
    raw.push_back({std::string("lxc.cgroup2.") + name, "", default_origin()});
  }
  raw.insert(raw.end(), draft.entries.begin(), draft.entries.end());
  draft.section.set("arch", "amd64", default_origin());
  return imported;
}

}  // namespace hutch::config
