#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "config/lower.h"
#include "config/property_formats.h"
#include "runtime/container_hooks.h"
#include "runtime/start_plan.h"
#include "runtime/state.h"
#include "runtime/stop.h"
#include "storage/dir_storage.h"
#include "storage/storage_config.h"
#include "storage/volume_id.h"

namespace hutch::cli {

namespace {

// The volume that an option's value names; nothing for bind mounts, devices, and text that is no such value.
std::optional<std::string> volume_of(const std::string& key, const std::string& value) {
  try {
    const std::string volume = key.starts_with("unused") ? config::parse_unused(value)
                               : key == "rootfs"         ? config::parse_rootfs(value).volume
                                                         : config::parse_mount_point(value).volume;
    if (hutch::is_volume_id(volume)) return volume;
  } catch (const Error&) {
    // A line that never named a volume holds nothing to free.
  }
  return std::nullopt;
}

void add_volumes(const config::Section& section, std::set<std::string>& volumes) {
  std::vector<std::string> keys = section.indexed_keys("mp");
  const auto unused = section.indexed_keys("unused");
  keys.insert(keys.end(), unused.begin(), unused.end());
  keys.emplace_back("rootfs");
  for (const auto& key : keys) {
    if (const auto value = section.get(key)) {
      if (const auto volume = volume_of(key, *value)) volumes.insert(*volume);
    }
  }
}

std::set<std::string> all_volumes(const config::ContainerConfig& config) {
  std::set<std::string> volumes;
  add_volumes(config.main, volumes);
  add_volumes(config.pending, volumes);
  for (const auto& [name, section] : config.snapshots) add_volumes(section, volumes);
  return volumes;
}

class VolumeRemoval {
 public:
  explicit VolumeRemoval(CommandContext& context)
      : context_(context),
        storages_(
            StorageConfig::load(context.sysroot(), [&](const std::string& text) { context.warn(text); })) {}

  // Frees a volume that belongs to the container; others, and those that no storage can reach, stay, with a
  // warning.
  void free(const std::string& text) {
    std::optional<DirStorage> storage;
    VolumeId id;
    try {
      id = parse_volume_id(text);
      storage.emplace(storages_.dir(id.storage), context_.sysroot());
      const FileVolume volume = parse_file_volume(id);
      if (volume.owner != context_.vmid()) {
        context_.warn(
            formatted("volume '{}' does not belong to CT {} and is left alone", text, context_.vmid()));
        return;
      }
    } catch (const Error& error) {
      context_.warn(formatted("volume '{}' is left alone: {}", text, error.what()));
      return;
    }
    storage->free(id);
  }

  void free_unreferenced() {
    for (const auto& name : storages_.enabled_dirs()) {
      const DirStorage storage(storages_.dir(name), context_.sysroot());
      for (const auto& found : storage.list(context_.vmid())) storage.free(found.id);
    }
  }

 private:
  CommandContext& context_;
  StorageConfig storages_;
};

void remove_empty_directory(CommandContext& context, const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return;
  const int saved = errno;
  // Somebody else's files or mount: not ours to remove, but the user should know.
  if (saved != ENOTEMPTY && saved != EBUSY)
    throw Error(formatted("cannot remove directory '{}'", path), saved);
  context.warn(formatted("directory '{}' is left: {}", path, errno_text(saved)));
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) throw_errno(formatted("cannot remove '{}'", path));
}

void remove_run_files(CommandContext& context) {
  const std::uint32_t vmid = context.vmid();
  const std::string directory = context.sysroot().path(formatted("var/lib/lxc/{}", vmid));
  remove_empty_directory(context, directory + "/rootfs");
  remove_file(directory + "/config");
  remove_empty_directory(context, directory);
  remove_tree(AT_FDCWD, state_directory(context.sysroot(), vmid));  // the record of its last failure
  remove_file(context.sysroot().path(formatted("etc/pve/firewall/{}.fw", vmid)));
}

void refuse(const config::ContainerConfig& config) {
  // Left by a destroy that failed half-way: this is how to finish it.
  check_config_lock(config, "destroyed");
  if (config.main.boolean_or("protection", false)) {
    throw Error(formatted("can't remove CT {} - protection mode enabled", config.vmid), 0,
                "unset 'protection' in its config first", config.main.origin_of("protection"));
  }
}

void stop_if_running(CommandContext& context) {
  if (!find_running(context.sysroot(), context.vmid())) return;
  if (!context.options().flag("force")) {
    throw Error(formatted("unable to destroy CT {} - container is running", context.vmid()), 0,
                formatted("'pct stop {}' first, or use --force", context.vmid()));
  }
  CommandContext stop = context.nested({std::to_string(context.vmid())});
  const int status = command_stop(stop);
  context.add_warnings(stop.warnings());
  if (status != 0) throw Error(formatted("unable to destroy CT {} - it did not stop", context.vmid()));
}

// A hook that fails keeps the container.
void run_destroy_hooks(const CommandContext& context, const config::ContainerConfig& config) {
  const auto settings = config::lower_hooks(config);
  HookContainer container;
  container.name = std::to_string(config.vmid);
  container.config_path = context.sysroot().path(formatted("etc/pve/lxc/{}.conf", config.vmid));
  container.rootfs_mount = rootfs_mount_path(context.sysroot(), config.vmid);
  container.hook_version = settings.version;
  for (const auto& command : settings.hooks.of(HookPhase::destroy)) {
    run_hook(hook_command(HookPhase::destroy, command, settings.version, config.vmid,
                          common_hook_environment(container)));
  }
}

}  // namespace

int command_destroy(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const std::uint32_t vmid = context.vmid();
  refuse(load_config(context, store, vmid));
  stop_if_running(context);
  context.enter_worker();

  const auto file_lock = store.lock(vmid, context.err());
  // Read again: another command may have changed it before the lock was ours.
  auto config = load_config(context, store, vmid, false);
  refuse(config);
  if (find_running(context.sysroot(), vmid)) {
    throw Error(formatted("unable to destroy CT {} - it was started meanwhile", vmid));
  }
  // A supervisor that died may have left cgroups and links.
  clean_up_leftovers(context.sysroot(), vmid);
  run_destroy_hooks(context, config);
  // The volumes stay named in it, so that a destroy that fails below can be repeated.
  config.main.set("lock", "destroyed");
  store.write(vmid, config::write_config(config));
  VolumeRemoval removal(context);
  for (const auto& volume : all_volumes(config)) removal.free(volume);
  if (context.options().flag("destroy-unreferenced-disks")) removal.free_unreferenced();
  remove_run_files(context);
  store.remove(vmid);
  if (context.options().flag("purge"))
    context.notice(formatted("purging CT {} from related configurations..", vmid));
  return 0;
}

}  // namespace hutch::cli
