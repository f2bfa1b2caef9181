#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/container_config.h"
#include "config/lower.h"

// Any container file of the world as a CT config, each line with the place it came from.
//
// Everything here is a pure function of the text and the callbacks: it ends for every input, in time and
// memory linear in its size (and that of the files included), and either returns or throws Error. Fuzz
// import_config.
namespace hutch::config {

enum class Format {
  pve,        // a CT config
  lxc,        // a classic LXC file, also with names from before 3.0
  lxc01,      // LXC 0.1 (2008)
  early_pve,  // PVE 4.0 beta (2015): lxc.* and pve.* lines
  libvirt,    // container XML: <domain type='lxc'>, or the proposal of 2008
};
// "pve", "lxc", "lxc-0.1", "early-pve", "libvirt".
std::string_view format_name(Format format);
std::optional<Format> find_format(std::string_view name);
// By content. Throws Error with `source` as origin for a text that is none of them: empty, binary, other XML.
Format detect_format(std::string_view text, const std::string& source);
// For a format that somebody has named: throws Error for a text that cannot be in it, with what it looks
// like.
void check_format(Format format, std::string_view text, const std::string& source);

// What importing may ask of the host. Every function may be unset: then there are no files.
struct ImportSources {
  std::function<std::string(const std::string& path)> read_file;  // throws Error with its errno
  // The names in a directory; nothing when `path` is none.
  std::function<std::optional<std::vector<std::string>>(const std::string& path)> list_directory;
  std::function<HostDevice(const std::string& path)> device_at;  // throws Error
  std::function<bool(const std::string& path)> is_regular_file;
};

struct Imported {
  // Without digest. `ostype` has default_origin() when nothing in the source names it, and no option
  // `rootfs` (and no `lxc.rootfs.path`) is set when the source has no root file system of its own.
  ContainerConfig config;
  // Errors: a line that was not carried over, and why. Warnings: carried over, but worth knowing; among these
  // is every line that makes a start run a program.
  Diagnostics diagnostics;
  // Lines that say what the container may do (capabilities, ids, policies, an include that may have such
  // lines) and that are not in `config`, nor anything else that keeps the container from starting: with one
  // of these the container would be less confined than its file says, so `config` must not be used. They are
  // among the diagnostics, too.
  std::vector<Origin> lost_protection;
  // Lines with a value that no start takes, and that are carried over nevertheless. Among the diagnostics,
  // too.
  std::vector<Origin> unusable;
};

// A line that cannot be used is told, and the rest is carried over. A line that says what the container may
// do, and whose value cannot be used, is carried over as it is: no start takes it.
//
// `source` goes into the origins: the path. Throws Error for a text that is no container at all (XML that is
// cut off, or is something else) or is larger than 1 MiB.
Imported import_config(Format format, std::string_view text, const std::string& source, std::uint32_t vmid,
                       const ImportSources& sources);

// The five readers.
Imported import_pve(std::string_view text, const std::string& source, std::uint32_t vmid);
Imported import_lxc(std::string_view text, const std::string& source, std::uint32_t vmid,
                    const ImportSources& sources);
Imported import_lxc01(std::string_view text, const std::string& source, std::uint32_t vmid,
                      const ImportSources& sources);
Imported import_early_pve(std::string_view text, const std::string& source, std::uint32_t vmid);
Imported import_libvirt(std::string_view text, const std::string& source, std::uint32_t vmid,
                        const ImportSources& sources);

// The same classic file without a single option: LXC's defaults and then every line as a raw one. It means
// the same as what import_lxc() gives; the tests compare the two.
Imported import_lxc_raw(std::string_view text, const std::string& source, std::uint32_t vmid,
                        const ImportSources& sources);

}  // namespace hutch::config
