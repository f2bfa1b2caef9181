#include "cli/pending_application.h"

#include <exception>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "cli/option_clashes.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/volume_references.h"
#include "runtime/state.h"

namespace hutch::cli {

namespace {

bool is_mount_point(const std::string& key) {
  const auto* option = config::find_option(key);
  return option != nullptr && option->name == "mp";
}

std::string way_out(const config::ContainerConfig& config, const std::string& key) {
  return formatted("correct the line, or 'pct set {} --revert {}'", config.vmid, key);
}

}  // namespace

void check_stored_value(const config::ContainerConfig& config, const config::PendingChange& change) {
  if (!change.to) return;
  const auto check = config::check_file_value(change.key, *change.to);
  if (check.ok()) return;
  throw Error(check.reason, 0, way_out(config, change.key), config.pending.origin_of(change.key));
}

FailedChange failed_change(const config::ContainerConfig& config, const std::string& key,
                           const Error& error) {
  const Origin origin = config.pending.origin_of(key);
  if (origin.line == 0) return {key, error.what()};
  return {key, error.with_origin(origin).with_hint(way_out(config, key)).what()};
}

void prepare_change(config::ContainerConfig& config, config::PendingChange& change, ContainerVolumes& volumes,
                    UndoStack& undo) {
  if (!change.to || !is_mount_point(change.key)) return;
  const auto option = config::parse_mount_point(*change.to);
  check_mount_path(option.mp);
  const auto ready = volumes.ready(option, id_map_of(config.main, config.vmid), undo);
  if (ready == option) return;
  change.to = config::print_mount_point(ready);
  config.pending.set(change.key, *change.to, config.pending.origin_of(change.key));
}

void take_over(config::ContainerConfig& config, const config::PendingChange& change,
               std::vector<ReleasedVolume>& released) {
  config::apply_change(config, change);
  if (change.to || !change.from || !change.key.starts_with("unused")) return;
  const auto volume = config::volume_of(change.key, *change.from);
  if (volume && !config::is_volume_in_use(config, *volume)) released.push_back({change.key, *volume});
}

PendingResult apply_pending(config::ContainerConfig& config, ContainerVolumes& volumes, UndoStack& undo,
                            const std::function<void()>& check_interruption) {
  PendingResult result;
  for (auto change : config::pending_changes(config)) {
    if (check_interruption) check_interruption();
    const config::Section pending = config.pending;
    const std::size_t done = undo.size();
    try {
      check_stored_value(config, change);
      prepare_change(config, change, volumes, undo);
      take_over(config, change, result.released);
    } catch (const Error& error) {
      undo.run_back_to(done);
      config.pending = pending;
      result.failed.push_back(failed_change(config, change.key, error));
    }
  }
  return result;
}

std::vector<FailedChange> free_volumes(const std::vector<ReleasedVolume>& released,
                                       config::ContainerConfig& config, ContainerVolumes& volumes,
                                       const ConfigStore& store) {
  std::vector<FailedChange> failed;
  for (const auto& [key, volume] : released) {
    try {
      volumes.free(volume);
    } catch (const Error& error) {
      failed.push_back({key, error.what()});
      config.main.set(key, volume);
    }
  }
  if (!failed.empty()) store.write(config.vmid, config::write_config(config));
  return failed;
}

bool apply_pending_to_file(config::ContainerConfig& config, const ConfigStore& store, const Sysroot& sysroot,
                           const WarningSink& warn) {
  if (config.pending.empty()) return false;
  UndoStack undo([&](const std::string& name, const std::string& reason) {
    warn(formatted("cannot undo '{}': {}", name, reason));
  });
  ContainerVolumes volumes(sysroot, config.vmid, warn);
  const auto before = config;
  config::drop_unchanged(config);
  const PendingResult result = apply_pending(config, volumes, undo);
  const auto tell = [&](const std::vector<FailedChange>& failed) {
    for (const auto& [key, reason] : failed)
      warn(formatted("unable to apply pending change {} : {}", key, reason));
  };
  tell(result.failed);
  if (config == before) return false;
  store.write(config.vmid, config::write_config(config));
  undo.dismiss();
  tell(free_volumes(result.released, config, volumes, store));
  return true;
}

void apply_pending_after_stop(const ConfigStore& store, const Sysroot& sysroot, std::uint32_t vmid,
                              const WarningSink& warn) {
  if (!store.exists(vmid)) return;  // destroyed meanwhile
  config::Diagnostics diagnostics;  // told by the commands that people give
  auto config = config::read_config(store.read(vmid), formatted("{}.conf", vmid), vmid, diagnostics);
  const auto lock = config.main.get("lock");
  if (config.pending.empty() || (lock && *lock != "mounted") || find_running(sysroot, vmid)) return;
  apply_pending_to_file(config, store, sysroot, warn);
}

}  // namespace hutch::cli
