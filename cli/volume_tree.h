#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/sysroot.h"
#include "base/undo.h"
#include "base/unique_fd.h"
#include "cli/create_request.h"
#include "cli/private_mounts.h"
#include "config/lower.h"

// The volumes of a container that is being created: made, and mounted where only this process sees them.
namespace hutch::cli {

// Makes every volume that the request asks for anew and puts its id and size into `option`; volumes that
// exist already stay as they are. Each new one is freed again by `undo`.
void allocate_volumes(CreateRequest& request, const StorageConfig& storages, const Sysroot& sysroot,
                      UndoStack& undo);

// The ids of the container's root on its volumes.
Owner volume_root(const CreateRequest& request);

// The mounted tree: rootfs, and the mount points below it.
class VolumeTree {
 public:
  // Mounts all volumes of the request, ignoring `ro`. A rootfs alone stays detached, visible nowhere. With
  // mount points the tree is put together at <sysroot>/var/lib/lxc/<vmid>/rootfs in a private mount
  // namespace, since kernels before 6.15 refuse to attach below a detached mount.
  VolumeTree(const CreateRequest& request, const config::LoweringContext& volumes, const Sysroot& sysroot,
             UndoStack& undo);

  // A directory descriptor of the rootfs; it ends with this object, as the mounts do.
  int root_fd() const { return root_.get(); }
  // Writes everything to the image volumes; throws when one could not take it (ENOSPC, EIO), now or at any
  // time since it was mounted. Directory volumes are part of a host file system, which keeps its own time for
  // that.
  void sync() const;
  // For a failure inside the volumes that may come from below them: an image that cannot be written back is
  // broken for whoever uses it next (EIO, EROFS). Else empty.
  std::string hint_for(const Error& failure) const;

 private:
  void attach_mount_points(const CreateRequest& request, const config::LoweringContext& volumes,
                           const Sysroot& sysroot, UndoStack& undo);
  // In this order: on destruction the mounts are let go before the namespace is left.
  std::unique_ptr<PrivateMounts> namespace_;
  UniqueFd root_;
  std::vector<UniqueFd> mount_points_;
  std::vector<UniqueFd> images_;  // root directories of those that are file systems of their own
};

}  // namespace hutch::cli
