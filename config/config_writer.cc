#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/container_config.h"
#include "config/percent_encoding.h"
#include "config/property_formats.h"

namespace hutch::config {

namespace {

enum class SectionKind { main, pending, snapshot };

void write_pair(std::string& text, std::string_view key, std::string_view value, const Origin& origin) {
  if (value.find('\n') != std::string_view::npos) {
    throw Error(formatted("cannot write option '{}': its value contains a line break", key), 0,
                "write it as one line", origin);
  }
  text += key;
  text += ": ";
  text += value;
  text += '\n';
}

void write_description(std::string& text, std::string_view description) {
  while (description.ends_with('\n')) description.remove_suffix(1);
  if (description.empty()) return;
  for (const auto line : split(description, '\n')) {
    text += '#';
    text += percent_encode(line);
    text += '\n';
  }
}

std::string delete_list(const Section& section) {
  std::vector<std::string> names;
  for (const auto& [name, force] : section.pending_deletes) names.push_back(force ? "!" + name : name);
  return join(names, ",");
}

// Volumes that rootfs and mp<n> of the section use. A value that does not parse counts with its first part.
std::set<std::string> used_volumes(const Section& section) {
  std::set<std::string> volumes;
  auto keys = section.indexed_keys("mp");
  keys.emplace_back("rootfs");
  for (const auto& key : keys) {
    const auto* option = section.find(key);
    if (option == nullptr) continue;
    try {
      volumes.insert(key == "rootfs" ? parse_rootfs(option->value).volume
                                     : parse_mount_point(option->value).volume);
    } catch (const Error&) {
      volumes.insert(std::string(split(option->value, ',').front()));
    }
  }
  return volumes;
}

bool is_unused_in_use(const std::string& key, const std::string& value, const std::set<std::string>& used) {
  if (!key.starts_with("unused") || used.empty()) return false;
  try {
    return used.contains(parse_unused(value));
  } catch (const Error&) {
    return false;
  }
}

void write_options(std::string& text, const Section& section, SectionKind kind) {
  const auto used = kind == SectionKind::main ? used_volumes(section) : std::set<std::string>();
  std::map<std::string_view, std::string_view> extra;
  const std::string deletes = kind == SectionKind::pending ? delete_list(section) : std::string();
  if (!deletes.empty()) extra.emplace("delete", deletes);
  if (kind == SectionKind::snapshot && !section.snapstate.empty())
    extra.emplace("snapstate", section.snapstate);

  auto next_extra = extra.begin();
  for (const auto& [key, value] : section.options) {
    for (; next_extra != extra.end() && next_extra->first < key; ++next_extra) {
      write_pair(text, next_extra->first, next_extra->second, {});
    }
    const auto earlier = section.superseded.find(key);
    if (earlier != section.superseded.end()) {
      for (const auto& line : earlier->second) write_pair(text, key, line.value, line.origin);
    } else if (is_unused_in_use(key, value.value, used)) {
      continue;  // with earlier lines it stays: one of them would count instead
    }
    write_pair(text, key, value.value, value.origin);
  }
  for (; next_extra != extra.end(); ++next_extra) write_pair(text, next_extra->first, next_extra->second, {});
}

void write_section(std::string& text, const Section& section, SectionKind kind) {
  write_description(text, section.description);
  write_options(text, section, kind);
  for (const auto& variable : section.environment) {
    write_pair(text, "lxc.environment.runtime", variable.value, variable.origin);
  }
  for (const auto& entry : section.raw) write_pair(text, entry.key, entry.value, entry.origin);
  for (const auto& line : section.unreadable) {
    text += line.value;
    text += '\n';
  }
}

}  // namespace

std::string write_config(const ContainerConfig& config) {
  std::string text;
  write_section(text, config.main, SectionKind::main);
  if (!config.pending.empty()) {
    text += "\n[pve:pending]\n";
    write_section(text, config.pending, SectionKind::pending);
  }
  for (const auto& [name, section] : config.snapshots) {
    text += formatted("\n[{}]\n", name);
    write_section(text, section, SectionKind::snapshot);
  }
  for (const auto& section : config.unreadable_sections) {
    text += formatted("\n{}\n", section.header);
    for (const auto& line : section.lines) text += line + "\n";
  }
  return text;
}

}  // namespace hutch::config
