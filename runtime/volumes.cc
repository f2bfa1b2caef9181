#include "runtime/volumes.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/loop_device.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/fs_identity.h"
#include "runtime/overlay.h"

namespace hutch {

std::uint64_t attributes_of(const VolumeSpec& volume) {
  return volume.mount_attributes | (volume.read_only ? MOUNT_ATTR_RDONLY : 0U);
}

std::uint64_t propagation_flag(Propagation propagation) {
  switch (propagation) {
    case Propagation::unchanged: return 0;
    case Propagation::shared: return MS_SHARED;
    case Propagation::slave: return MS_SLAVE;
    case Propagation::private_: return MS_PRIVATE;
    case Propagation::unbindable: return MS_UNBINDABLE;
  }
  return 0;
}

namespace {

// A kernel without quotas ignores their options, and disk use would not be limited.
void check_quota(const VolumeSpec& volume) {
  if (volume.quota && !path_exists(AT_FDCWD, "/proc/sys/fs/quota")) {
    throw Error(formatted("{}: this kernel has no disk quota (CONFIG_QUOTA)", volume.key), EOPNOTSUPP,
                "remove quota=1 or use another kernel");
  }
}

void check_quota_type(const VolumeSpec& volume, int mount) {
  struct statfs status {};
  check(::fstatfs(mount, &status), formatted("cannot look at the file system of '{}'", volume.source));
  if (status.f_type != EXT4_SUPER_MAGIC) {
    throw Error(
        formatted("{}: quota=1 needs an ext4 file system, '{}' has another", volume.key, volume.source),
        EOPNOTSUPP, "remove quota=1");
  }
}

OpenedVolume open_block_device(const VolumeSpec& volume, const std::string& device, bool plain_too) {
  OpenedVolume opened;
  opened.device = device;
  check_quota(volume);
  FsOptions options = volume.fs_options;
  // The file system itself, not the mount only: its device may be read-only, too.
  if (volume.read_only) options.emplace_back("ro", "");
  opened.mount = mount_block_device(device, options, attributes_of(volume));
  if (volume.quota) check_quota_type(volume, opened.mount.get());
  if (plain_too) opened.plain = mount_block_device(device, options, attributes_of(volume));
  return opened;
}

OpenedVolume open_directory(const VolumeSpec& volume, bool plain_too) {
  // A host directory that the config names: whoever could make a symlink on the way would choose another.
  const UniqueFd source = open_file(AT_FDCWD, volume.source, O_PATH | O_DIRECTORY, 0,
                                    volume.bind ? Resolve::host_no_symlinks : Resolve::host);
  OpenedVolume opened;
  opened.mount = clone_mount(source.get(), "", volume.bind);
  if ((attributes_of(volume) | volume.mount_attributes_clear) != 0) {
    set_mount_attributes(opened.mount.get(), attributes_of(volume), volume.mount_attributes_clear,
                         volume.bind);
  }
  if (plain_too) opened.plain = clone_mount(source.get(), "", volume.bind);
  return opened;
}

OpenedVolume open_unmapped(const VolumeSpec& volume, bool plain_too) {
  switch (volume.kind) {
    case VolumeSpec::Kind::directory: return open_directory(volume, plain_too);
    case VolumeSpec::Kind::image: {
      const LoopDevice loop = attach_loop_device(volume.source, volume.read_only);
      return open_block_device(volume, loop.path, plain_too);
    }
    case VolumeSpec::Kind::block_device: return open_block_device(volume, volume.source, plain_too);
    case VolumeSpec::Kind::overlay: break;  // only a rootfs, see mount_rootfs
  }
  throw Error(formatted("cannot mount {}", volume.key), EINVAL);
}

void map_ids(int mount, int id_map_fd, const VolumeSpec& volume) {
  try {
    set_mount_id_map(mount, id_map_fd, volume.bind);
  } catch (const Error& error) {
    throw Error(
        formatted("cannot id-map the mount of '{}'", volume.source), error.error_number(),
        error.error_number() == EINVAL
            ? "its file system cannot be id-mapped: store it with shifted owners, without idmap=passthrough"
            : "");
  }
}

void check_owner(int mount_fd, const VolumeSpec& volume, uid_t expected) {
  struct stat status {};
  check(::fstatat(mount_fd, "", &status, AT_EMPTY_PATH), formatted("cannot stat '{}'", volume.source));
  if (status.st_uid == expected) return;
  throw Error(formatted("the rootfs '{}' belongs to host user {}, but the container's root is host user {}",
                        volume.source, status.st_uid, expected),
              EOVERFLOW,
              status.st_uid == 0
                  ? "add idmap=passthrough to the rootfs line, or shift the owners of its files"
                  : "its files were made for another id map: set the same lxc.idmap, or shift their owners",
              volume.origin);
}

// Opens `path` below the mounted rootfs, making missing directories.
UniqueFd make_directories_inside(int root, const std::string& path) {
  UniqueFd current = open_file(root, ".", O_PATH | O_DIRECTORY);
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    const std::string name(part);
    if (::mkdirat(current.get(), name.c_str(), 0755) < 0 && errno != EEXIST) {
      throw_errno(formatted("cannot create '{}' in the rootfs", path));
    }
    current = open_file(current.get(), name, O_PATH, 0, Resolve::no_symlinks);
  }
  return current;
}

struct stat attributes_at(int fd) {
  struct stat status {};
  check(::fstatat(fd, "", &status, AT_EMPTY_PATH), "cannot look at a volume's top");
  return status;
}

void set_attributes_at(int directory, const struct stat& wanted) {
  check(::fchown(directory, wanted.st_uid, wanted.st_gid), "cannot change the owner of a volume's top");
  // Last: a change of the owner clears bits.
  check(::fchmod(directory, wanted.st_mode & 07777), "cannot change the mode of a volume's top");
}

}  // namespace

