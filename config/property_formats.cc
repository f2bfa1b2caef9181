#include "config/property_formats.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/property_string.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

using Type = PropertyKey::Type;

bool is_interface_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
}

bool is_ipv4_setting(std::string_view text) {
  return text == "dhcp" || text == "manual" || is_ipv4_cidr(text);
}

bool is_ipv6_setting(std::string_view text) {
  return text == "auto" || text == "dhcp" || text == "manual" || is_ipv6_cidr(text);
}

bool is_vlan_id(std::string_view text) {
  const auto id = parse_unsigned(text);
  return id && *id >= 1 && *id <= 4094;
}

// "10;20-30"
bool is_vlan_list(std::string_view text) {
  const auto parts = split(text, ';');
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    const auto dash = part.find('-');
    return is_vlan_id(part.substr(0, dash)) &&
           (dash == std::string_view::npos || is_vlan_id(part.substr(dash + 1)));
  });
}

bool is_veth(std::string_view text) {
  return text == "veth";
}

// No "/./" and "/../" inside, no "/." and "/.." at the end, no "../" in front.
bool is_plain_path(std::string_view text) {
  return !text.starts_with("../") && text != ".." && text.find("/./") == std::string_view::npos &&
         text.find("/../") == std::string_view::npos && !text.ends_with("/.") && !text.ends_with("/..");
}

bool is_device_path(std::string_view text) {
  return text.starts_with("/dev/") && text.size() > 5 && is_plain_path(text);
}

bool is_mount_option_list(std::string_view text) {
  constexpr std::string_view known[] = {"discard", "lazytime", "noatime", "nodev", "noexec", "nosuid"};
  const auto parts = split(text, ';');
  return std::all_of(parts.begin(), parts.end(), [&known](std::string_view part) {
    return std::find(std::begin(known), std::end(known), part) != std::end(known);
  });
}

bool is_size(std::string_view text) {
  return parse_disk_size(text).has_value();
}

std::optional<VolumeIdRange> parse_id_range(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 4 || (parts[0] != "u" && parts[0] != "g")) return std::nullopt;
  std::uint32_t numbers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = parse_unsigned(parts[i + 1]);
    if (!number || *number > UINT32_MAX) return std::nullopt;
    numbers[i] = static_cast<std::uint32_t>(*number);
  }
  const auto [inside, disk, count] = numbers;
  if (count == 0 || count > UINT32_MAX - inside || count > UINT32_MAX - disk) return std::nullopt;
  return VolumeIdRange{parts[0][0], inside, disk, count};
}

bool is_volume_idmap(std::string_view text) {
  if (text == "passthrough") return true;
  const auto parts = split(text, ';');
  return std::all_of(parts.begin(), parts.end(), [](auto part) { return parse_id_range(part).has_value(); });
}

bool is_octal_mode(std::string_view text) {
  return text.size() == 4 && text[0] == '0' && parse_octal(text).has_value();
}

bool is_type_list(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == ';' || c == ' ';
  });
}

constexpr PropertyKey kNetKeys[] = {
    {.name = "name",
     .required = true,
     .accepts = is_interface_name,
     .expects = "an interface name (letters, digits, '-', '_', '.')"},
    {.name = "bridge",
     .accepts = is_interface_name,
     .expects = "a bridge name (letters, digits, '-', '_', '.')"},
    {.name = "hwaddr", .accepts = is_mac_address, .expects = "a unicast MAC address"},
    {.name = "ip", .accepts = is_ipv4_setting, .expects = "an IPv4 address with prefix 8-32, dhcp or manual"},
    {.name = "gw", .accepts = is_ipv4, .expects = "an IPv4 address"},
    {.name = "ip6",
     .accepts = is_ipv6_setting,
     .expects = "an IPv6 address with prefix 8-128, auto, dhcp or manual"},
    {.name = "gw6", .accepts = is_ipv6, .expects = "an IPv6 address"},
    {.name = "mtu", .type = Type::integer, .min = 64, .max = 65535},
    {.name = "tag", .type = Type::integer, .min = 1, .max = 4094},
    {.name = "trunks", .accepts = is_vlan_list, .expects = "a ';'-separated list of VLAN ids (1-4094)"},
    {.name = "rate", .type = Type::number},
    {.name = "firewall", .type = Type::boolean},
    {.name = "link_down", .type = Type::boolean},
    {.name = "host-managed", .type = Type::boolean},
    {.name = "type", .accepts = is_veth, .expects = "'veth'"},
};
constexpr PropertyFormat kNetFormat = {.default_key = {}, .keys = kNetKeys};

