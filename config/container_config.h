#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/origin.h"
#include "config/diagnostic.h"

// A container's config file as a document (pct-conf 1-3): everything in it survives reading and writing.
namespace hutch::config {

// A raw `lxc.*` line. The order of the lines of a section is kept.
struct RawEntry {
  std::string key;
  std::string value;  // trimmed, may be empty
  Origin origin;
  bool operator==(const RawEntry&) const = default;
};

// One section: the main one, `[pve:pending]`, or a snapshot.
class Section {
 public:
  // Every option, keyed by its name ("mp10"), values as stored (booleans 1/0, integers without leading zeros;
  // a value that fails its check as it was given). `description`, `env`, `delete` and `snapstate` are not in
  // here.
  std::map<std::string, Located<std::string>, std::less<>> options;
  // Earlier lines of options that are given more than once, in order: the last one counts and is in
  // `options`. They are written back before it.
  std::map<std::string, std::vector<Located<std::string>>, std::less<>> superseded;
  // Decoded; every comment line of the file ends in '\n'. Empty: none.
  std::string description;
  // The `lxc.environment.runtime` lines ("NAME=value") in order, which are the option `env`.
  std::vector<Located<std::string>> environment;
  std::vector<RawEntry> raw;
  // Lines that were not understood, in order, without the newline; written back after everything else.
  std::vector<Located<std::string>> unreadable;
  // "prepare" or "delete"; empty: none.
  std::string snapstate;
  // Only in `[pve:pending]`: option name -> whether the delete is forced ("!name").
  std::map<std::string, bool, std::less<>> pending_deletes;

  bool operator==(const Section&) const = default;

  // True when writing the section would give no line.
  bool empty() const;

  // Access by option name that also covers `description` and `env` (NUL-joined). Nothing: unset.
  std::optional<std::string> get(std::string_view key) const;
  // The same for options proper, with the origin; null for unset options, `description` and `env`.
  const Located<std::string>* find(std::string_view key) const;
  bool has(std::string_view key) const { return get(key).has_value(); }
  // Sets an option without checking its value (options.h checks): the line that counts, where it has more. An
  // empty `description` or `env` unsets it.
  void set(std::string_view key, std::string value, Origin origin = {});
  // Unsets an option: also its superseded lines go, so that none of them counts again. Returns whether it was
  // set.
  bool erase(std::string_view key);
  // Names of all set options (with `description` and `env`, without `snapstate` and `delete`), sorted
  // bytewise.
  std::vector<std::string> keys() const;

  // Typed getters: nothing when unset; a value of the wrong type throws Error with the line that holds it.
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::uint64_t> unsigned_number(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  bool boolean_or(std::string_view key, bool otherwise) const { return boolean(key).value_or(otherwise); }
  // The origin of an option's line; empty when it is unset.
  Origin origin_of(std::string_view key) const;

  // Keys of the set options with this prefix and a number after it, in order of the number: "mp" gives
  // mp0, mp2, mp10. Names that are no option (mp01, mp256) are left out.
  std::vector<std::string> indexed_keys(std::string_view prefix) const;
};

// A section whose header is not understood ("[x]": names have two characters at least). It is kept line for
// line, so that its lines never change the section before it; written last.
struct UnreadableSection {
  std::string header;
  std::vector<std::string> lines;
  bool operator==(const UnreadableSection&) const = default;
};

struct ContainerConfig {
  std::uint32_t vmid = 0;
  std::string path;  // as given to read_config, for messages
  // SHA-1 (hex) of the text as read; empty for a config that was not read.
  std::string digest;
  Section main;
  Section pending;
  std::map<std::string, Section, std::less<>> snapshots;
  std::vector<UnreadableSection> unreadable_sections;

  bool operator==(const ContainerConfig&) const = default;

  // "" is the main section, else a snapshot's name; null when there is no such snapshot.
  const Section* section(std::string_view name) const;
};

// Reads a whole file's text; never throws for what is in it. `source_path` goes into the origins (usually the
// path, or a short name like "100.conf"). What is not understood is kept and reported: unreadable lines,
// failed value checks and unknown options as errors; old names, duplicates and the like as warnings. None of
// them stops a command by itself (PVE loads such files too); lowering throws when it needs a value that is
// bad.
ContainerConfig read_config(std::string_view text, const std::string& source_path, std::uint32_t vmid,
                            Diagnostics& diagnostics);

// The file's text after pct-conf 3. Throws Error naming the option when a value contains a newline.
// write_config(read_config(write_config(c))) == write_config(c).
std::string write_config(const ContainerConfig& config);

}  // namespace hutch::config
