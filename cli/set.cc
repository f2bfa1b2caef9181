#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "base/undo.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/container_file.h"
#include "cli/hot_plug.h"
#include "cli/interruption.h"
#include "cli/option_clashes.h"
#include "cli/option_facts.h"
#include "cli/pending_application.h"
#include "config/options.h"
#include "config/pending.h"
#include "config/value_types.h"

namespace hutch::cli {

namespace {

constexpr std::string_view kOwnOptions[] = {"delete", "digest", "revert"};
constexpr std::string_view kRequired[] = {"memory", "ostype", "rootfs"};
constexpr std::string_view kReadOnly[] = {"unprivileged"};
constexpr const char* kChosenOnce = "it is chosen when the container is created";

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_indexed(const std::string& key, std::string_view name) {
  const auto* option = config::find_option(key);
  return option != nullptr && option->name == name;
}

bool is_volume(const std::string& key) {
  return key == "rootfs" || is_indexed(key, "mp");
}

struct SetRequest {
  config::Section sets;  // values as they are stored
  std::vector<std::string> deletes;
  std::vector<std::string> reverts;
};

std::vector<std::string> names_of(const OptionValues& options, const char* option) {
  std::vector<std::string> names;
  const std::string text = options.value(option).value_or("");
  for (const auto name : config::split_list(text)) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  }
  return names;
}

SetRequest read_request(const OptionValues& options) {
  SetRequest request{{}, names_of(options, "delete"), names_of(options, "revert")};
  std::vector<Problem> problems;
  for (const auto& [name, value] : options.all()) {
    if (contains(kOwnOptions, name)) continue;
    auto checked = config::check_command_line_value(name, value);
    if (!checked.ok()) {
      problems.emplace_back(name, checked.reason);
    } else if (checked.value->empty()) {
      request.deletes.push_back(name);  // an empty description or environment
    } else {
      request.sets.set(name, std::move(*checked.value), {"--" + name});
    }
  }
  raise_problems(std::move(problems));
  return request;
}

bool is_queued(const config::ContainerConfig& config, const std::string& key) {
  return config.pending.has(key) || config.pending.pending_deletes.contains(key);
}

void check_names(const SetRequest& request, const config::ContainerConfig& config) {
  std::vector<Problem> problems;
  const auto check = [&](const char* list, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      const auto* option = config::find_option(name);
      const bool known = option != nullptr && !option->internal;
      // Whatever stands in the queue can be got out of it.
      if (!known && !(&names == &request.reverts && is_queued(config, name))) {
        problems.emplace_back(list, formatted("unknown option '{}'", name));
      } else if (request.sets.has(name)) {
        problems.emplace_back(list,
                              formatted("'{0}' cannot be set and be in --{1} at the same time", name, list));
      }
    }
  };
  check("delete", request.deletes);
  check("revert", request.reverts);
  for (const auto& name : request.deletes) {
    if (std::find(request.reverts.begin(), request.reverts.end(), name) != request.reverts.end())
      problems.emplace_back("delete",
                            formatted("'{}' cannot be deleted and reverted at the same time", name));
  }
  raise_problems(std::move(problems));
}

void check_digest(const config::ContainerConfig& config, const std::optional<std::string>& digest) {
  if (!digest || *digest == config.digest) return;
  throw Error(formatted("the configuration of CT {} was modified meanwhile", config.vmid), 0,
              "look at it and try again");
}

void check_protection(const config::ContainerConfig& config, const std::string& key, const char* what) {
  if (!config.main.boolean_or("protection", false)) return;
  throw Error(formatted("can't {} drive '{}' of CT {} - protection mode enabled", what, key, config.vmid), 0,
              formatted("'pct set {} --protection 0' first", config.vmid),
              config.main.origin_of("protection"));
}

void check_delete(const config::ContainerConfig& config, const std::string& key) {
  if (contains(kRequired, key)) {
    throw Error(formatted("unable to delete required option '{}'", key), 0,
                formatted("'pct set {} --{} ...' gives it another value", config.vmid, key));
  }
  if (contains(kReadOnly, key))
    throw Error(formatted("unable to delete read-only option '{}'", key), 0, kChosenOnce);
  if (is_indexed(key, "mp") || is_indexed(key, "unused")) check_protection(config, key, "remove");
}

// A line that does not count may not begin to when the one that does is deleted.
void tell_superseded(CommandContext& context, const config::ContainerConfig& config, const std::string& key) {
  const auto earlier = config.main.superseded.find(key);
  if (earlier == config.main.superseded.end()) return;
  for (const auto& line : earlier->second) {
    context.warn(formatted("{}: '{}: {}', which does not count, is deleted with the later line",
                           line.origin.text(), key, line.value));
  }
}

void queue_deletes(CommandContext& context, config::ContainerConfig& config, const SetRequest& request) {
  for (const auto& key : request.deletes) {
    if (!config.main.has(key) && !config.pending.has(key)) {
      context.warn(formatted("cannot delete '{}' - not set in the configuration", key));
      continue;
    }
    check_delete(config, key);
    tell_superseded(context, config, key);
    config::queue_delete(config, key);
  }
}

void check_volume(const config::ContainerConfig& config, const std::string& key, const std::string& value,
                  ContainerVolumes& volumes) {
  check_protection(config, key, "change");
  const auto volume = key == "rootfs" ? config::parse_rootfs(value) : config::parse_mount_point(value);
  if (key == "rootfs" && config::parse_new_volume(volume.volume)) {
    throw Error(formatted("'{}' asks for a new volume, but the rootfs cannot be replaced by an empty one",
                          volume.volume),
                0, "name an existing volume, or use mp[n] for a new one");
  }
  volumes.check_content(volume);
}