constexpr PropertyKey kMountPointKeys[] = {
    {.name = "volume",
     .required = true,
     .accepts = is_plain_path,
     .expects = "a volume (no '/./', '/../' or leading '../')"},
    {.name = "size", .accepts = is_size, .expects = "a size such as 8G"},
    {.name = "acl", .type = Type::boolean},
    {.name = "mountoptions",
     .accepts = is_mount_option_list,
     .expects = "a ';'-separated list of discard, lazytime, noatime, nodev, noexec, nosuid"},
    {.name = "quota", .type = Type::boolean},
    {.name = "ro", .type = Type::boolean},
    {.name = "replicate", .type = Type::boolean},
    {.name = "shared", .type = Type::boolean},
    {.name = "idmap",
     .accepts = is_volume_idmap,
     .expects = "'passthrough' or a ';'-separated list of <u|g>:<ct id>:<disk id>:<count>"},
    // The rootfs has the keys up to here.
    {.name = "mp",
     .required = true,
     .accepts = is_plain_path,
     .expects = "a path without '/./', '/../' or '../'"},
    {.name = "backup", .type = Type::boolean},
    {.name = "keepattrs", .type = Type::boolean},
};
constexpr PropertyFormat kMountPointFormat = {.default_key = "volume", .keys = kMountPointKeys};
constexpr PropertyFormat kRootfsFormat = {.default_key = "volume",
                                          .keys = std::span<const PropertyKey>(kMountPointKeys).first(9)};

constexpr PropertyKey kFeatureKeys[] = {
    {.name = "nesting", .type = Type::boolean},
    {.name = "keyctl", .type = Type::boolean},
    {.name = "fuse", .type = Type::boolean},
    {.name = "mknod", .type = Type::boolean},
    {.name = "mount", .accepts = is_type_list, .expects = "a ';'-separated list of file system types"},
    {.name = "force_rw_sys", .type = Type::boolean},
};
constexpr PropertyFormat kFeaturesFormat = {.default_key = {}, .keys = kFeatureKeys};

constexpr PropertyKey kDeviceKeys[] = {
    {.name = "path", .required = true, .accepts = is_device_path, .expects = "a path below /dev/"},
    {.name = "mode", .accepts = is_octal_mode, .expects = "an octal mode such as 0660"},
    {.name = "uid", .type = Type::integer, .max = UINT32_MAX - 1},
    {.name = "gid", .type = Type::integer, .max = UINT32_MAX - 1},
    {.name = "deny-write", .type = Type::boolean},
};
constexpr PropertyFormat kDeviceFormat = {.default_key = "path", .keys = kDeviceKeys};

constexpr PropertyKey kUnusedKeys[] = {
    {.name = "volume",
     .required = true,
     .accepts = is_plain_path,
     .expects = "a volume (no '/./', '/../' or leading '../')"},
};
constexpr PropertyFormat kUnusedFormat = {.default_key = "volume", .keys = kUnusedKeys};

// Between the typed structs and the values by name: one reader and one writer per type of field.
std::string text_of(const PropertyValues& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? std::string() : found->second;
}

std::optional<bool> flag_of(const PropertyValues& values, std::string_view key) {
  const auto found = values.find(key);
  if (found == values.end()) return std::nullopt;
  return found->second == "1";
}

std::optional<std::uint32_t> number_of(const PropertyValues& values, std::string_view key) {
  const auto found = values.find(key);
  if (found == values.end()) return std::nullopt;
  return static_cast<std::uint32_t>(*parse_unsigned(found->second));
}

void put(PropertyValues& values, std::string_view key, const std::string& text) {
  if (!text.empty()) values.insert_or_assign(std::string(key), text);
}

void put(PropertyValues& values, std::string_view key, const std::optional<bool>& flag) {
  if (flag) values.insert_or_assign(std::string(key), *flag ? "1" : "0");
}

void put(PropertyValues& values, std::string_view key, const std::optional<std::uint32_t>& number) {
  if (number) values.insert_or_assign(std::string(key), std::to_string(*number));
}

