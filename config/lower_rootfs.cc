#include <linux/mount.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "config/lowering.h"

// The rootfs as LXC names it (lxc-keys 2.3, lxc-mounts-and-devices 4).
namespace hutch::config {

namespace {

const RawEntry* last_entry(const Lowering& lowering, std::string_view key) {
  const auto found = std::find_if(lowering.raw.rbegin(), lowering.raw.rend(),
                                  [key](const auto& entry) { return entry.key == key; });
  return found == lowering.raw.rend() ? nullptr : &*found;
}

HostFile file_at(const Lowering& lowering, const std::string& path) {
  return lowering.context.file_at ? lowering.context.file_at(path) : HostFile::directory;
}

[[noreturn]] void refuse_path(const RawEntry& entry, std::string reason, std::string hint) {
  throw Error(formatted("'{}': '{}' {}", entry.key, entry.value, reason), 0, std::move(hint), entry.origin);
}

void use_directory(Lowering& lowering, const RawEntry& entry, std::string_view path) {
  auto& rootfs = lowering.spec.rootfs;
  rootfs.kind = VolumeSpec::Kind::directory;
  rootfs.bind = true;
  rootfs.source = path;
  if (file_at(lowering, rootfs.source) != HostFile::directory)
    refuse_path(entry, "is not a directory", "name an existing directory");
}

void use_image(Lowering& lowering, const RawEntry& entry, std::string_view path) {
  auto& rootfs = lowering.spec.rootfs;
  rootfs.kind = VolumeSpec::Kind::image;
  rootfs.source = path;
  const HostFile file = file_at(lowering, rootfs.source);
  if (lowering.context.file_at && file != HostFile::regular)
    refuse_path(entry, "is not an image file", "name an existing file");
}

// lvm, rbd, nbd, zfs: what is a block device of the host's by now is simply mounted; what would first have to
// be made one by that storage's own tools is not.
void use_device(Lowering& lowering, const RawEntry& entry, std::string_view path) {
  auto& rootfs = lowering.spec.rootfs;
  rootfs.kind = VolumeSpec::Kind::block_device;
  rootfs.source = path;
  if (!path.starts_with('/') ||
      (lowering.context.file_at && file_at(lowering, rootfs.source) != HostFile::block_device)) {
    refuse_path(entry, "is not a block device of this host",
                "attach or mount it first, and name the device, or the directory as dir:<path>");
  }
}

void use_btrfs(Lowering& lowering, const RawEntry& entry, std::string_view path) {
  // A subvolume is a directory.
  use_directory(lowering, entry, path);
}

// "/lower:/upper", with more than one lower directory "/top:/bottom:/upper". A colon separates only in front
// of a slash, as LXC reads it.
std::vector<std::string> layers_of(std::string_view text) {
  std::vector<std::string> layers;
  while (!text.empty()) {
    const auto end = std::min(text.find(":/"), text.size());
    layers.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return layers;
}

void use_overlay(Lowering& lowering, const RawEntry& entry, std::string_view path) {
  auto layers = layers_of(path);
  const bool absolute =
      std::all_of(layers.begin(), layers.end(), [](auto& layer) { return layer.starts_with('/'); });
  if (layers.size() < 2 || !absolute) {
    refuse_path(entry, "does not name an overlay's directories",
                "write overlay:<lower>[:<lower>...]:<upper>");
  }
  auto& rootfs = lowering.spec.rootfs;
  rootfs.kind = VolumeSpec::Kind::overlay;
  rootfs.source = layers.back();
  layers.pop_back();
  for (const auto& layer : layers) {
    if (file_at(lowering, layer) != HostFile::directory)
      refuse_path(entry, formatted("has no lower directory '{}'", layer), "name existing directories");
  }
  rootfs.lower = std::move(layers);
  // Where LXC has it: beside the upper directory.
  rootfs.work = rootfs.source.substr(0, rootfs.source.rfind('/') + 1) + "olwork";
}

void detect(Lowering& lowering, const RawEntry& entry, std::string_view path) {
  if (!path.starts_with('/')) {
    refuse_path(entry, "is neither an absolute path nor of the form <type>:<path>",
                "use dir:, overlay:, loop:, btrfs: or an absolute path");
  }
  switch (file_at(lowering, std::string(path))) {
    case HostFile::directory: return use_directory(lowering, entry, path);
    case HostFile::regular: return use_image(lowering, entry, path);
    case HostFile::block_device: return use_device(lowering, entry, path);
    case HostFile::missing:
      refuse_path(entry, "does not exist", "name an existing directory, image or device");
    case HostFile::other: refuse_path(entry, "is neither a directory nor an image nor a block device", "");
  }
}

struct RootfsType {
  std::string_view name;
  void (*use)(Lowering& lowering, const RawEntry& entry, std::string_view path);
};
constexpr RootfsType kTypes[] = {
    {"dir", use_directory},     {"btrfs", use_btrfs}, {"overlay", use_overlay},
    {"overlayfs", use_overlay}, {"loop", use_image},  {"lvm", use_device},
    {"nbd", use_device},        {"rbd", use_device},  {"zfs", use_device},
};

void set_rootfs_path(Lowering& lowering, const RawEntry& entry) {
  const std::string_view value = entry.value;
  const auto colon = value.find(':');
  // LXC takes anything before the first colon for the type.
  if (colon == value.npos) return detect(lowering, entry, value);
  const auto name = value.substr(0, colon);
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [name](const auto& row) { return row.name == name; });
  if (type == std::end(kTypes)) {
    refuse_path(entry, formatted("has the unknown type '{}'", name),
                "use dir:, overlay:, loop:, btrfs:, lvm:, zfs:, rbd: or nbd:");
  }
  type->use(lowering, entry, value.substr(colon + 1));
}

void set_rootfs_options(Lowering& lowering, const RawEntry& entry) {
  auto& rootfs = lowering.spec.rootfs;
  const MountSpec options = parse_mount_options(lowering, entry.value, entry.origin);
  if (options.create != MountSpec::Create::no || options.optional || options.source_in_root) {
    throw Error(formatted("'{}': create=, optional and relative have no meaning for a rootfs", entry.key), 0,
                "remove the option", entry.origin);
  }
  const bool directory = rootfs.kind == VolumeSpec::Kind::directory;
  rootfs.read_only = (options.attributes_set & MOUNT_ATTR_RDONLY) != 0;
  rootfs.mount_attributes = options.attributes_set & ~std::uint64_t{MOUNT_ATTR_RDONLY};
  // A new mount has nothing to clear.
  // The directory's own read-only, nosuid and noexec stay.
  constexpr std::uint64_t kKept = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  if (directory) rootfs.mount_attributes_clear = options.attributes_clear & ~kKept;
  rootfs.propagation = options.propagation;
  rootfs.propagation_recursive = options.propagation_recursive;
  // A bind takes no options of a file system.
  if (!directory) rootfs.fs_options = options.fs_options;
  if (!options.id_mapped && options.id_map_path.empty()) return;
  if (!directory && rootfs.kind != VolumeSpec::Kind::overlay) {
    throw Error(formatted("'{}': idmap= needs a directory or an overlay", entry.key), 0, "remove the option",
                entry.origin);
  }
  if (options.id_mapped && !lowering.unprivileged) {
    lowering.warn(entry.origin,
                  formatted("'{}': 'idmap=container' has no effect in a privileged container", entry.key));
    return;
  }
  rootfs.disk_ids = options.id_mapped ? DiskIds::container : DiskIds::other_namespace;
  rootfs.id_map_path = options.id_map_path;
}

}  // namespace

void lower_raw_rootfs(Lowering& lowering) {
  const RawEntry* path = last_entry(lowering, "lxc.rootfs.path");
  if (path == nullptr || path->value.empty()) {
    throw Error(formatted("CT {}: 'lxc.rootfs.path' is empty, so the container would have the host's root",
                          lowering.context.vmid),
                0, "name a directory, or give the container a rootfs",
                path == nullptr ? Origin{} : path->origin);
  }
  auto& rootfs = lowering.spec.rootfs;
  rootfs.key = "rootfs";
  rootfs.target = "/";
  rootfs.origin = path->origin;
  set_rootfs_path(lowering, *path);
  if (const RawEntry* options = last_entry(lowering, "lxc.rootfs.options")) {
    set_rootfs_options(lowering, *options);
  }
}

void set_rootfs_mount(Lowering& lowering, const RawEntry& entry) {
  std::string path;
  for (const auto part : split(entry.value, '/')) {
    if (part.empty() || part == ".") continue;
    path += "/" + std::string(part);
  }
  if (!entry.value.empty() && (!entry.value.starts_with('/') || path.empty()))
    bad_value(entry, "an absolute path below /");
  lowering.spec.rootfs_mount = path;
}

}  // namespace hutch::config
