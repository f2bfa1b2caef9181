#include "cli/create_request.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "cli/container_volumes.h"
#include "cli/option_clashes.h"
#include "cli/option_facts.h"
#include "cli/password.h"
#include "config/options.h"
#include "config/value_types.h"
#include "guest/ssh_keys.h"
#include "storage/dir_storage.h"
#include "storage/template.h"
#include "storage/volume_id.h"

namespace hutch::cli {

namespace {

constexpr const char* kDefaultRootfsGib = "4";

bool is_mount_point(const std::string& name) {
  return config::option_index(name).has_value() && name.starts_with("mp");
}

bool is_volume_option(const std::string& name) {
  return name == "rootfs" || is_mount_point(name);
}

// What this version cannot do must not look as if it had been done.
void refuse_options(const OptionValues& options) {
  std::vector<Problem> problems;
  if (options.flag("unique") && !options.flag("restore")) {
    problems.emplace_back("unique", "missing property - 'unique' requires this property: restore");
  }
  raise_problems(std::move(problems));
  const auto refuse = [](const char* option, const char* why) {
    throw Error(formatted("option '--{}' cannot be used: {}", option, why));
  };
  if (options.flag("restore"))
    refuse("restore", "containers are created from templates, backups are not restored");
  if (options.flag("force"))
    refuse("force", "it needs --restore, which overwrites a container with its backup");
  if (options.has("pool")) refuse("pool", "this host has no cluster and no resource pools");
  if (options.flag("ha-managed")) refuse("ha-managed", "this host has no cluster");
  if (const auto limit = options.value("bwlimit"); limit && std::strtod(limit->c_str(), nullptr) > 0) {
    refuse("bwlimit", "the extraction has no rate limit (0)");
  }
}

// "8" and "8,acl=1" mean "<storage>:8".
std::string with_storage(const std::string& text, const std::string& storage) {
  const std::string volume = text.substr(0, text.find(','));
  return config::parse_number(volume) ? storage + ":" + text : text;
}

std::string stored_value(const std::string& name, const std::string& text) {
  const auto checked = config::check_command_line_value(name, text);
  if (!checked.ok()) raise_problems({{name, checked.reason}});
  return *checked.value;
}

config::Section read_options(CommandContext& context) {
  config::Section section;
  for (const auto& [name, value] : context.options().all()) {
    if (config::find_option(name) == nullptr || is_volume_option(name)) continue;
    // Only their own commands make these two.
    if (name.starts_with("unused") || name == "lock") {
      context.warn(formatted("option '--{}' is ignored by create", name));
      continue;
    }
    section.set(name, stored_value(name, value), {"--" + name});
  }
  const auto set_default = [&](const char* name, const std::string& value) {
    if (!section.has(name)) section.set(name, value, {"default"});
  };
  set_default("hostname", formatted("CT{}", context.vmid()));
  set_default("memory", "512");
  set_default("swap", "512");
  if (!section.has("unprivileged")) section.set("unprivileged", "1", {"default"});
  if (section.get("unprivileged") == "0") section.erase("unprivileged");  // missing means 0
  return section;
}

// An existing volume, directory or device has to be there.
void check_existing(const RequestedVolume& volume, const StorageConfig& storages, const Sysroot& sysroot) {
  std::string path = volume.option.volume;
  if (volume.option.kind() == config::VolumeOption::Kind::volume) {
    const VolumeId id = parse_volume_id(path);
    path = DirStorage(storages.dir_for(id.storage, "rootdir"), sysroot).path_of(id);
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0)
    throw_errno(formatted("volume '{}' cannot be used", volume.option.volume));
}

RequestedVolume read_volume(const std::string& name, const std::string& text, const StorageConfig& storages,
                            const Sysroot& sysroot) {
  RequestedVolume volume;
  volume.key = name;
  volume.option = name == "rootfs" ? config::parse_rootfs(text) : config::parse_mount_point(text);
  volume.fresh = config::parse_new_volume(volume.option.volume);
  if (volume.fresh) {
    storages.dir_for(volume.fresh->storage, "rootdir");
  } else {
    check_existing(volume, storages, sysroot);
  }
  return volume;
}

void read_volumes(CommandContext& context, const StorageConfig& storages, CreateRequest& request) {
  const std::string storage = context.options().value("storage").value_or("local");
  std::map<std::uint32_t, std::string> mount_points;  // by index
  for (const auto& [name, value] : context.options().all()) {
    if (is_mount_point(name)) mount_points[*config::option_index(name)] = name;
  }
  auto rootfs = context.options().value("rootfs");
  if (!rootfs && !mount_points.empty()) {
    raise_problems({{mount_points.begin()->second, "mount points need --rootfs too"}});
  }
  const auto read = [&](const std::string& name, const std::string& text) {
    try {
      return read_volume(name, with_storage(text, storage), storages, context.sysroot());
    } catch (const Error& error) {
      throw error.with_origin({"--" + name});
    }
  };
  request.volumes.push_back(read("rootfs", rootfs.value_or(kDefaultRootfsGib)));
  if (request.volumes.front().option.kind() != config::VolumeOption::Kind::volume) {
    throw Error(formatted("cannot create a container in '{}'", request.volumes.front().option.volume), 0,
                "give a storage and a size, or an existing volume", {"--rootfs"});
  }
  for (const auto& [index, name] : mount_points) {
    RequestedVolume volume = read(name, *context.options().value(name));
    if (volume.option.kind() == config::VolumeOption::Kind::volume) {
      request.volumes.push_back(std::move(volume));
    } else {
      request.delayed.emplace_back(name, std::move(volume.option));
    }
  }
}

// The template is unpacked in one user namespace, so all volumes have to keep ids the same way.
void check_disk_ids(const CreateRequest& request) {
  const bool passthrough = request.volumes.front().option.idmap_passthrough;
  for (const auto& volume : request.volumes) {
    if (!volume.option.idmap.empty()) {
      throw Error("explicit id ranges cannot be used for a volume that create fills", 0,
                  "use idmap=passthrough, or add the mount point after the container was created",
                  {"--" + volume.key});
    }
    if (volume.option.idmap_passthrough != passthrough) {
      throw Error("rootfs and the mount points filled by create must agree on idmap=passthrough", 0,
                  "add the mount point after the container was created", {"--" + volume.key});
    }
  }
}

std::string read_password(CommandContext& context) {
  auto password = context.options().value("password");
  if (!password) return {};
  if (password->empty()) password = prompt_new_password(stdin, context.err());
  if (password->size() < kMinimumPasswordLength) {
    raise_problems(
        {{"password", formatted("value must be at least {} characters long", kMinimumPasswordLength)}});
  }
  return *password;
}

std::string read_ssh_keys(CommandContext& context) {
  const auto path = context.options().value("ssh-public-keys");
  if (!path) return {};
  guest::Report report;
  std::string keys = read_file(AT_FDCWD, *path);
  guest::validate_ssh_public_keys(keys, report);
  for (const auto& warning : report.warnings) context.warn(warning);
  return keys;
}

}  // namespace

config::Section all_options(const CreateRequest& request) {
  config::Section options = request.options;
  for (const auto& [key, option, fresh] : request.volumes) {
    options.set(key, key == "rootfs" ? config::print_rootfs(option) : config::print_mount_point(option));
  }
  for (const auto& [key, option] : request.delayed) options.set(key, config::print_mount_point(option));
  return options;
}

CreateRequest read_create_request(CommandContext& context, const StorageConfig& storages) {
  refuse_options(context.options());
  CreateRequest request;
  request.vmid = context.vmid();
  request.archive_name = context.positional()[1];
  if (request.archive_name == "-") {
    throw Error("an archive on standard input can only be restored", 0, "create needs a template file");
  }
  const TemplateFile file = find_template(storages, context.sysroot(), request.archive_name);
  request.archive = file.path;
  request.options = read_options(context);
  check_option_facts(request.options, storages, context.sysroot());
  read_volumes(context, storages, request);
  const config::Section all = all_options(request);
  check_clashes(all, all, [&context](const std::string& text) { context.warn(text); });
  check_disk_ids(request);
  request.id_map = id_map_of(request.options, request.vmid);
  request.ignore_unpack_errors = context.options().flag("ignore-unpack-errors");
  request.start = context.options().flag("start");
  request.ssh_public_keys = read_ssh_keys(context);
  request.password = read_password(context);
  return request;
}

}  // namespace hutch::cli
