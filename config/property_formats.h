#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The options that are property strings, as types (pct-conf 6.1-6.6). Every parse_ function throws Error
// whose action is the reason; print_ gives the text as it is stored. parse(print(x)) == x.
namespace hutch::config {

struct PropertyFormat;

// The keys of an option that is a property string ("net", "mp", "rootfs", "features", "dev", "unused"); null
// for other options.
const PropertyFormat* property_format(std::string_view option);

// net[n]. Strings are empty when unset.
struct NetOption {
  std::string name;
  std::string bridge;
  std::string hwaddr;
  std::string ip;  // CIDR, "dhcp" or "manual"
  std::string gw;
  std::string ip6;  // CIDR, "auto", "dhcp" or "manual"
  std::string gw6;
  std::optional<std::uint32_t> mtu;
  std::optional<std::uint32_t> tag;
  std::string trunks;  // "10;20-30"
  std::string rate;    // MiB/s, as given
  std::optional<bool> firewall;
  std::optional<bool> link_down;
  std::optional<bool> host_managed;
  std::string type;  // "veth" or unset

  bool operator==(const NetOption&) const = default;
};
NetOption parse_net(std::string_view text);
std::string print_net(const NetOption& net);

// One entry of a mount point's explicit id map: container ids from `inside` on are `disk` and on upwards on
// disk.
struct VolumeIdRange {
  char type = 'u';  // 'u' or 'g'
  std::uint32_t inside = 0;
  std::uint32_t disk = 0;
  std::uint32_t count = 0;
  bool operator==(const VolumeIdRange&) const = default;
};

// rootfs and mp[n].
struct VolumeOption {
  enum class Kind { volume, device, bind };

  std::string volume;                 // volume id, "/dev/..." or another absolute path
  std::string mp;                     // mount path inside; "/" for the rootfs
  std::optional<std::uint64_t> size;  // bytes
  std::optional<bool> acl;
  std::vector<std::string> mount_options;  // in the order given
  std::optional<bool> quota;
  std::optional<bool> ro;
  std::optional<bool> replicate;
  std::optional<bool> shared;
  bool idmap_passthrough = false;
  std::vector<VolumeIdRange> idmap;
  std::optional<bool> backup;     // mp[n] only
  std::optional<bool> keepattrs;  // mp[n] only

  bool operator==(const VolumeOption&) const = default;
  Kind kind() const;
};
VolumeOption parse_rootfs(std::string_view text);
VolumeOption parse_mount_point(std::string_view text);
std::string print_rootfs(const VolumeOption& volume);
std::string print_mount_point(const VolumeOption& volume);

// Throws Error naming the entry, the side, the first id mapped twice and the entry it collides with.
void check_idmap_overlap(const std::vector<VolumeIdRange>& ranges);

// `STORAGE:SIZE` asking for a new volume; SIZE in GiB, rounded down to whole MiB.
struct NewVolume {
  std::string storage;
  std::uint64_t bytes = 0;  // 0: a plain directory
  bool operator==(const NewVolume&) const = default;
};
// Nothing when `volume` does not have that form.
std::optional<NewVolume> parse_new_volume(std::string_view volume);

struct FeaturesOption {
  std::optional<bool> nesting;
  std::optional<bool> keyctl;
  std::optional<bool> fuse;
  std::optional<bool> mknod;
  std::optional<bool> force_rw_sys;
  std::string mount;  // as given
  std::vector<std::string> mount_types() const;
  bool operator==(const FeaturesOption&) const = default;
};
FeaturesOption parse_features(std::string_view text);
std::string print_features(const FeaturesOption& features);

// dev[n].
struct DeviceOption {
  std::string path;  // "/dev/..."
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;  // inside
  std::optional<std::uint32_t> gid;
  std::optional<bool> deny_write;
  bool operator==(const DeviceOption&) const = default;
};
DeviceOption parse_device(std::string_view text);
std::string print_device(const DeviceOption& device);

// startup: stored as given, so there is no printer. Delays in seconds.
struct StartupOption {
  std::optional<std::uint64_t> order;
  std::optional<std::uint64_t> up;
  std::optional<std::uint64_t> down;
  bool operator==(const StartupOption&) const = default;
};
StartupOption parse_startup(std::string_view text);

// unused[n]: the volume id.
std::string parse_unused(std::string_view text);

}  // namespace hutch::config