VolumeOption parse_volume(const PropertyFormat& format, std::string_view text) {
  const auto values = parse_property_string(format, text);
  VolumeOption volume;
  volume.volume = text_of(values, "volume");
  volume.mp = text_of(values, "mp");
  if (values.contains("size")) volume.size = parse_disk_size(text_of(values, "size"));
  volume.acl = flag_of(values, "acl");
  if (const auto list = text_of(values, "mountoptions"); !list.empty()) {
    for (const auto part : split(list, ';')) volume.mount_options.emplace_back(part);
  }
  volume.quota = flag_of(values, "quota");
  volume.ro = flag_of(values, "ro");
  volume.replicate = flag_of(values, "replicate");
  volume.shared = flag_of(values, "shared");
  const auto idmap = text_of(values, "idmap");
  volume.idmap_passthrough = idmap == "passthrough";
  if (!idmap.empty() && !volume.idmap_passthrough) {
    for (const auto part : split(idmap, ';')) volume.idmap.push_back(*parse_id_range(part));
  }
  volume.backup = flag_of(values, "backup");
  volume.keepattrs = flag_of(values, "keepattrs");
  return volume;
}

std::string print_idmap(const VolumeOption& volume) {
  if (volume.idmap_passthrough) return "passthrough";
  std::vector<std::string> parts;
  for (const auto& range : volume.idmap) {
    parts.push_back(formatted("{}:{}:{}:{}", range.type, range.inside, range.disk, range.count));
  }
  return join(parts, ";");
}

std::string print_volume(const PropertyFormat& format, const VolumeOption& volume, bool with_path) {
  PropertyValues values;
  put(values, "volume", volume.volume);
  if (with_path) put(values, "mp", volume.mp);
  if (volume.size) values.insert_or_assign("size", print_disk_size(*volume.size));
  put(values, "acl", volume.acl);
  put(values, "mountoptions", join(volume.mount_options, ";"));
  put(values, "quota", volume.quota);
  put(values, "ro", volume.ro);
  put(values, "replicate", volume.replicate);
  put(values, "shared", volume.shared);
  put(values, "idmap", print_idmap(volume));
  put(values, "backup", volume.backup);
  put(values, "keepattrs", volume.keepattrs);
  return print_property_string(format, values);
}

std::string range_text(const VolumeIdRange& range) {
  return formatted("{}:{}:{}:{}", range.type, range.inside, range.disk, range.count);
}

// One side of the overlap check.
void check_side(const std::vector<VolumeIdRange>& ranges, std::uint32_t VolumeIdRange::*first,
                std::string_view side) {
  for (auto later = ranges.begin(); later != ranges.end(); ++later) {
    for (auto earlier = ranges.begin(); earlier != later; ++earlier) {
      if (later->type != earlier->type) continue;
      const auto begin = std::max((*later).*first, (*earlier).*first);
      const auto end = std::min((*later).*first + later->count, (*earlier).*first + earlier->count);
      if (begin < end) {
        throw Error(formatted("idmap entry '{}' maps {} id {} a second time, entry '{}' does already",
                              range_text(*later), side, begin, range_text(*earlier)));
      }
    }
  }
}

struct NamedFormat {
  std::string_view option;
  const PropertyFormat& format;
};
constexpr NamedFormat kFormats[] = {
    {"dev", kDeviceFormat}, {"features", kFeaturesFormat}, {"mp", kMountPointFormat},
    {"net", kNetFormat},    {"rootfs", kRootfsFormat},     {"unused", kUnusedFormat},
};

}  // namespace

const PropertyFormat* property_format(std::string_view option) {
  for (const auto& row : kFormats) {
    if (row.option == option) return &row.format;
  }
  return nullptr;
}

NetOption parse_net(std::string_view text) {
  const auto values = parse_property_string(kNetFormat, text);
  return {.name = text_of(values, "name"),
          .bridge = text_of(values, "bridge"),
          .hwaddr = text_of(values, "hwaddr"),
          .ip = text_of(values, "ip"),
          .gw = text_of(values, "gw"),
          .ip6 = text_of(values, "ip6"),
          .gw6 = text_of(values, "gw6"),
          .mtu = number_of(values, "mtu"),
          .tag = number_of(values, "tag"),
          .trunks = text_of(values, "trunks"),
          .rate = text_of(values, "rate"),
          .firewall = flag_of(values, "firewall"),
          .link_down = flag_of(values, "link_down"),
          .host_managed = flag_of(values, "host-managed"),
          .type = text_of(values, "type")};
}

std::string print_net(const NetOption& net) {
  PropertyValues values;
  put(values, "name", net.name);
  put(values, "bridge", net.bridge);
  put(values, "hwaddr", net.hwaddr);
  put(values, "ip", net.ip);
  put(values, "gw", net.gw);
  put(values, "ip6", net.ip6);
  put(values, "gw6", net.gw6);
  put(values, "mtu", net.mtu);
  put(values, "tag", net.tag);
  put(values, "trunks", net.trunks);
  put(values, "rate", net.rate);
  put(values, "firewall", net.firewall);
  put(values, "link_down", net.link_down);
  put(values, "host-managed", net.host_managed);
  put(values, "type", net.type);
  return print_property_string(kNetFormat, values);
}

