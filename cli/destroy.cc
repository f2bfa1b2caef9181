#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/container_volumes.h"
#include "cli/destruction.h"
#include "cli/lowering_context.h"
#include "config/lower.h"
#include "config/volume_references.h"
#include "runtime/container_hooks.h"
#include "runtime/start_plan.h"
#include "runtime/state.h"
#include "runtime/stop.h"

namespace hutch::cli {

namespace {

std::set<std::string> all_volumes(const config::ContainerConfig& config) {
  auto volumes = config::volumes_of(config.main);
  volumes.merge(config::volumes_of(config.pending));
  for (const auto& [name, section] : config.snapshots) volumes.merge(config::volumes_of(section));
  return volumes;
}

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
  remove_state_directory(context.sysroot(), vmid);  // the record of its last failure
  remove_file(context.sysroot().path(formatted("etc/pve/firewall/{}.fw", vmid)));
}

// lxc.rootfs.managed: 0, with which LXC, too, touches neither the storage nor the config. Where it cannot be
// known the volumes are not freed.
void refuse_unmanaged(const Sysroot& sysroot, const config::ContainerConfig& config) {
  std::optional<Origin> line;
  try {
    line = config::unmanaged_rootfs(config, make_lowering_context(sysroot, config.vmid));
  } catch (const Error& error) {
    throw error.with_context(
        formatted("can't remove CT {} - whether its root file system is managed here is unknown; "
                  "correct or remove the line",
                  config.vmid));
  }
  if (!line) return;
  throw Error(formatted("can't remove CT {} - its root file system is not managed here", config.vmid), 0,
              "remove the line lxc.rootfs.managed first", *line);
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
  try {
    const int status = command_stop(stop);
    context.add_warnings(stop.warnings());
    if (status != 0) throw Error(formatted("unable to destroy CT {} - it did not stop", context.vmid()));
  } catch (const Error&) {
    // It may have ended before the lock was ours; destroy_stopped looks anew at everything else that may be
    // wrong.
    if (find_running(context.sysroot(), context.vmid())) throw;
  }
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
  ContainerVolumes volumes(context.sysroot(), vmid,
                           [&context](const std::string& text) { context.warn(text); });
  for (const auto& volume : all_volumes(config)) volumes.free(volume, ContainerVolumes::Unreachable::stays);
  if (unreferenced) volumes.free_unreferenced();
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
