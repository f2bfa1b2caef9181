#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/container_config.h"
#include "config/diagnostic.h"
#include "runtime/container_spec.h"

// From the config's words to a container: every default filled in, every word of PVE and LXC gone
// (lxc-mapping.md, lxc-keys.md).
namespace hutch::config {

// Where a volume id leads.
struct ResolvedVolume {
  VolumeSpec::Kind kind = VolumeSpec::Kind::directory;
  std::string path;  // absolute host path of the directory, image or device
  // A base image or a snapshot: mounted read-only and, for images and devices, without journal replay.
  bool immutable = false;
};

// A device node of the host.
struct HostDevice {
  char type = 'c';  // 'b' or 'c'
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

// What a path of the host leads to.
enum class HostFile { missing, directory, regular, block_device, other };

struct LoweringContext {
  std::uint32_t vmid = 0;
  // "" for the main section, else a snapshot's name.
  std::string section;
  // Called for `<storage>:<name>` volumes only; throws Error when it cannot. Absolute paths in the config
  // (bind mounts, /dev/...) are the host's and are never asked about.
  std::function<ResolvedVolume(const std::string& volume_id)> resolve_volume;
  // Text of a host file that the config names (`lxc.seccomp.profile`, `lxc.mount.fstab`, `lxc.include`);
  // throws Error.
  std::function<std::string(const std::string& path)> read_file;
  // The names in a host directory (`lxc.include`), in any order; nothing when `path` is no directory.
  std::function<std::optional<std::vector<std::string>>(const std::string& path)> list_directory;
  // The host path of a volume of content `snippets` (`hookscript`), which has to be there and executable;
  // throws Error. Unset: there is none.
  std::function<std::string(const std::string& volume_id)> resolve_snippet;
  // A variable of the environment of whoever starts the container (`lxc.environment: NAME`); nothing when it
  // is not set. Unset: none is.
  std::function<std::optional<std::string>(const std::string& name)> starter_environment;
  // The node at a host path (`lxc.cgroup2.devices.allow: /dev/kfd rwm`); throws Error.
  std::function<HostDevice(const std::string& path)> device_at;
  // What is at a host path (`lxc.rootfs.path`); without the function everything is a directory.
  std::function<HostFile(const std::string& path)> file_at;
  // The vmid of the container of this host that is named so: its vmid in digits, or its host name. Unset:
  // none is known.
  std::function<std::optional<std::uint32_t>(const std::string& name)> container_named;
  // The caller's own group on the cgroup2 tree, relative to its root ("" for the root itself), for
  // `lxc.cgroup.relative`.
  std::function<std::string()> own_cgroup;
};

struct LoweringResult {
  ContainerSpec spec;
  // What is set but has no effect: warnings, and errors for what must not be left out (has_errors()).
  Diagnostics diagnostics;
};

// Throws Error with the line's origin for a missing or bad value. Besides the callbacks it is a pure
// function.
LoweringResult lower(const ContainerConfig& config, const LoweringContext& context);

// Where generated settings come from when no line of the config asked for them.
Origin default_origin();

// What lower() does with `lxc.*` lines of a key, by its current name.
enum class RawKeySupport {
  honoured,
  refused,  // an error: the container must not start without it
};
RawKeySupport raw_key_support(std::string_view key);

// What commands need of a container that they do not start: from the main section and the files that it
// includes, whatever else they say. They throw as `lower` does.

// The limits, for a container that runs.
cgroupv2::Resources lower_limits(const ContainerConfig& config, const LoweringContext& context);

// The hooks, for one that is to be destroyed.
struct HookSettings {
  unsigned version = 0;
  HookSpec hooks;
};
HookSettings lower_hooks(const ContainerConfig& config, const LoweringContext& context);

// lxc.ephemeral, for one that has stopped.
bool lower_ephemeral(const ContainerConfig& config, const LoweringContext& context);

// The line `lxc.rootfs.managed: 0`, with which the container's volumes and config are not ours to remove.
// Nothing: they are.
std::optional<Origin> unmanaged_rootfs(const ContainerConfig& config, const LoweringContext& context);

// The `lxc.*` lines as they are written, without the quotes of their values, those of the included files in
// the place of the includes. Nothing else about them is checked; `diagnostics` gets the warnings of
// expand_includes. Throws Error with the origin of an include that cannot be read.
std::vector<RawEntry> expanded_entries(const Section& section, const LoweringContext& context,
                                       Diagnostics* diagnostics = nullptr);

}  // namespace hutch::config