VolumeOption::Kind VolumeOption::kind() const {
  if (volume.starts_with("/dev/")) return Kind::device;
  return volume.starts_with('/') ? Kind::bind : Kind::volume;
}

VolumeOption parse_rootfs(std::string_view text) {
  auto volume = parse_volume(kRootfsFormat, text);
  volume.mp = "/";
  return volume;
}

VolumeOption parse_mount_point(std::string_view text) {
  return parse_volume(kMountPointFormat, text);
}

std::string print_rootfs(const VolumeOption& volume) {
  return print_volume(kRootfsFormat, volume, false);
}

std::string print_mount_point(const VolumeOption& volume) {
  return print_volume(kMountPointFormat, volume, true);
}

void check_idmap_overlap(const std::vector<VolumeIdRange>& ranges) {
  check_side(ranges, &VolumeIdRange::inside, "container");
  check_side(ranges, &VolumeIdRange::disk, "host");
}

std::optional<NewVolume> parse_new_volume(std::string_view volume) {
  const auto colon = volume.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const auto storage = volume.substr(0, colon);
  const auto size = volume.substr(colon + 1);
  if (std::any_of(storage.begin(), storage.end(), is_blank) || !parse_number(size)) return std::nullopt;
  // A size in GiB: MiB are what the unit G leaves of it, rounded down.
  const auto bytes = parse_disk_size(std::string(size) + "G");
  if (!bytes) return std::nullopt;
  constexpr std::uint64_t mebibyte = 1U << 20;
  return NewVolume{std::string(storage), *bytes / mebibyte * mebibyte};
}

std::vector<std::string> FeaturesOption::mount_types() const {
  std::vector<std::string> types;
  for (const auto type : split_list(mount)) types.emplace_back(type);
  return types;
}

FeaturesOption parse_features(std::string_view text) {
  const auto values = parse_property_string(kFeaturesFormat, text);
  return {.nesting = flag_of(values, "nesting"),
          .keyctl = flag_of(values, "keyctl"),
          .fuse = flag_of(values, "fuse"),
          .mknod = flag_of(values, "mknod"),
          .force_rw_sys = flag_of(values, "force_rw_sys"),
          .mount = text_of(values, "mount")};
}

std::string print_features(const FeaturesOption& features) {
  PropertyValues values;
  put(values, "nesting", features.nesting);
  put(values, "keyctl", features.keyctl);
  put(values, "fuse", features.fuse);
  put(values, "mknod", features.mknod);
  put(values, "force_rw_sys", features.force_rw_sys);
  put(values, "mount", features.mount);
  return print_property_string(kFeaturesFormat, values);
}

DeviceOption parse_device(std::string_view text) {
  const auto values = parse_property_string(kDeviceFormat, text);
  DeviceOption device{.path = text_of(values, "path"),
                      .mode = std::nullopt,
                      .uid = number_of(values, "uid"),
                      .gid = number_of(values, "gid"),
                      .deny_write = flag_of(values, "deny-write")};
  if (const auto mode = text_of(values, "mode"); !mode.empty()) {
    device.mode = static_cast<std::uint32_t>(*parse_octal(mode));
  }
  return device;
}

std::string print_device(const DeviceOption& device) {
  PropertyValues values;
  put(values, "path", device.path);
  if (device.mode) values.insert_or_assign("mode", formatted("{:04o}", *device.mode));
  put(values, "uid", device.uid);
  put(values, "gid", device.gid);
  put(values, "deny-write", device.deny_write);
  return print_property_string(kDeviceFormat, values);
}

StartupOption parse_startup(std::string_view text) {
  StartupOption startup;
  for (const auto part : split(text, ',')) {
    if (trim(part).empty()) continue;
    const auto equals = part.find('=');
    const auto name = equals == std::string_view::npos ? std::string_view("order") : part.substr(0, equals);
    const auto number = parse_unsigned(equals == std::string_view::npos ? part : part.substr(equals + 1));
    std::optional<std::uint64_t>* field = name == "order"  ? &startup.order
                                          : name == "up"   ? &startup.up
                                          : name == "down" ? &startup.down
                                                           : nullptr;
    if (field == nullptr || !number) {
      throw Error(formatted("'{}' is none of order=N, up=N, down=N", part));
    }
    *field = number;
  }
  return startup;
}

std::string parse_unused(std::string_view text) {
  return text_of(parse_property_string(kUnusedFormat, text), "volume");
}

}  // namespace hutch::config
