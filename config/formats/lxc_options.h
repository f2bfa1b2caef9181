#pragma once

#include <string>
#include <vector>

#include "config/container_config.h"
#include "config/formats/foreign_lines.h"

// LXC lines as options of a CT config, where there is one that means the same. Shared by the readers; not for
// other rooms.
namespace hutch::config {

struct LxcDraft {
  Section& section;
  // Under current names, cgroup v2. What became an option is taken out; the rest are raw entries.
  std::vector<RawEntry> entries;
  const ImportSources& sources;
  Imported& imported;

  // The last entry of that key; null when there is none.
  const RawEntry* last(std::string_view key) const;
  bool has(std::string_view key) const { return last(key) != nullptr; }
  void remove(std::string_view key);
  // The line has no place in the result (foreign_lines.h).
  void not_carried(const RawEntry& entry, std::string message) {
    lose_line(imported, entry.key, entry.origin, std::move(message));
  }
  void not_carried(const Origin& origin, std::string message) {
    lose_harmless_line(imported, origin, std::move(message));
  }
  void remark(const Origin& origin, std::string message) {
    config::remark(imported, origin, std::move(message));
  }
};

// Every step of the below, and what is left goes behind the section's raw entries. Entries that take back
// what a CT has by default (limits of memory and swap) come first.
void lxc_lines_to_options(LxcDraft& draft);

void scalars_to_options(LxcDraft& draft);
void id_map_to_option(LxcDraft& draft);
void rootfs_to_option(LxcDraft& draft);
void resources_to_options(LxcDraft& draft);
void links_to_options(LxcDraft& draft);
void mounts_to_options(LxcDraft& draft);

// The value with a pair of quotes around it where reading it back would take off quotes or blanks of its own.
std::string quoted_value(const std::string& value);

// A word of a command (lxc.init.cmd), quoted where it has blanks or quotes.
std::string quoted_word(std::string_view word);

}  // namespace hutch::config
