#include <linux/mount.h>

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "runtime/host_planner.h"
#include "runtime/id_map.h"
#include "runtime/namespaces.h"

// Volumes, /dev, mount entries, and what shows namespaces of others.
namespace hutch {

void HostPlanner::open_namespaces() {
  auto shared = spec_.namespaces.shared;
  std::stable_partition(shared.begin(), shared.end(),
                        [](const auto& space) { return space.kind != NamespaceKind::user; });
  for (const auto& space : shared) {
    add(host::OpenNamespace{space}, formatted("open {}", describe(space)), "", space.origin);
  }
}

Origin HostPlanner::namespace_origin(NamespaceKind kind) const {
  for (const auto& shared : spec_.namespaces.shared) {
    if (shared.kind == kind) return shared.origin;
  }
  return spec_.namespaces.origin;
}

void HostPlanner::namespace_filesystems() {
  const auto& namespaces = spec_.namespaces;
  const auto foreign = [&](bool own, NamespaceKind kind) {
    const bool same_owner = namespaces.shares(NamespaceKind::user) && namespaces.shares(kind);
    return !spec_.id_map.empty() && !own && !same_owner;
  };
  constexpr std::uint64_t kSafe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const auto make = [&](const char* type, NamespaceKind kind, bool read_only) {
    const Slot slot = plan_.child.new_slot();
    add(host::MakeNamespaceFilesystem{slot, type, kSafe | (read_only ? MOUNT_ATTR_RDONLY : 0U), kind},
        formatted("make the container's {}, which shows a namespace that is not its own", type), "",
        namespace_origin(kind));
    return slot;
  };
  if (spec_.proc != ProcMount::none && foreign(namespaces.pid, NamespaceKind::pid)) {
    child_.proc = make("proc", NamespaceKind::pid, false);
  }
  if (spec_.sys == SysMount::none) return;
  if (foreign(namespaces.net, NamespaceKind::net)) {
    child_.sys = make("sysfs", NamespaceKind::net, spec_.sys == SysMount::read_only);
  }
  if (spec_.cgroup != CgroupMount::none && foreign(namespaces.cgroup, NamespaceKind::cgroup)) {
    child_.cgroup = make("cgroup2", NamespaceKind::cgroup, spec_.cgroup == CgroupMount::read_only);
  }
}

bool HostPlanner::needs_id_mapped_mount(const VolumeSpec& volume) const {
  if (spec_.id_map.empty()) return false;
  if (volume.disk_ids != DiskIds::host) return true;
  // A rootfs that root unpacked by hand: its files can only be meant as the container's.
  return volume.key == "rootfs" && facts_->rootfs_owner == uid_t{0} && inner_root(spec_).uid != 0;
}

void HostPlanner::volumes() {
  std::vector<const VolumeSpec*> all = {&spec_.rootfs};
  for (const auto& volume : spec_.mount_points) all.push_back(&volume);
  id_map_namespaces(all);
  for (const auto* volume : all) mount(*volume);
  const auto& rootfs = spec_.rootfs;
  if (spec_.id_map.empty() && rootfs.kind == VolumeSpec::Kind::directory && !rootfs.read_only) {
    add(host::PinRootfs{}, "hold a file open in the rootfs, so that nobody remounts it read-only", "close");
  }
  add(host::SetUpGuest{}, "set up the guest's files");
}

void HostPlanner::mount(const VolumeSpec& volume) {
  host::MountVolume step{volume, needs_id_mapped_mount(volume), std::nullopt};
  if (volume.key == "rootfs") step.expected_owner = inner_root(spec_).uid;
  static constexpr const char* kKinds[] = {"directory", "image", "block device", "overlay"};
  std::string source = volume.source;
  if (volume.kind == VolumeSpec::Kind::overlay) source += formatted(" over {}", join(volume.lower, ", "));
  std::string text =
      formatted("mount {}: {} {} on {}", volume.key, kKinds[static_cast<int>(volume.kind)], source,
                volume.key == "rootfs" ? rootfs_mount_path(plan_.sysroot, spec_) : volume.target);
  for (const auto& [name, value] : volume.fs_options)
    text += formatted(", {}{}{}", name, value.empty() ? "" : "=", value);
  if (step.id_mapped) text += ", id-mapped" + disk_ids_text(volume);
  if (volume.read_only) text += ", read-only";
  add(std::move(step), std::move(text), "unmount", volume.origin);
}

void HostPlanner::id_map_namespaces(const std::vector<const VolumeSpec*>& volumes) {
  std::vector<IdMap> made;
  const auto need = [&](const IdMap& map, const std::string& whose) {
    if (std::find(made.begin(), made.end(), map) != made.end()) return;
    made.push_back(map);
    add(host::OpenIdMapNamespace{map}, formatted("make a user namespace for {}", whose));
  };
  const auto own = [](auto& mount) { return mount.id_mapped && mount.id_map_path.empty(); };
  if (std::any_of(spec_.mounts.begin(), spec_.mounts.end(), own)) need(spec_.id_map, "id-mapped mounts");
  for (const auto* volume : volumes) {
    if (!needs_id_mapped_mount(*volume) || volume->disk_ids == DiskIds::other_namespace) continue;
    const bool ranges = volume->disk_ids == DiskIds::ranges;
    need(disk_id_map(spec_.id_map, *volume),
         ranges ? formatted("the id map of {}", volume->key) : "id-mapped mounts");
  }
}

std::string HostPlanner::disk_ids_text(const VolumeSpec& volume) {
  if (volume.disk_ids == DiskIds::other_namespace) return " as " + volume.id_map_path;
  std::string text;
  if (volume.disk_ids != DiskIds::ranges) return text;
  for (const auto& range : volume.disk_ranges) {
    text += formatted(" {}:{}:{}:{}", range.group ? 'g' : 'u', range.inside, range.disk, range.count);
  }
  return text;
}

bool HostPlanner::needs_locked_attributes() const {
  const auto restricted = [](const VolumeSpec& volume) {
    return volume.read_only || volume.mount_attributes != 0 || (volume.bind && volume.key != "rootfs");
  };
  return !spec_.id_map.empty() &&
         (restricted(spec_.rootfs) ||
          std::any_of(spec_.mount_points.begin(), spec_.mount_points.end(), restricted));
}

void HostPlanner::order_dev() {
  const Owner owner = inner_root(spec_);
  add(host::OrderDev{},
      formatted(
          "let the supervisor make /dev: tmpfs of {} bytes with full null random tty urandom zero, owned "
          "by {}:{}",
          spec_.dev_size, owner.uid, owner.gid));
}

void HostPlanner::complete_dev() {
  child_.dev = plan_.child.new_slot();
  std::string devices;
  for (const auto& device : spec_.passed_devices) {
    devices += formatted("{}{} {} mode {:04o} of {}:{} inside", devices.empty() ? " with " : ", ", device.key,
                         device.path, device.mode, device.uid, device.gid);
  }
  add(host::CompleteDev{child_.dev}, "take /dev from the supervisor" + devices);
}

void HostPlanner::sources() {
  for (const auto& mount : spec_.mounts) {
    const bool overlay = !mount.bind && mount.type.starts_with("overlay");
    const bool opened = overlay || (mount.bind && !mount.source_in_root);
    const Slot slot = opened ? plan_.child.new_slot() : kNoSlot;
    child_.sources.emplace_back(mount, slot);
    if (!opened) continue;
    add(host::OpenSource{slot, mount}, source_text(mount), "", mount.origin);
  }
}

std::string HostPlanner::source_text(const MountSpec& mount) {
  if (!mount.bind) return formatted("make the overlay of the mount on {}", mount.target);
  std::string text = formatted("open the source {} of the mount on {}", mount.source, mount.target);
  if (mount.id_mapped) text += ", id-mapped";
  if (!mount.id_map_path.empty()) text += " as " + mount.id_map_path;
  return text;
}

}  // namespace hutch
