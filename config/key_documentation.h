#pragma once

#include <span>
#include <string_view>

// What the keys of a config are for, in words: the texts of docs/options.md. Only hutch-options links this,
// so that `pct` stays small. The names are those of raw_keys.h and property_formats.h; a test compares them.
namespace hutch::config {

// A `lxc.*` key under its current name. Old names have no row: what they mean is what their current name
// means.
struct KeyDocumentation {
  enum class Kind {
    scalar,  // the last line counts; an empty value takes it back
    list,    // every line appends; an empty value clears what came before
    map,     // the last line of the same full name counts; an empty value clears that name
    flags,   // words that each replace their own group; an empty value clears all
    clears,  // takes an empty value only
  };
  // How often containers of Proxmox hosts have it.
  enum class Use { common, some, rare };

  // "lxc.idmap"; a family as "lxc.cgroup2.*"; one of its members as "lxc.net.[n].type".
  std::string_view name;
  std::string_view value;  // its grammar
  Kind kind = Kind::scalar;
  std::string_view default_text;  // what holds without the line
  Use use = Use::common;
  std::string_view meaning;
  // When a changed line counts.
  std::string_view effect = "at the next start";
};

// Sorted by name.
std::span<const KeyDocumentation> key_documentation();

// A key of an option that is a property string ("net[n]", "rootfs").
struct SubKeyDocumentation {
  std::string_view option;  // "net"; rows of "mp" count for "rootfs" too
  std::string_view name;
  std::string_view default_text;
  std::string_view meaning;
};

// By option, in the order of the format's table.
std::span<const SubKeyDocumentation> sub_key_documentation();

}  // namespace hutch::config