void queue_sets(CommandContext& context, config::ContainerConfig& config, const SetRequest& request,
                ContainerVolumes& volumes) {
  if (request.sets.empty()) return;
  check_option_facts(request.sets, StorageConfig::load(context.sysroot()), context.sysroot());
  for (const auto& key : request.sets.keys()) {
    const std::string value = *request.sets.get(key);
    const Origin origin{"--" + key};
    try {
      if (contains(kReadOnly, key))
        throw Error(formatted("unable to modify read-only option '{}'", key), 0, kChosenOnce);
      if (is_volume(key)) check_volume(config, key, value, volumes);
    } catch (const Error& error) {
      throw error.with_origin(origin);
    }
    config::queue_set(config, key, value, origin);
  }
  check_clashes(config::with_pending(config), request.sets,
                [&context](const std::string& text) { context.warn(text); });
}

bool asks_for(const SetRequest& request, const std::string& key) {
  return request.sets.has(key) ||
         std::find(request.deletes.begin(), request.deletes.end(), key) != request.deletes.end();
}

// What this command line asks for fails; what was queued before is no reason to refuse it.
void raise_failures(const SetRequest& request, const std::vector<FailedChange>& failed, bool running) {
  std::string text;
  for (const auto& [key, reason] : failed) {
    if (!asks_for(request, key)) continue;
    if (!text.empty()) text += '\n';
    // The words that scripts know, with their blanks (pct-cli 2.2).
    text += running ? formatted("unable to hotplug {}: {}", key, reason)
                    : formatted("unable to apply pending change {} : {}", key, reason);
  }
  if (!text.empty()) throw Error(text);
}

void tell_what_is_left(CommandContext& context, const SetRequest& request,
                       const std::vector<FailedChange>& failed) {
  for (const auto& [key, reason] : failed) {
    if (!asks_for(request, key)) context.warn(formatted("pending change {} is left: {}", key, reason));
  }
}

// From here on the config is stored; what fails is taken back by `undo`.
std::vector<FailedChange> store(const ConfigStore& store, config::ContainerConfig& config,
                                const config::ContainerConfig& before, const PendingResult& result,
                                ContainerVolumes& volumes, UndoStack& undo) {
  store.write(config.vmid, config::write_config(config));
  if (result.released.empty()) return {};
  // A volume that is freed stays freed, so its entry may not come back.
  const auto failed = free_volumes(result.released, config, volumes, store);
  if (failed.empty()) return {};
  config::ContainerConfig restored = before;
  for (const auto& released : result.released) {
    const bool is_kept = std::any_of(failed.begin(), failed.end(), [&released](const FailedChange& failure) {
      return failure.key == released.key;
    });
    if (!is_kept) restored.main.erase(released.key);
  }
  undo.push("restore the config",
            [store, restored] { store.write(restored.vmid, config::write_config(restored)); });
  return failed;
}

// Where the container has ended meanwhile, what could not be given to it is taken over as into a stopped one.
PendingResult apply(CommandContext& context, const std::optional<ContainerState>& state,
                    config::ContainerConfig& config, ContainerVolumes& volumes, UndoStack& undo,
                    const std::function<void()>& check_interruption) {
  if (!state) return apply_pending(config, volumes, undo, check_interruption);
  PendingResult live = hot_plug(context, *state, config, volumes, undo, check_interruption);
  if (live.failed.empty() || !is_ending(state->init)) return live;
  PendingResult rest = apply_pending(config, volumes, undo, check_interruption);
  live.failed = std::move(rest.failed);
  live.released.insert(live.released.end(), rest.released.begin(), rest.released.end());
  return live;
}

void change(CommandContext& context, const SetRequest& request, const ConfigStore& file,
            config::ContainerConfig& config, const config::ContainerConfig& before,
            ContainerVolumes& volumes) {
  UndoStack undo([&context](const std::string& name, const std::string& reason) {
    std::fprintf(context.err(), "cannot undo '%s': %s\n", name.c_str(), reason.c_str());
  });
  const auto state = find_running(context.sysroot(), config.vmid);
  const Interruption interruption;
  const auto result = apply(context, state, config, volumes, undo, [&] { interruption.check(); });
  raise_failures(request, result.failed, state && !is_ending(state->init));
  const auto not_freed = store(file, config, before, result, volumes, undo);
  raise_failures(request, not_freed, false);
  undo.dismiss();
  tell_what_is_left(context, request, result.failed);
  tell_what_is_left(context, request, not_freed);
}

}  // namespace

int command_set(CommandContext& context) {
  const OptionValues& options = context.options();
  if (options.all().size() == (options.has("digest") ? 1U : 0U)) throw Error("no options specified");
  const ConfigStore file(context.sysroot());
  const auto lock = file.lock(context.vmid(), context.err());
  auto config = load_config(context, file, context.vmid());
  check_config_lock(config);
  check_digest(config, options.value("digest"));
  const SetRequest request = read_request(options);
  check_names(request, config);

  const config::ContainerConfig before = config;
  ContainerVolumes volumes(context.sysroot(), config.vmid,
                           [&context](const std::string& text) { context.warn(text); });
  for (const auto& key : request.reverts) config::revert(config, key);
  queue_deletes(context, config, request);
  queue_sets(context, config, request, volumes);
  config::drop_unchanged(config);
  change(context, request, file, config, before, volumes);
  return 0;
}

}  // namespace hutch::cli
