#include "config/formats/lxc_options.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

std::optional<std::string> arch(const std::string& value) {
  const auto* architecture = find_architecture(value);
  if (architecture == nullptr || architecture->option.empty()) return std::nullopt;
  return std::string(architecture->option);
}

std::optional<std::string> host_name(const std::string& value) {
  // HOST_NAME_MAX; LXC takes any text that the kernel takes, the option is a DNS name.
  if (value.size() > 64 || !check_file_value("hostname", value).ok()) return std::nullopt;
  return value;
}

std::optional<std::string> ttys(const std::string& value) {
  const auto number = parse_unsigned(value);
  if (!number || *number > 6) return std::nullopt;
  return std::to_string(*number);
}

std::optional<std::string> on_boot(const std::string& value) {
  return value == "1" ? std::optional<std::string>("1") : std::nullopt;
}

// One LXC key, one option; `convert` gives nothing for what the option cannot say.
struct ScalarRow {
  std::string_view key;
  std::string_view option;
  std::optional<std::string> (*convert)(const std::string& value);
};
constexpr ScalarRow kScalars[] = {
    {"lxc.arch", "arch", arch},
    {"lxc.start.auto", "onboot", on_boot},
    {"lxc.tty.max", "tty", ttys},
    {"lxc.uts.name", "hostname", host_name},
};

// Order and delay in one option.
void startup_to_option(LxcDraft& draft) {
  std::vector<std::string> parts;
  Origin origin;
  for (const auto& [key, name] :
       {std::pair("lxc.start.order", "order="), std::pair("lxc.start.delay", "up=")}) {
    const auto* entry = draft.last(key);
    if (entry == nullptr) continue;
    const auto number = parse_unsigned(entry->value);
    if (!number) return;
    if (*number != 0) {
      parts.push_back(name + std::to_string(*number));
      origin = entry->origin;
    }
  }
  draft.remove("lxc.start.order");
  draft.remove("lxc.start.delay");
  if (!parts.empty()) draft.section.set("startup", join(parts, ","), origin);
}

void environment_to_option(LxcDraft& draft) {
  std::erase_if(draft.entries, [&draft](const RawEntry& entry) {
    const bool fits = check_file_value("env", entry.value).ok() && trim(entry.value) == entry.value;
    if (entry.key != "lxc.environment.runtime" || !fits) return false;
    draft.section.environment.push_back({entry.value, entry.origin});
    return true;
  });
}

// "lxc.net.1" of "lxc.net.1.type", "lxc.net" of "lxc.net.1", "lxc.cgroup2" of "lxc.cgroup2.pids.max"; else
// "".
std::string_view family(std::string_view key) {
  if (key.starts_with("lxc.net.")) return key.substr(0, key.find('.', 8) == key.npos ? 7 : key.find('.', 8));
  return key.starts_with("lxc.cgroup2.") ? key.substr(0, 11) : std::string_view();
}

bool is_clear(std::string_view key) {
  if (key == "lxc.net" || key == "lxc.cgroup2") return true;
  return key.starts_with("lxc.net.") && parse_unsigned(key.substr(8));
}

// `lxc.net =`, `lxc.net.1 =` and `lxc.cgroup2 =` take back the lines before them.
void apply_clears(LxcDraft& draft) {
  std::set<std::string, std::less<>> cleared;
  std::vector<RawEntry> kept;
  for (auto entry = draft.entries.rbegin(); entry != draft.entries.rend(); ++entry) {
    if (is_clear(entry->key)) {
      if (entry->value.empty()) {
        cleared.insert(entry->key);
      } else {
        draft.not_carried(
            *entry, formatted("'{}': '{}' is not empty, and this key only clears", entry->key, entry->value));
      }
      continue;
    }
    const auto own = family(entry->key);
    if (!own.empty() && (cleared.contains(own) || cleared.contains(family(own)))) continue;
    kept.push_back(*entry);
  }
  draft.entries.assign(kept.rbegin(), kept.rend());
}

}  // namespace

