#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/container_config.h"
#include "config/diagnostic.h"

// `lxc.include` (lxc-keys 1.1).
namespace hutch::config {

struct IncludeSources {
  // The text of a host file; throws Error with its errno.
  std::function<std::string(const std::string& path)> read_file;
  // The names in a host directory, in any order; nothing when `path` is no directory. May be unset: then no
  // path is one.
  std::function<std::optional<std::vector<std::string>>(const std::string& path)> list_directory;
  // Take Hutch's own equivalent of LXC's files even where LXC is installed.
  bool prefer_built_in = false;
  // Called instead of throwing, with the line that cannot be used: an include, or, in an included file, one
  // without '=' (its text is the key). The rest is read on. Unset: errors are thrown.
  std::function<void(const RawEntry& entry, const Error& error)> on_error = {};
};

// `entries` with every `lxc.include` replaced by the entries of the file it names, whose origins are that
// file's lines; of a directory, those of every "*.conf" in it, sorted. A missing directory ("/dir/") is fine.
// One of LXC's own files (below /usr/share/lxc/config) that is not on this host stands for its equivalent
// here, made from the table of OS types; these lines have the origin of the include.
//
// Lines of other programs are left out; each gets a warning in `diagnostics`.
//
// Throws Error with the origin of the include for a file that is missing or cannot be read, is not named by
// an absolute path, includes itself, or when more than 1000 files are read in all.
std::vector<RawEntry> expand_includes(std::vector<RawEntry> entries, const IncludeSources& sources,
                                      Diagnostics* diagnostics = nullptr);

// Where LXC's own files are.
inline constexpr std::string_view kLxcConfigDirectory = "/usr/share/lxc/config/";

// What one of LXC's own files says, by its path: "common.conf", "userns.conf", "nesting.conf",
// "<os type>.common.conf" and "<os type>.userns.conf". Nothing for other paths.
std::optional<std::vector<RawEntry>> built_in_include(std::string_view path, const Origin& origin);

}  // namespace hutch::config
