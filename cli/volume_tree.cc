#include "cli/volume_tree.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/loop_device.h"
#include "base/mount.h"
#include "base/text.h"
#include "cli/container_volumes.h"

namespace hutch::cli {

namespace {

constexpr const char* kMayBeFull = "the storage that holds them may be full";

UniqueFd mount_volume(const RequestedVolume& volume, const config::LoweringContext& volumes,
                      std::vector<UniqueFd>& images) {
  const config::ResolvedVolume resolved = volumes.resolve_volume(volume.option.volume);
  if (resolved.immutable) {
    throw Error(formatted("volume '{}' is a base image and cannot be written", volume.option.volume));
  }
  try {
    if (resolved.kind == VolumeSpec::Kind::directory) return clone_mount(AT_FDCWD, resolved.path, false);
    const LoopDevice loop = attach_loop_device(resolved.path, false);
    UniqueFd mount = mount_block_device(loop.path, {}, 0);
    // An error is told once to each descriptor that was open when it happened, so that this one
    // sees also what an extraction reported whose failure is ignored.
    images.push_back(open_file(mount.get(), ".", O_RDONLY | O_DIRECTORY));
    return mount;
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot mount volume '{}'", volume.option.volume));
  }
}

// mkdir -p of a mount path inside the rootfs; no component may be a symlink (pct-conf.md §7.6).
void make_mount_path(int root_fd, const std::string& path, const Owner& owner) {
  std::string done;
  for (const auto part : split(path, '/')) {
    if (part.empty()) continue;
    const UniqueFd parent =
        open_file(root_fd, done.empty() ? "." : done, O_RDONLY | O_DIRECTORY, 0, Resolve::no_symlinks);
    const std::string name(part);
    if (::mkdirat(parent.get(), name.c_str(), 0755) == 0) {
      check(::fchownat(parent.get(), name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW),
            formatted("cannot change the owner of '{}'", path));
    } else if (errno != EEXIST) {
      throw_errno(formatted("cannot create mount path '{}'", path));
    }
    done += (done.empty() ? "" : "/") + name;
  }
}

void remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) < 0 && errno != ENOENT)
    throw_errno(formatted("cannot remove directory '{}'", path));
}

void make_directory(const std::string& path, UndoStack& undo) {
  if (::mkdir(path.c_str(), 0755) == 0) {
    undo.push("remove " + path, [path] { remove_directory(path); });
  } else if (errno != EEXIST) {
    throw_errno(formatted("cannot create directory '{}'", path));
  }
}

}  // namespace

Owner volume_root(const CreateRequest& request) {
  return root_on_disk(request.id_map, request.volumes.front().option);
}

void allocate_volumes(CreateRequest& request, const StorageConfig& storages, const Sysroot& sysroot,
                      UndoStack& undo) {
  const Owner root = volume_root(request);
  for (auto& volume : request.volumes) {
    if (!volume.fresh) continue;
    volume.option.volume = allocate_volume(request.vmid, *volume.fresh, root, storages, sysroot, undo).text();
    volume.option.size = volume.fresh->bytes;
  }
}

VolumeTree::VolumeTree(const CreateRequest& request, const config::LoweringContext& volumes,
                       const Sysroot& sysroot, UndoStack& undo) {
  if (request.volumes.size() > 1) namespace_ = std::make_unique<PrivateMounts>();
  root_ = mount_volume(request.volumes.front(), volumes, images_);
  if (namespace_) attach_mount_points(request, volumes, sysroot, undo);
}

void VolumeTree::attach_mount_points(const CreateRequest& request, const config::LoweringContext& volumes,
                                     const Sysroot& sysroot, UndoStack& undo) {
  const std::string directory = sysroot.path(formatted("var/lib/lxc/{}", request.vmid));
  make_directories(sysroot.path("var/lib/lxc"));
  make_directory(directory, undo);
  make_directory(directory + "/rootfs", undo);
  attach_mount(root_.get(), AT_FDCWD, directory + "/rootfs");
  const Owner owner = volume_root(request);
  for (const auto& volume : request.volumes) {
    if (volume.key == "rootfs") continue;
    try {
      UniqueFd mount = mount_volume(volume, volumes, images_);
      make_mount_path(root_.get(), volume.option.mp, owner);
      const UniqueFd place =
          open_file(root_.get(), volume.option.mp, O_PATH | O_DIRECTORY, 0, Resolve::no_symlinks);
      attach_mount(mount.get(), place.get(), "");
      mount_points_.push_back(std::move(mount));
    } catch (const Error& error) {
      throw error.with_origin({"--" + volume.key});
    }
  }
}

void VolumeTree::sync() const {
  for (const UniqueFd& image : images_) {
    if (const int failure = sync_file_system(image.get()); failure != 0) {
      throw Error("cannot write the container's volumes to their images", failure, kMayBeFull);
    }
  }
}

std::string VolumeTree::hint_for(const Error& failure) const {
  const bool broken = failure.error_number() == EIO || failure.error_number() == EROFS;
  return broken && !images_.empty() ? formatted("the volumes are images, and {}", kMayBeFull) : std::string();
}

}  // namespace hutch::cli
