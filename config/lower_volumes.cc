#include <linux/mount.h>

#include <algorithm>

#include "base/text.h"
#include "config/lowering.h"

// rootfs and mp[n] -> volumes (pct-conf 6.2, 7.6).
namespace hutch::config {

namespace {

struct MountOption {
  std::string_view name;
  std::uint64_t attribute = 0;  // 0: an option of the file system
  bool on_read_only = false;    // still counts on a read-only mount
};
constexpr MountOption kMountOptions[] = {
    {"discard"},
    {"lazytime"},
    {"noatime", MOUNT_ATTR_NOATIME},
    {"nodev", MOUNT_ATTR_NODEV, true},
    {"noexec", MOUNT_ATTR_NOEXEC, true},
    {"nosuid", MOUNT_ATTR_NOSUID, true},
};

// ext4: journalled quota files of the second format (ext4(5)).
constexpr std::pair<std::string_view, std::string_view> kQuotaOptions[] = {
    {"usrjquota", "aquota.user"}, {"grpjquota", "aquota.group"}, {"jqfmt", "vfsv0"}};

void add_mount_options(Lowering& lowering, const VolumeOption& option, VolumeSpec& volume) {
  const bool has_file_system = volume.kind != VolumeSpec::Kind::directory;
  for (const auto& name : option.mount_options) {
    const auto* row = std::find_if(std::begin(kMountOptions), std::end(kMountOptions),
                                   [&name](const auto& candidate) { return candidate.name == name; });
    if (row == std::end(kMountOptions) || (volume.read_only && !row->on_read_only)) continue;
    if (row->attribute != 0) {
      volume.mount_attributes |= row->attribute;
    } else if (has_file_system) {
      volume.fs_options.emplace_back(name, "");
    } else {
      lowering.warn(volume.origin,
                    formatted("option '{}': '{}' has no effect on a directory", volume.key, name));
    }
  }
  if (option.acl.value_or(false) && has_file_system) volume.fs_options.emplace_back("acl", "");
}

void lower_quota(Lowering& lowering, const VolumeOption& option, VolumeSpec& volume) {
  if (!option.quota.value_or(false)) return;
  if (lowering.unprivileged) {
    throw Error(formatted("option '{}': quota=1 is not possible in an unprivileged container", volume.key), 0,
                "remove quota=1", volume.origin);
  }
  if (volume.kind == VolumeSpec::Kind::directory) {
    throw Error(formatted("option '{}': quota=1 is not possible on a directory", volume.key), 0,
                "remove quota=1", volume.origin);
  }
  volume.quota = true;
  // Quotas are counted when something is written.
  if (volume.read_only) return;
  for (const auto& [name, value] : kQuotaOptions) volume.fs_options.emplace_back(name, value);
}

void lower_disk_ids(Lowering& lowering, const VolumeOption& option, VolumeSpec& volume) {
  if (!option.idmap_passthrough && option.idmap.empty()) return;
  if (!lowering.unprivileged) {
    lowering.warn(volume.origin,
                  formatted("option '{}': 'idmap' has no effect in a privileged container", volume.key));
    return;
  }
  volume.disk_ids = option.idmap_passthrough ? DiskIds::container : DiskIds::ranges;
  for (const auto& range : option.idmap)
    volume.disk_ranges.push_back({range.type == 'g', range.inside, range.disk, range.count});
}

void resolve(Lowering& lowering, const VolumeOption& option, VolumeSpec& volume) {
  switch (option.kind()) {
    case VolumeOption::Kind::device:
      volume.kind = VolumeSpec::Kind::block_device;
      volume.source = option.volume;
      return;
    case VolumeOption::Kind::bind:
      volume.bind = true;
      volume.source = option.volume;
      return;
    case VolumeOption::Kind::volume: break;
  }
  if (parse_new_volume(option.volume) || !lowering.context.resolve_volume) {
    throw Error(formatted("option '{}': '{}' is no existing volume", volume.key, option.volume), 0,
                "give a volume id such as local:100/vm-100-disk-0.raw", volume.origin);
  }
  try {
    const auto resolved = lowering.context.resolve_volume(option.volume);
    volume.kind = resolved.kind;
    volume.source = resolved.path;
    if (!resolved.immutable) return;
    volume.read_only = true;
    // A journal that is not clean must not be replayed into a base image.
    if (resolved.kind != VolumeSpec::Kind::directory) volume.fs_options.emplace_back("noload", "");
  } catch (const Error& error) {
    throw error.with_context(formatted("option '{}'", volume.key)).with_origin(volume.origin);
  }
}

// "srv//data/" -> "/srv/data"
std::string absolute_path(std::string_view text) {
  std::string path;
  for (const auto part : split(text, '/')) {
    if (part.empty()) continue;
    path += '/';
    path += part;
  }
  return path;
}

VolumeSpec lower_volume(Lowering& lowering, const std::string& key, const VolumeOption& option) {
  VolumeSpec volume;
  volume.key = key;
  volume.origin = lowering.section.origin_of(key);
  volume.read_only = option.ro.value_or(false);
  volume.target = key == "rootfs" ? "/" : absolute_path(option.mp);
  if (volume.target.empty()) {
    throw Error(formatted("option '{}': '{}' is no mount path below the rootfs", key, option.mp), 0,
                "give a path such as mp=/srv", volume.origin);
  }
  resolve(lowering, option, volume);
  add_mount_options(lowering, option, volume);
  lower_quota(lowering, option, volume);
  lower_disk_ids(lowering, option, volume);
  volume.keep_attributes = option.keepattrs.value_or(false);
  return volume;
}

}  // namespace

void lower_volumes(Lowering& lowering) {
  const auto& section = lowering.section;
  if (section.find("rootfs") != nullptr) {
    lowering.spec.rootfs = lower_volume(lowering, "rootfs", parse_option(section, "rootfs", parse_rootfs));
  } else {
    lower_raw_rootfs(lowering);
  }
  for (const auto& key : section.indexed_keys("mp")) {
    lowering.spec.mount_points.push_back(
        lower_volume(lowering, key, parse_option(section, key, parse_mount_point)));
  }
}

}  // namespace hutch::config