const RawEntry* LxcDraft::last(std::string_view key) const {
  const auto found = std::find_if(entries.rbegin(), entries.rend(),
                                  [key](const RawEntry& entry) { return entry.key == key; });
  return found == entries.rend() ? nullptr : &*found;
}

void LxcDraft::remove(std::string_view key) {
  std::erase_if(entries, [key](const RawEntry& entry) { return entry.key == key; });
}

std::string quoted_value(const std::string& value) {
  const bool keeps_form = without_quotes(value) == value && trim(value) == value;
  return keeps_form ? value : formatted("\"{}\"", value);
}

std::string quoted_word(std::string_view word) {
  const bool plain = !word.empty() && word.find_first_of(" \t\r\n\v\f'\"") == std::string_view::npos;
  if (plain) return std::string(word);
  // There are no escapes: a part with one kind of quotes stands in the other kind.
  std::string text;
  char quote = word.find('"') == std::string_view::npos ? '"' : '\'';
  text += quote;
  for (const char c : word) {
    if (c == quote) {
      text += quote;
      quote = quote == '"' ? '\'' : '"';
      text += quote;
    }
    text += c;
  }
  text += quote;
  return text;
}

void scalars_to_options(LxcDraft& draft) {
  for (const auto& row : kScalars) {
    const auto* entry = draft.last(row.key);
    if (entry == nullptr) continue;
    if (auto value = row.convert(entry->value)) {
      draft.section.set(row.option, std::move(*value), entry->origin);
      draft.remove(row.key);
    }
  }
  startup_to_option(draft);
  environment_to_option(draft);
}

void id_map_to_option(LxcDraft& draft) {
  std::vector<const RawEntry*> lines;
  for (const auto& entry : draft.entries) {
    if (entry.key == "lxc.idmap") lines.push_back(&entry);
  }
  if (lines.size() != 2) return;
  const auto is_default = [](const RawEntry& entry, std::string_view type) {
    return split_blanks(entry.value) == std::vector<std::string_view>{type, "0", "100000", "65536"};
  };
  const bool straight = is_default(*lines[0], "u") && is_default(*lines[1], "g");
  if (!straight && !(is_default(*lines[0], "g") && is_default(*lines[1], "u"))) return;
  draft.section.set("unprivileged", "1", lines[0]->origin);
  draft.remove("lxc.idmap");
}

void rootfs_to_option(LxcDraft& draft) {
  const auto* entry = draft.last("lxc.rootfs.path");
  // Raw lines of the root file system only count where the option is not set.
  if (entry == nullptr || entry->value.empty() || draft.has("lxc.rootfs.options")) return;
  std::string path = entry->value;
  if (path.starts_with("dir:")) path.erase(0, 4);
  if (!path.starts_with('/')) return;
  if (draft.sources.is_regular_file && draft.sources.is_regular_file(path)) return;
  VolumeOption option;
  option.volume = path;
  const std::string text = print_rootfs(option);
  // Reading it back would take blanks off its end.
  if (trim(text) != text || text.find_first_of("\r\n") != std::string::npos) return;
  try {
    if (parse_rootfs(text).volume != path) return;
  } catch (const Error&) {
    // A path that the property string cannot hold.
    return;
  }
  draft.section.set("rootfs", text, entry->origin);
  draft.remove("lxc.rootfs.path");
}

void lxc_lines_to_options(LxcDraft& draft) {
  apply_clears(draft);
  scalars_to_options(draft);
  id_map_to_option(draft);
  rootfs_to_option(draft);
  resources_to_options(draft);
  links_to_options(draft);
  mounts_to_options(draft);
  for (auto& entry : draft.entries) {
    if (entry.value.find_first_of("\r\n") != std::string::npos) {
      draft.not_carried(entry, formatted("'{}': a value cannot have several lines", entry.key));
      continue;
    }
    entry.value = quoted_value(entry.value);
    draft.section.raw.push_back(entry);
  }
}

}  // namespace hutch::config
