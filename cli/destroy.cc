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
#include "cli/destruction.h"
#include "cli/lowering_context.h"
#include "config/lower.h"
#include "config/lowering.h"
#include "config/property_formats.h"
#include "config/volume_references.h"
#include "runtime/container_hooks.h"
#include "runtime/start_plan.h"
#include "runtime/state.h"
#include "runtime/stop.h"
#include "storage/dir_storage.h"
#include "storage/storage_config.h"
#include "storage/volume_id.h"

namespace hutch::cli {

namespace {

std::set<std::string> all_volumes(const config::ContainerConfig& config) {
  auto volumes = config::volumes_of(config.main);
  volumes.merge(config::volumes_of(config.pending));
  for (const auto& [name, section] : config.snapshots) volumes.merge(config::volumes_of(section));
  return volumes;
}

class VolumeRemoval {
 public:
  VolumeRemoval(CommandContext& context, std::uint32_t vmid)
      : context_(context),
        vmid_(vmid),
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
      if (volume.owner != vmid_) {
        context_.warn(formatted("volume '{}' does not belong to CT {} and is left alone", text, vmid_));
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
      for (const auto& found : storage.list(vmid_)) storage.free(found.id);
    }
  }

 private:
  CommandContext& context_;
  std::uint32_t vmid_;
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

void remove_run_files(CommandContext& context, std::uint32_t vmid) {
  const std::string directory = context.sysroot().path(formatted("var/lib/lxc/{}", vmid));
  remove_empty_directory(context, directory + "/rootfs");
  remove_file(directory + "/config");
  remove_empty_directory(context, directory);
  remove_tree(AT_FDCWD, state_directory(context.sysroot(), vmid));  // the record of its last failure
  remove_file(context.sysroot().path(formatted("etc/pve/firewall/{}.fw", vmid)));
}

// lxc.rootfs.managed: 0, with which LXC, too, touches neither the storage nor the config. Where it cannot be
// known the volumes are not freed.
void refuse_unmanaged(const Sysroot& sysroot, const config::ContainerConfig& config) {
  std::optional<config::RawEntry> last;
  try {
    last = config::last_entry(config, make_lowering_context(sysroot, config.vmid), "lxc.rootfs.managed");
  } catch (const Error& error) {
    throw error.with_context(
        formatted("can't remove CT {} - whether its root file system is managed here is unknown; "
                  "correct or remove the include",
                  config.vmid));
  }
  // Empty is the default: managed.
  if (!last || last->value.empty() || config::c_number(*last) != 0) return;
  throw Error(formatted("can't remove CT {} - its root file system is not managed here", config.vmid), 0,
              "remove the line lxc.rootfs.managed first", last->origin);
}

void refuse(const Sysroot& sysroot, const config::ContainerConfig& config) {
  // Left by a destroy that failed half-way: this is how to finish it.
  check_config_lock(config, "destroyed");
  if (config.main.boolean_or("protection", false)) {
    throw Error(formatted("can't remove CT {} - protection mode enabled", config.vmid), 0,
                "unset 'protection' in its config first", config.main.origin_of("protection"));
  }
  refuse_unmanaged(sysroot, config);
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
void run_destroy_hooks(CommandContext& context, const config::ContainerConfig& config) {
  config::HookSettings settings;
  try {
    settings = config::lower_hooks(config, make_lowering_context(context.sysroot(), config.vmid));
  } catch (const Error& error) {
    // A container whose config is broken has to go all the same.
    context.warn(formatted("its destroy hooks are not run: {}", error.what()));
  }
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

void destroy_stopped(CommandContext& context, const ConfigStore& store, std::uint32_t vmid,
                     bool unreferenced) {
  if (!store.exists(vmid)) return;
  // Read again: another command may have changed it before the lock was ours.
  auto config = load_config(context, store, vmid, false);
  refuse(context.sysroot(), config);
  if (find_running(context.sysroot(), vmid)) {
    throw Error(formatted("unable to destroy CT {} - it was started meanwhile", vmid));
  }
  // A supervisor that died may have left cgroups and links.
  clean_up_leftovers(context.sysroot(), vmid);
  run_destroy_hooks(context, config);
  // The volumes stay named in it, so that a destroy that fails below can be repeated.
  config.main.set("lock", "destroyed");
  store.write(vmid, config::write_config(config));
  VolumeRemoval removal(context, vmid);
  for (const auto& volume : all_volumes(config)) removal.free(volume);
  if (unreferenced) removal.free_unreferenced();
  remove_run_files(context, vmid);
  store.remove(vmid);
}

void destroy_ephemeral(CommandContext& context, const ConfigStore& store, std::uint32_t vmid) {
  try {
    if (!store.exists(vmid)) return;
    const auto config = load_config(context, store, vmid, false);
    if (!config::lower_ephemeral(config, make_lowering_context(context.sysroot(), vmid))) return;
    destroy_stopped(context, store, vmid, false);
  } catch (const Error& error) {
    context.warn(formatted("CT {} is ephemeral, but stays: {}", vmid, error.what()));
  }
}

int command_destroy(CommandContext& context) {
  const ConfigStore store(context.sysroot());
  const std::uint32_t vmid = context.vmid();
  refuse(context.sysroot(), load_config(context, store, vmid));
  stop_if_running(context);
  context.enter_worker();

  const auto file_lock = store.lock(vmid, context.err());
  destroy_stopped(context, store, vmid, context.options().flag("destroy-unreferenced-disks"));
  if (context.options().flag("purge"))
    context.notice(formatted("purging CT {} from related configurations..", vmid));
  return 0;
}

}  // namespace hutch::cli
