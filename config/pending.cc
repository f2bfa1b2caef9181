#include "config/pending.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/format.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/volume_references.h"

namespace hutch::config {

namespace {

// Comment lines end in a newline when they were read, the command line's text does not.
std::string_view without_last_newlines(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

bool same_value(std::string_view key, const std::string& a, const std::string& b) {
  return key == "description" ? without_last_newlines(a) == without_last_newlines(b) : a == b;
}

// Options in the order people number them.
bool by_option(const std::string& a, const std::string& b) {
  const auto parts = [](const std::string& key) {
    const Option* option = find_option(key);
    return std::tuple(option == nullptr ? std::string_view(key) : option->name, option_index(key).value_or(0),
                      std::string_view(key));
  };
  return parts(a) < parts(b);
}

LiveEffect link_effect(const PendingChange& change) {
  if (!change.from || !change.to) return LiveEffect::link;
  try {
    const NetOption from = parse_net(*change.from);
    const NetOption to = parse_net(*change.to);
    // Made anew, with everything that it has.
    if (from.hwaddr != to.hwaddr || from.name != to.name) return LiveEffect::link;
    // These belong to the making of a link. Taking them over would only say that they are in force.
    const bool waits = from.mtu != to.mtu || from.trunks != to.trunks || from.host_managed != to.host_managed;
    return waits ? LiveEffect::none : LiveEffect::link;
  } catch (const Error&) {
    // The active value is a hand-written one that nothing was made of.
    return LiveEffect::none;
  }
}

struct NamedEffect {
  std::string_view option;
  LiveEffect effect;
};
// Options with an effect of their own; the others follow from Option::hot_plug.
constexpr NamedEffect kEffects[] = {
    {"cores", LiveEffect::cpus}, {"cpulimit", LiveEffect::limits}, {"cpuunits", LiveEffect::limits},
    {"dev", LiveEffect::device}, {"memory", LiveEffect::limits},   {"mp", LiveEffect::volume},
    {"net", LiveEffect::link},   {"swap", LiveEffect::limits},
};

// The lowest number that neither the main section nor the queue uses.
std::string free_unused_key(const ContainerConfig& config) {
  const std::uint32_t last = find_option("unused0")->max_index.value_or(0);
  for (std::uint32_t index = 0; index <= last; ++index) {
    std::string key = formatted("unused{}", index);
    if (!config.main.has(key) && !config.pending.has(key)) return key;
  }
  throw Error(formatted("CT {} has no free unused[n] entry for the volume", config.vmid), 0,
              "delete unused volumes first");
}

bool listed_as_unused(const Section& section, const std::string& volume) {
  const auto keys = section.indexed_keys("unused");
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return volume_of(key, *section.get(key)) == volume; });
}

void keep_volume(ContainerConfig& config, const std::string& volume) {
  if (is_volume_in_use(config, volume) || listed_as_unused(config.main, volume)) return;
  config.main.set(free_unused_key(config), volume);
}

// Volumes that the option named before the change, in its superseded lines too when those go.
std::vector<std::string> volumes_let_go(const Section& before, const Section& after,
                                        const PendingChange& change) {
  std::vector<std::string> values;
  const auto earlier = before.superseded.find(change.key);
  if (earlier != before.superseded.end() && !after.superseded.contains(change.key)) {
    for (const auto& line : earlier->second) values.push_back(line.value);
  }
  if (change.from) values.push_back(*change.from);
  std::vector<std::string> volumes;
  for (const auto& value : values) {
    if (auto volume = volume_of(change.key, value)) volumes.push_back(std::move(*volume));
  }
  return volumes;
}

}  // namespace

void queue_set(ContainerConfig& config, const std::string& key, std::string value, const Origin& origin) {
  if (value.empty()) return queue_delete(config, key);
  config.pending.pending_deletes.erase(key);
  config.pending.set(key, std::move(value), origin);
}

void queue_delete(ContainerConfig& config, const std::string& key) {
  config.pending.erase(key);
  config.pending.pending_deletes.insert_or_assign(key, false);
}

void revert(ContainerConfig& config, const std::string& key) {
  config.pending.erase(key);
  config.pending.pending_deletes.erase(key);
}

void drop_unchanged(ContainerConfig& config) {
  for (const auto& key : config.pending.keys()) {
    const auto active = config.main.get(key);
    if (active && same_value(key, *active, *config.pending.get(key))) config.pending.erase(key);
  }
  std::erase_if(config.pending.pending_deletes,
                [&](const auto& entry) { return !config.main.has(entry.first); });
}

std::vector<PendingChange> pending_changes(const ContainerConfig& config) {
  std::vector<std::string> deletes;
  for (const auto& [key, force] : config.pending.pending_deletes) {
    if (!config.pending.has(key)) deletes.push_back(key);
  }
  std::vector<std::string> sets = config.pending.keys();
  std::vector<PendingChange> changes;
  for (auto* keys : {&deletes, &sets}) {
    std::sort(keys->begin(), keys->end(), by_option);
    for (auto& key : *keys) changes.push_back({key, config.main.get(key), config.pending.get(key)});
  }
  return changes;
}

LiveEffect live_effect(const PendingChange& change) {
  const Option* option = find_option(change.key);
  if (option == nullptr) return LiveEffect::none;
  if (option->name == "unused" && !change.to) return LiveEffect::free_volume;
  const auto* row = std::find_if(std::begin(kEffects), std::end(kEffects),
                                 [&](const auto& entry) { return entry.option == option->name; });
  const LiveEffect effect = row == std::end(kEffects) ? LiveEffect::config_only : row->effect;
  switch (option->hot_plug) {
    case HotPlug::fast: return effect;
    case HotPlug::live: return effect == LiveEffect::link ? link_effect(change) : effect;
    case HotPlug::live_new: return !change.from && change.to ? effect : LiveEffect::none;
    case HotPlug::pending:
    case HotPlug::never: break;
  }
  return LiveEffect::none;
}

void apply_change(ContainerConfig& config, const PendingChange& change) {
  ContainerConfig changed = config;
  const Origin origin = config.pending.origin_of(change.key);
  revert(changed, change.key);
  if (change.to) {
    changed.main.set(change.key, *change.to, origin);
  } else {
    changed.main.erase(change.key);
  }
  if (!change.key.starts_with("unused")) {
    for (const auto& volume : volumes_let_go(config.main, changed.main, change)) keep_volume(changed, volume);
  }
  config = std::move(changed);
}

Section with_pending(const ContainerConfig& config) {
  Section merged = config.main;
  for (const auto& [key, forced] : config.pending.pending_deletes) merged.erase(key);
  for (const auto& key : config.pending.keys()) {
    merged.set(key, *config.pending.get(key), config.pending.origin_of(key));
  }
  return merged;
}

}  // namespace hutch::config
