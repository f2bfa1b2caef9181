#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/unique_fd.h"

namespace hutch::guest {

// The files of a mounted rootfs, seen as the guest sees them: every path is the guest's ("/etc/hosts"), and
// "..", absolute and relative symlinks end inside the rootfs (openat2(2) RESOLVE_IN_ROOT, no magic links),
// also while a running guest renames things under our hands. Nothing in there is trusted:
//   * only regular files are ever opened for data; anything else is looked at through O_PATH, so that no FIFO
//     blocks and no device driver runs its open function;
//   * reads have a limit;
//   * a new file is made under a temporary name with O_EXCL and renamed, so a symlink is replaced, never
//     written through, and a hard link is cut off;
//   * what is written belongs to the container's root.
// Nothing is fsync'ed: a start must not wait for the disk, and whatever a power cut loses is written again by
// the next start. (Create ends with the storage's own sync of the volume where it has one.)
//
// `.pve-ignore.<name>`: where a regular file of that name lies beside <name>, <name> is never written,
// modified, removed, chowned, renamed over, or made a symlink; such calls do nothing.
class GuestRoot {
 public:
  static constexpr std::size_t kReadLimit = 16U << 20;  // bytes; larger files are an error (EFBIG)

  // `rootfs` is an open directory (O_PATH suffices), borrowed: it must outlive this object. `owner`: the ids
  // that are the container's root on the file system behind `rootfs` (0:0 for a privileged container and for
  // an id-mapped mount seen from its mapped side).
  GuestRoot(int rootfs, Owner owner) : rootfs_(rootfs), owner_(owner) {}

  int fd() const { return rootfs_; }
  Owner owner() const { return owner_; }

  // What the path leads to after following symlinks. Missing, dangling and looping all give false.
  bool is_regular(const std::string& path) const;
  bool is_directory(const std::string& path) const;
  bool is_executable(const std::string& path) const;  // a regular file with any x bit
  // What the last component itself is, symlinks not followed; nothing when missing.
  std::optional<mode_t> type_of(const std::string& path) const;  // S_IFREG, S_IFLNK ...
  // A symlink's text; nothing when the path is missing or no symlink.
  std::optional<std::string> read_link(const std::string& path) const;
  // The path after following every symlink, as the host's kernel shows it (only its end is meaningful: the
  // front depends on where the rootfs is mounted). Nothing when missing.
  std::optional<std::string> resolved_path(const std::string& path) const;

  // The content of a regular file; nothing when it is missing or no regular file. Throws EFBIG over `limit`.
  std::optional<std::string> read(const std::string& path, std::size_t limit = kReadLimit) const;
  // The first `count` bytes (fewer at end-of-file), whatever the file's size.
  std::optional<std::string> read_start(const std::string& path, std::size_t count) const;
  // An open regular file for reading, with O_NONBLOCK; nothing when missing or no regular file.
  std::optional<UniqueFd> open_regular(const std::string& path) const;
  // Names in a directory without "." and "..", sorted; empty when it is missing. Throws when there are more
  // than 65536 (a trap, not a directory of settings).
  std::vector<std::string> list(const std::string& path) const;

  bool ignored(const std::string& path) const;

  // Makes `path` a regular file with this content, mode and the container's root as owner, by
  // `<path>.tmp.<pid>` and rename(2). Leaves it alone when all of that already holds. The directory must
  // exist (ENOENT). Throws EISDIR or EBUSY where a directory or a mount point is in the place.
  void write(const std::string& path, std::string_view content, mode_t mode = 0644) const;
  // Same, keeping owner and mode of the file that is there (passwd, shadow); it must exist.
  void write_keeping_owner(const std::string& path, std::string_view content) const;
  // Makes `path` a symlink with this text, replacing files and other symlinks atomically.
  void symlink(const std::string& text, const std::string& path) const;
  // unlink(2); a missing file is fine.
  void remove(const std::string& path) const;
  // mkdir -p; new directories get `mode` and the container's root as owner. Existing ones stay as they are.
  void make_directories(const std::string& path, mode_t mode = 0755) const;

 private:
  struct Place;  // an open parent directory and a name in it
  Place parent_of(const std::string& path) const;
  bool ignored(const Place& place) const;
  void replace(const Place& place, std::string_view content, mode_t mode, Owner owner) const;
  // O_PATH descriptor; nothing when missing, dangling or looping.
  std::optional<UniqueFd> look_up(const std::string& path, std::uint64_t flags = 0) const;

  int rootfs_;
  Owner owner_;
};

}  // namespace hutch::guest