OpenedVolume open_volume(const VolumeSpec& volume, int id_map_fd) {
  try {
    OpenedVolume opened = open_unmapped(volume, id_map_fd >= 0);
    if (id_map_fd >= 0) map_ids(opened.mount.get(), id_map_fd, volume);
    return opened;
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot mount {}", volume.key)).with_origin(volume.origin);
  }
}

OpenedVolume mount_rootfs(const VolumeSpec& volume, int id_map_fd, const std::string& path,
                          std::optional<uid_t> expected_owner, const Owner& inner_root) {
  OpenedVolume opened;
  if (volume.kind == VolumeSpec::Kind::overlay) {
    try {
      opened.mount = mount_overlay(volume, id_map_fd, path, inner_root);
    } catch (const Error& error) {
      throw error.with_context(formatted("cannot mount {}", volume.key)).with_origin(volume.origin);
    }
  } else {
    opened = open_volume(volume, id_map_fd);
  }
  if (expected_owner) check_owner(opened.mount.get(), volume, *expected_owner);
  attach_mount(opened.mount.get(), AT_FDCWD, path);
  if (const auto flag = propagation_flag(volume.propagation); flag != 0)
    set_mount_propagation(opened.mount.get(), flag, volume.propagation_recursive);
  opened.mount.reset();
  return opened;
}

UniqueFd open_pin(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) return UniqueFd(fd);
  if (errno == EROFS) return {};
  if (errno != EOPNOTSUPP) throw_errno(formatted("cannot hold a file open in '{}'", directory));
  // A file system without nameless files: a named one, unlinked at once.
  const UniqueFd root = open_file(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  UniqueFd pin = open_file(root.get(), ".lxc_keep", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  check(::unlinkat(root.get(), ".lxc_keep", 0), formatted("cannot remove '{}/.lxc_keep'", directory));
  return pin;
}

void take_attributes(int mount_fd, int covered_fd) {
  struct statfs file_system {};
  check(::fstatfs(mount_fd, &file_system), "cannot look at the volume's file system");
  if ((file_system.f_flags & ST_RDONLY) != 0) return;
  const struct stat covered = attributes_at(covered_fd);
  const struct stat top = attributes_at(mount_fd);
  if (covered.st_uid == top.st_uid && covered.st_gid == top.st_gid && covered.st_mode == top.st_mode) return;
  set_attributes_at(open_file(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get(), covered);
}

std::function<void()> remember_attributes(int mount_fd) {
  const auto top = std::make_shared<UniqueFd>(open_file(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const struct stat before = attributes_at(mount_fd);
  return [top, before] {
    const struct stat now = attributes_at(top->get());
    if (now.st_uid == before.st_uid && now.st_gid == before.st_gid && now.st_mode == before.st_mode) return;
    set_attributes_at(top->get(), before);
  };
}

OpenedVolume mount_below(const VolumeSpec& volume, int id_map_fd, const std::string& rootfs, uid_t owner,
                         gid_t group) {
  try {
    const UniqueFd root = open_file(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY);
    UniqueFd target;
    {
      const FsIdentity inner_root(owner, group);
      target = make_directories_inside(root.get(), volume.target);
    }
    OpenedVolume opened = open_volume(volume, id_map_fd);
    if (volume.keep_attributes) take_attributes(opened.mount.get(), target.get());
    attach_mount(opened.mount.get(), target.get(), "");
    opened.mount.reset();
    return opened;
  } catch (const Error& error) {
    throw error.with_origin(volume.origin);
  }
}

UniqueFd open_bind_source(const MountSpec& mount, int id_map_fd) {
  const std::string path = mount.source.starts_with('/') ? mount.source : "/" + mount.source;
  const UniqueFd source = open_file(AT_FDCWD, path, O_PATH);
  UniqueFd tree = clone_mount(source.get(), "", mount.recursive);
  if ((mount.attributes_set | mount.attributes_clear) != 0) {
    set_mount_attributes(tree.get(), mount.attributes_set, mount.attributes_clear, mount.recursive);
  }
  if (id_map_fd >= 0) set_mount_id_map(tree.get(), id_map_fd, mount.recursive);
  return tree;
}

UniqueFd open_id_map_namespace(const std::string& path, const Origin& origin) {
  try {
    UniqueFd descriptor = open_file(AT_FDCWD, path, O_RDONLY);
    const int type = ::ioctl(descriptor.get(), NS_GET_NSTYPE);
    if (type != CLONE_NEWUSER) throw Error(formatted("'{}' is not a user namespace", path), EINVAL);
    return descriptor;
  } catch (const Error& error) {
    throw error.with_origin(origin).with_hint("name one like /proc/<pid>/ns/user");
  }
}

}  // namespace hutch
