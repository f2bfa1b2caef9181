#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

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

struct LoweringContext {
  std::uint32_t vmid = 0;
  // "" for the main section, else a snapshot's name.
  std::string section;
  // Called for `<storage>:<name>` volumes only; throws Error when it cannot. Absolute paths in the config
  // (bind mounts, /dev/...) are the host's and are never asked about.
  std::function<ResolvedVolume(const std::string& volume_id)> resolve_volume;
  // Text of a host file that the config names (`lxc.seccomp.profile`, `lxc.mount.fstab`); throws Error.
  std::function<std::string(const std::string& path)> read_file;
  // The host path of a volume of content `snippets` (`hookscript`), which has to be there and executable;
  // throws Error. Unset: there is none.
  std::function<std::string(const std::string& volume_id)> resolve_snippet;
  // A variable of the environment of whoever starts the container (`lxc.environment: NAME`); nothing when it
  // is not set. Unset: none is.
  std::function<std::optional<std::string>(const std::string& name)> starter_environment;
  // The node at a host path (`lxc.cgroup2.devices.allow: /dev/kfd rwm`); throws Error.
  std::function<HostDevice(const std::string& path)> device_at;
};

struct LoweringResult {
  ContainerSpec spec;
  // What is set but has no effect: warnings, and errors for what must not be left out (has_errors()).
  Diagnostics diagnostics;
};

// Throws Error with the line's origin for a missing or bad value. Besides the callbacks it is a pure
// function.
LoweringResult lower(const ContainerConfig& config, const LoweringContext& context);

// The hooks alone: for a container that is to be destroyed, whatever else its config says.
struct HookSettings {
  unsigned version = 0;
  HookSpec hooks;
};
HookSettings lower_hooks(const ContainerConfig& config);

}  // namespace hutch::config
