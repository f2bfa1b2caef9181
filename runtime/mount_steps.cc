// What the steps of a plan that are about mounts do on the host, and their undo (StartExecutor::perform).
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/mount.h"
#include "runtime/dev_tree.h"
#include "runtime/executor.h"
#include "runtime/id_map.h"
#include "runtime/locked_mount.h"
#include "runtime/namespaces.h"
#include "runtime/overlay.h"
#include "runtime/planner.h"
#include "runtime/volumes.h"

namespace hutch {

void StartExecutor::perform(const host::OrderDev&) {
  dev_orders_.emplace(plan_->spec);
  supervisor_->make_tree(dev_orders_->orders());
}

// The supervisor's answers come in the order in which it was asked.
void StartExecutor::perform(const host::EnterMounts&) {
  const UniqueFd mounts = supervisor_->await_ready();
  if (dev_orders_) {
    auto [mount, failure] = supervisor_->await_tree();
    if (failure.error != 0) dev_orders_->refuse(failure);
    dev_ = std::move(mount);
  }
  check(::setns(mounts.get(), CLONE_NEWNS), "cannot enter the supervisor's mount namespace");
}

void StartExecutor::perform(const host::OpenIdMapNamespace& step) {
  id_map_namespaces_.emplace_back(step.map, make_id_map_namespace(step.map));
}

int StartExecutor::id_map_namespace(const IdMap& map) const {
  for (const auto& [known, descriptor] : id_map_namespaces_) {
    if (known == map) return descriptor.get();
  }
  throw Error("a mount is id-mapped by a map that was not prepared", EINVAL);
}

OpenedVolume StartExecutor::mount(const host::MountVolume& step, int id_map) {
  const Owner owner = inner_root(plan_->spec);
  const std::string path = rootfs_path();
  if (step.volume->key != "rootfs") {
    return mount_below(*step.volume, id_map, path, owner.uid, owner.gid);  // goes with the rootfs
  }
  // Stays for the next start, as long as the container has a config: to make it anew, on the disk, takes
  // three times as long as to mount a directory there.
  if (plan_->spec.rootfs_mount.empty()) make_directories(path);
  OpenedVolume opened = mount_rootfs(*step.volume, id_map, path, step.expected_owner, owner);
  push_undo("unmount " + path,
            [path] { check(::umount2(path.c_str(), MNT_DETACH), formatted("cannot unmount '{}'", path)); });
  return opened;
}

void StartExecutor::perform(const host::MountVolume& step) {
  const VolumeSpec& volume = *step.volume;
  OpenedVolume opened;
  if (!step.id_mapped) {
    opened = mount(step, -1);
  } else if (volume.disk_ids == DiskIds::other_namespace) {
    opened = mount(step, open_id_map_namespace(volume.id_map_path, volume.origin).get());
  } else {
    opened = mount(step, id_map_namespace(disk_id_map(plan_->spec.id_map, volume)));
  }
  if (volume.key == "rootfs") plain_rootfs_ = std::move(opened.plain);
  if (volume.quota) quota_devices_.push_back(std::move(opened.device));
}

void StartExecutor::perform(const host::PinRootfs&) {
  rootfs_pin_ = open_pin(rootfs_path());
  push_undo("let go of the rootfs", [this] { rootfs_pin_.reset(); });
}

void StartExecutor::perform(const host::SetUpGuest&) {
  const UniqueFd plain = std::move(plain_rootfs_);
  if (!options_.set_up_guest) return;
  if (plain) {
    const IdMap disk = disk_id_map(plan_->spec.id_map, plan_->spec.rootfs);
    return options_.set_up_guest(plain.get(), owner_on_disk(disk, inner_root(plan_->spec)));
  }
  const UniqueFd root = open_file(AT_FDCWD, rootfs_path(), O_PATH | O_DIRECTORY);
  options_.set_up_guest(root.get(), inner_root(plan_->spec));
}

void StartExecutor::perform(const host::OpenRoot& step) {
  slots_[step.slot] = step.locked ? clone_locked(rootfs_path()) : clone_mount(AT_FDCWD, rootfs_path(), true);
}

void StartExecutor::perform(const host::CompleteDev& step) {
  complete_dev_tree(dev_.get(), plan_->spec, quota_devices_);
  slots_[step.slot] = std::move(dev_);
}

void StartExecutor::perform(const host::OpenSource& step) {
  const MountSpec& mount = *step.mount;
  try {
    UniqueFd source;
    if (!mount.bind) {
      const std::string directory = plan_->sysroot.path(formatted("var/lib/lxc/{}", plan_->spec.vmid));
      source = mount_overlay_entry(mount, directory, inner_root(plan_->spec));
    } else {
      UniqueFd other;
      if (!mount.id_map_path.empty()) other = open_id_map_namespace(mount.id_map_path, mount.origin);
      const bool own = mount.id_mapped && !other;
      source = open_bind_source(mount, own ? id_map_namespace(plan_->spec.id_map) : other.get());
    }
    if (!plan_->spec.id_map.empty() && has_attributes_to_lock(source.get(), mount.recursive)) {
      source = lock_attributes(source, lock_stage(source.get()));
    }
    slots_[step.slot] = std::move(source);
  } catch (const Error& error) {
    if (!mount.optional) {
      throw error.with_origin(mount.origin).with_hint("create the source or add the option 'optional'");
    }
  }
}

// Where the private mount namespace has a directory, or a file, to mount on for a moment.
std::string StartExecutor::lock_stage(int mount) const {
  struct stat status {};
  check(::fstatat(mount, "", &status, AT_EMPTY_PATH), "cannot look at a mount");
  if (S_ISDIR(status.st_mode)) return rootfs_path();
  return state_directory(plan_->sysroot, plan_->spec.vmid) + "/" + kUnpublishedState;
}

void StartExecutor::perform(const host::MakeNamespaceFilesystem& step) {
  int joined = -1;
  for (const auto& [kind, fd] : joined_namespaces_) {
    if (kind == step.kind) joined = fd.get();
  }
  slots_[step.slot] = filesystem_of_namespace(step.type, step.attributes, step.kind, joined);
}

}  // namespace hutch
