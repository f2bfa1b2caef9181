#include "config/volume_references.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "config/options.h"
#include "config/property_formats.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

bool mounts(const Section& section, const std::string& volume) {
  std::vector<std::string> keys = section.indexed_keys("mp");
  keys.emplace_back("rootfs");
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    const auto value = section.get(key);
    return value && volume_of(key, *value) == volume;
  });
}

}  // namespace

std::optional<std::string> volume_of(std::string_view key, const std::string& value) {
  const Option* option = find_option(key);
  if (option == nullptr) return std::nullopt;
  try {
    std::string volume;
    if (option->name == "unused") {
      volume = parse_unused(value);
    } else if (option->name == "rootfs") {
      volume = parse_rootfs(value).volume;
    } else if (option->name == "mp") {
      volume = parse_mount_point(value).volume;
    }
    if (is_volume_id(volume) && !parse_new_volume(volume)) return volume;
  } catch (const Error&) {
    // A line that never named a volume names none.
  }
  return std::nullopt;
}

std::set<std::string> volumes_of(const Section& section) {
  std::vector<std::string> keys = section.indexed_keys("mp");
  const auto unused = section.indexed_keys("unused");
  keys.insert(keys.end(), unused.begin(), unused.end());
  keys.emplace_back("rootfs");
  std::set<std::string> volumes;
  for (const auto& key : keys) {
    const auto value = section.get(key);
    if (!value) continue;
    if (auto volume = volume_of(key, *value)) volumes.insert(std::move(*volume));
  }
  return volumes;
}

bool is_volume_in_use(const ContainerConfig& config, const std::string& volume) {
  if (mounts(config.main, volume) || mounts(config.pending, volume)) return true;
  return std::any_of(config.snapshots.begin(), config.snapshots.end(),
                     [&](const auto& snapshot) { return mounts(snapshot.second, volume); });
}

}  // namespace hutch::config
