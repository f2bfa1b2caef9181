#include "runtime/volumes.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/loop_device.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/fs_identity.h"

namespace hutch {

namespace {

std::uint64_t attributes_of(const VolumeSpec& volume) {
  return volume.mount_attributes | (volume.read_only ? MOUNT_ATTR_RDONLY : 0U);
}

OpenedVolume open_block_device(const VolumeSpec& volume, const std::string& device, bool plain_too) {
  OpenedVolume opened;
  opened.mount = mount_block_device(device, volume.fs_options, attributes_of(volume));
  if (plain_too) opened.plain = mount_block_device(device, volume.fs_options, attributes_of(volume));
  return opened;
}

OpenedVolume open_directory(const VolumeSpec& volume, bool plain_too) {
  const UniqueFd source = open_file(AT_FDCWD, volume.source, O_PATH | O_DIRECTORY);
  OpenedVolume opened;
  opened.mount = clone_mount(source.get(), "", volume.bind);
  if (attributes_of(volume) != 0)
    set_mount_attributes(opened.mount.get(), attributes_of(volume), 0, volume.bind);
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

UniqueFd mount_rootfs(const VolumeSpec& volume, int id_map_fd, const std::string& path,
                      std::optional<uid_t> expected_owner) {
  make_directories(path);
  OpenedVolume opened = open_volume(volume, id_map_fd);
  if (expected_owner) check_owner(opened.mount.get(), volume, *expected_owner);
  attach_mount(opened.mount.get(), AT_FDCWD, path);
  return std::move(opened.plain);
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

void mount_below(const VolumeSpec& volume, int id_map_fd, const std::string& rootfs, uid_t owner,
                 gid_t group) {
  try {
    const UniqueFd root = open_file(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY);
    UniqueFd target;
    {
      const FsIdentity inner_root(owner, group);
      target = make_directories_inside(root.get(), volume.target);
    }
    const OpenedVolume opened = open_volume(volume, id_map_fd);
    attach_mount(opened.mount.get(), target.get(), "");
  } catch (const Error& error) {
    throw error.with_origin(volume.origin);
  }
}

std::optional<UniqueFd> open_bind_source(const MountSpec& mount, int id_map_fd) {
  const std::string path = mount.source.starts_with('/') ? mount.source : "/" + mount.source;
  try {
    const UniqueFd source = open_file(AT_FDCWD, path, O_PATH);
    UniqueFd tree = clone_mount(source.get(), "", mount.recursive);
    if ((mount.attributes_set | mount.attributes_clear) != 0) {
      set_mount_attributes(tree.get(), mount.attributes_set, mount.attributes_clear, mount.recursive);
    }
    if (mount.id_mapped) set_mount_id_map(tree.get(), id_map_fd, mount.recursive);
    return tree;
  } catch (const Error& error) {
    if (mount.optional) return std::nullopt;
    throw error.with_origin(mount.origin).with_hint("create the source or add the option 'optional'");
  }
}

}  // namespace hutch
