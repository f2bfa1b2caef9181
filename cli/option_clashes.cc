#include "cli/option_clashes.h"

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/property_formats.h"
#include "storage/volume_id.h"

namespace hutch::cli {

namespace {

template <typename Option>
struct Keyed {
  std::string key;
  Option option;
};

template <typename Option>
void add(std::vector<Keyed<Option>>& options, const config::Section& section, const std::string& key,
         Option (*parse)(std::string_view)) {
  const auto* value = section.find(key);
  if (value == nullptr) return;
  try {
    options.push_back({key, parse(value->value)});
  } catch (const Error&) {
    // A hand-written line that nothing is made of; the reader has told.
  }
}

// Calls `check(one, other)` for every pair of which `one` was given, once for pairs of which both were.
template <typename Option, typename Check>
void for_pairs(const std::vector<Keyed<Option>>& options, const config::Section& given, Check check) {
  for (auto one = options.begin(); one != options.end(); ++one) {
    if (!given.has(one->key)) continue;
    for (auto other = options.begin(); other != options.end(); ++other) {
      if (other != one && (other < one || !given.has(other->key))) check(*one, *other);
    }
  }
}

[[noreturn]] void refuse(const std::string& key, std::string what, std::string hint) {
  throw Error(std::move(what), 0, std::move(hint), {"--" + key});
}

using Link = Keyed<config::NetOption>;
using Volume = Keyed<config::VolumeOption>;

std::string_view address_of(const std::string& setting) {
  const auto slash = setting.find('/');  // none: "dhcp", "manual", "auto"
  return slash == std::string::npos ? std::string_view() : std::string_view(setting).substr(0, slash);
}

void check_pair(const Link& one, const Link& other, const WarningSink& warn) {
  if (one.option.name == other.option.name) {
    refuse(one.key, formatted("the interface name '{}' is that of {} already", one.option.name, other.key),
           "give every interface its own name");
  }
  const auto warn_of = [&](const char* what, std::string_view value) {
    warn(formatted("--{}: {} {} is that of {}, too", one.key, what, value, other.key));
  };
  const std::string mac = to_lower(one.option.hwaddr);
  if (!mac.empty() && mac == to_lower(other.option.hwaddr)) warn_of("MAC address", one.option.hwaddr);
  for (const auto member : {&config::NetOption::ip, &config::NetOption::ip6}) {
    const auto address = address_of(one.option.*member);
    if (!address.empty() && address == address_of(other.option.*member)) warn_of("address", address);
  }
}

std::vector<std::string_view> components(std::string_view path) {
  auto parts = split(path, '/');
  std::erase_if(parts, [](std::string_view part) { return part.empty() || part == "."; });
  return parts;
}

bool is_image(const std::string& volume) {
  if (!is_volume_id(volume) || config::parse_new_volume(volume)) return false;
  try {
    return parse_file_volume(parse_volume_id(volume)).format == VolumeFormat::raw;
  } catch (const Error&) {
    return false;  // of a storage that names its volumes otherwise
  }
}

void check_pair(const Volume& one, const Volume& other, const WarningSink& warn) {
  const bool both_read_only = one.option.ro.value_or(false) && other.option.ro.value_or(false);
  if (one.option.volume == other.option.volume && is_image(one.option.volume) && !both_read_only) {
    refuse(one.key,
           formatted("volume '{}' is that of {} already, and mounted twice it would be damaged",
                     one.option.volume, other.key),
           formatted("use another volume, or delete {} first", other.key));
  }
  if (one.key == "rootfs" || other.key == "rootfs") return;
  if (components(one.option.mp) == components(other.option.mp))
    warn(formatted("--{}: {} is mounted on '{}', too; one hides the other", one.key, other.key,
                   one.option.mp));
}

}  // namespace

void check_mount_path(const std::string& mp) {
  if (!components(mp).empty()) return;
  throw Error(formatted("'{}' is where the rootfs is mounted", mp), 0, "give a path such as mp=/srv");
}

void check_clashes(const config::Section& whole, const config::Section& given, const WarningSink& warn) {
  std::vector<Link> links;
  for (const auto& key : whole.indexed_keys("net")) add(links, whole, key, config::parse_net);
  for (const auto& [key, link] : links) {
    if (given.has(key) && link.name == "lo")
      refuse(key, "'lo' is the name of the container's loopback", "choose another name");
  }
  for_pairs(links, given, [&](const Link& one, const Link& other) { check_pair(one, other, warn); });

  std::vector<Volume> volumes;
  add(volumes, whole, "rootfs", config::parse_rootfs);
  for (const auto& key : whole.indexed_keys("mp")) add(volumes, whole, key, config::parse_mount_point);
  for (const auto& [key, volume] : volumes) {
    if (!given.has(key) || key == "rootfs") continue;
    try {
      check_mount_path(volume.mp);
    } catch (const Error& error) {
      throw error.with_origin({"--" + key});
    }
  }
  for_pairs(volumes, given, [&](const Volume& one, const Volume& other) { check_pair(one, other, warn); });
}

}  // namespace hutch::cli
