#include "storage/dir_storage.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "base/undo.h"
#include "storage/storage_lock.h"

namespace hutch {

namespace {

constexpr int kDiskNumbers = 1024;
// Only root has business among the volumes: a set-uid program in a container's directory volume must not be
// reachable for the host's users.
constexpr mode_t kOwnerDirectoryMode = 0700;

// statx(2), STATX_ATTR_MOUNT_ROOT: the directory is where a file system is mounted.
bool is_mount_point(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0) {
    if (errno == ENOENT) return false;
    throw_errno(formatted("cannot stat '{}'", path));
  }
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// The directories of the host may carry default ACLs, which are no business of the container.
void remove_inherited_acl(int fd, const std::string& path) {
  for (const char* name : {"system.posix_acl_default", "system.posix_acl_access"}) {
    if (::fremovexattr(fd, name) < 0 && errno != ENODATA && errno != EOPNOTSUPP) {
      throw_errno(formatted("cannot remove the ACL of '{}'", path));
    }
  }
}

void make_subvol(const std::string& path, const Owner& root) {
  const UniqueFd directory = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  remove_inherited_acl(directory.get(), path);
  check(::fchown(directory.get(), root.uid, root.gid), formatted("cannot change the owner of '{}'", path));
  // After the owner: that could clear bits. Also takes back a set-gid bit inherited from the parent.
  check(::fchmod(directory.get(), 0755), formatted("cannot change the mode of '{}'", path));
}

// mkfs.ext4 often reports a full storage only as the feature it was setting up; asking for some more space
// tells.
bool is_storage_full(const std::string& image) {
  const UniqueFd file = open_file(AT_FDCWD, image, O_RDWR | O_NOFOLLOW);
  return ::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 1 << 20) < 0 && errno == ENOSPC;
}

void make_file_system(const std::string& image, const Owner& root) {
  // The image is a hole, so nothing has to be discarded, and inode tables and journal read as zeros already;
  // lazy initialisation keeps mkfs from writing them.
  const auto result = run_program(
      {"mkfs.ext4", "-q", "-F", "-O", "mmp", "-E",
       formatted("root_owner={}:{},nodiscard,lazy_itable_init=1,lazy_journal_init=1", root.uid, root.gid),
       image});
  if (result.succeeded()) return;
  const std::string action = formatted("cannot make an ext4 file system in '{}'", image);
  if (result.err.find("No space left on device") != std::string::npos || is_storage_full(image)) {
    throw Error(action, ENOSPC, "free some space on the storage");
  }
  std::string text(trim(result.err));
  std::replace(text.begin(), text.end(), '\n', ' ');
  throw Error(formatted("{}: mkfs.ext4 {}: {}", action, result.status_text(), text));
}

void size_image(int fd, const std::string& path, std::uint64_t size, const std::string& preallocation) {
  if (size > static_cast<std::uint64_t>(LLONG_MAX)) throw Error(formatted("cannot make '{}'", path), EFBIG);
  const auto length = static_cast<off_t>(size);
  const std::string action = formatted("cannot make '{}' {} bytes large", path, size);
  if (preallocation == "falloc" || preallocation == "full") {
    if (::fallocate(fd, 0, 0, length) < 0) {
      throw_errno(action, errno == ENOSPC ? "free some space on the storage or choose a smaller volume" : "");
    }
    return;
  }
  if (::ftruncate(fd, length) < 0) {
    throw_errno(action, errno == EFBIG ? "the storage's file system cannot hold files of that size" : "");
  }
}

void remove_if_empty(const std::string& directory) {
  if (::rmdir(directory.c_str()) < 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT) {
    throw_errno(formatted("cannot remove '{}'", directory));
  }
}

// Base volumes are made immutable (pct-conf 7.4), which would forbid the unlink.
void clear_immutable(const std::string& path) {
  const auto file = open_if_exists(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return;
  int flags = 0;
  if (::ioctl(file->get(), FS_IOC_GETFLAGS, &flags) < 0) {
    if (errno == ENOTTY || errno == EOPNOTSUPP) return;  // a file system without such flags
    throw_errno(formatted("cannot read the flags of '{}'", path));
  }
  if ((flags & FS_IMMUTABLE_FL) == 0) return;
  flags &= ~FS_IMMUTABLE_FL;
  check(::ioctl(file->get(), FS_IOC_SETFLAGS, &flags), formatted("cannot make '{}' mutable", path));
}

const char* content_key(VolumeKind kind) {
  switch (kind) {
    case VolumeKind::container_template: return "vztmpl";
    case VolumeKind::backup: return "backup";
    case VolumeKind::snippet: return "snippets";
    case VolumeKind::iso: return "iso";
    case VolumeKind::image:
    case VolumeKind::subvol:
    case VolumeKind::base_image: break;
  }
  return "images";
}

}  // namespace

DirStorage::DirStorage(DirStorageSettings settings, Sysroot sysroot)
    : settings_(std::move(settings)), sysroot_(std::move(sysroot)) {}

void DirStorage::activate() const {
  if (!settings_.mountpoint.empty() && !is_mount_point(settings_.mountpoint)) {
    throw Error(
        formatted("storage '{}' is offline: nothing is mounted at '{}'", settings_.id, settings_.mountpoint),
        0, {}, settings_.origin);
  }
  if (settings_.create_base_path) make_directories(settings_.path);
  struct stat status {};
  if (::stat(settings_.path.c_str(), &status) < 0) {
    throw Error(formatted("storage '{}' is offline: cannot use '{}'", settings_.id, settings_.path), errno,
                errno == ENOENT ? "create the directory" : "", settings_.origin);
  }
  if (!S_ISDIR(status.st_mode)) {
    throw Error(formatted("storage '{}' is offline: '{}'", settings_.id, settings_.path), ENOTDIR, {},
                settings_.origin);
  }
}

std::string DirStorage::directory_of(VolumeKind kind) const {
  return settings_.path + "/" + settings_.dirs.at(content_key(kind));
}

std::string DirStorage::path_of(const VolumeId& id) const {
  if (id.storage != settings_.id) {
    throw Error(formatted("volume '{}' is not on storage '{}'", id.text(), settings_.id));
  }
  const FileVolume volume = parse_file_volume(id);
  const std::string directory = directory_of(volume.kind);
  if (volume.owner == 0) return formatted("{}/{}", directory, volume.file);
  return formatted("{}/{}/{}", directory, volume.owner, volume.file);
}

std::vector<VolumeInfo> DirStorage::list(std::optional<std::uint32_t> vmid) const {
  const std::string images = directory_of(VolumeKind::image);
  std::vector<std::uint32_t> owners;
  if (vmid) {
    owners.push_back(*vmid);
  } else {
    for (const auto& name : list_directory(images)) {
      const auto owner = parse_unsigned(name);
      if (owner && *owner > 0 && *owner <= 999999999 && name.front() != '0') {
        owners.push_back(static_cast<std::uint32_t>(*owner));
      }
    }
    std::sort(owners.begin(), owners.end());
  }
  std::vector<VolumeInfo> volumes;
  for (const auto owner : owners) {
    const std::string directory = formatted("{}/{}", images, owner);
    for (const auto& name : list_directory(directory)) {
      const auto volume = parse_disk_name(owner, name);
      if (!volume) continue;
      struct stat status {};
      check(::lstat((directory + "/" + name).c_str(), &status),
            formatted("cannot stat '{}/{}'", directory, name));
      const bool file = S_ISREG(status.st_mode) && volume->format != VolumeFormat::subvol;
      volumes.push_back({{settings_.id, formatted("{}/{}", owner, name)},
                         *volume,
                         file ? static_cast<std::uint64_t>(status.st_size) : 0});
    }
  }
  return volumes;
}

int DirStorage::next_disk_number(std::uint32_t vmid) const {
  std::vector<bool> used(kDiskNumbers, false);
  for (const auto& name : list_directory(formatted("{}/{}", directory_of(VolumeKind::image), vmid))) {
    const int number = disk_number(name, vmid);
    if (number >= 0 && number < kDiskNumbers) used[static_cast<std::size_t>(number)] = true;
  }
  const auto free_number = std::find(used.begin(), used.end(), false);
  if (free_number == used.end()) {
    throw Error(formatted("cannot find a free disk name for {} on storage '{}': all of 0..{} are taken", vmid,
                          settings_.id, kDiskNumbers - 1));
  }
  return static_cast<int>(free_number - used.begin());
}

VolumeId DirStorage::allocate(std::uint32_t vmid, std::uint64_t size_bytes, const Owner& root) const {
  activate();
  const std::string images = directory_of(VolumeKind::image);
  if (settings_.create_subdirs) make_directories(images);
  const StorageLock lock(sysroot_, settings_.id);
  UndoStack undo;
  const std::string directory = formatted("{}/{}", images, vmid);
  if (::mkdir(directory.c_str(), kOwnerDirectoryMode) == 0) {
    undo.push("volume directory", [directory] { remove_if_empty(directory); });
  } else if (errno != EEXIST) {
    throw_errno(formatted("cannot create directory '{}'", directory));
  }
  const int number = next_disk_number(vmid);
  const std::string file = size_bytes > 0 ? formatted("vm-{}-disk-{}.raw", vmid, number)
                                          : formatted("subvol-{}-disk-{}.subvol", vmid, number);
  const std::string path = directory + "/" + file;
  if (size_bytes == 0) {
    check(::mkdir(path.c_str(), 0700), formatted("cannot create directory '{}'", path));
    undo.push("directory volume", [path] { remove_tree(AT_FDCWD, path); });
    make_subvol(path, root);
  } else {
    const UniqueFd image = open_file(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    undo.push("image", [path] { remove_tree(AT_FDCWD, path); });
    check(::fchmod(image.get(), 0640), formatted("cannot change the mode of '{}'", path));
    size_image(image.get(), path, size_bytes, settings_.preallocation);
    make_file_system(path, root);
  }
  undo.dismiss();
  return {settings_.id, formatted("{}/{}", vmid, file)};
}

void DirStorage::free(const VolumeId& id) const {
  const FileVolume volume = parse_file_volume(id);
  if (volume.owner == 0) throw Error(formatted("cannot free volume '{}': it is no disk", id.text()));
  const std::string path = path_of(id);
  if (volume.kind == VolumeKind::base_image) clear_immutable(path);
  // Removing a large tree takes long; the name stays taken meanwhile, so the lock is only needed for
  // the directory that a concurrent allocation may be about to use.
  remove_tree(AT_FDCWD, path);
  const StorageLock lock(sysroot_, settings_.id);
  remove_if_empty(formatted("{}/{}", directory_of(VolumeKind::image), volume.owner));
}

}  // namespace hutch
