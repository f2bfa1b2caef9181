#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "config/container_config.h"
#include "config/property_formats.h"
#include "runtime/container_spec.h"
#include "storage/storage_config.h"

// What `pct create` was asked for, checked as far as it can be before anything is made (pct-cli.md §2.3,
// 1-3).
namespace hutch::cli {

// rootfs or mp[n] that is mounted while the template is extracted.
struct RequestedVolume {
  std::string key;  // "rootfs", "mp0"
  config::VolumeOption option;
  // Set: `option.volume` ("STORAGE:SIZE") asks for a new one.
  std::optional<config::NewVolume> fresh;
};

struct CreateRequest {
  std::uint32_t vmid = 0;
  std::string archive;       // host path
  std::string archive_name;  // as the user wrote it
  // Every option but rootfs and mp[n], as it will be stored.
  config::Section options;
  std::vector<RequestedVolume> volumes;  // rootfs first, then by index
  // Bind and device mount points: added to the config after the extraction, not mounted for it.
  std::vector<std::pair<std::string, config::VolumeOption>> delayed;
  // Empty: no user namespace.
  IdMap id_map;
  std::string password;  // "": root's password is locked
  std::string ssh_public_keys;
  bool ignore_unpack_errors = false;
  bool start = false;
};

// All options as they will be stored, with rootfs and mp[n] as they are by now.
config::Section all_options(const CreateRequest& request);

// Reads the command's options and arguments. Throws ArgumentError for what the arguments alone show to be
// wrong, Error for what the host lacks (storage, template, key file, device).
CreateRequest read_create_request(CommandContext& context, const StorageConfig& storages);

}  // namespace hutch::cli
