#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

// File access relative to a directory descriptor. Errors are thrown as Error naming the path. Every
// descriptor is close-on-exec. `dirfd` may be AT_FDCWD; an absolute path then works as usual.
namespace hutch {

// How the path below `dirfd` is walked (openat2(2)).
enum class Resolve {
  // As the host walks paths. Only for paths that no guest can change.
  host,
  // The same without any symlink on the way (RESOLVE_NO_SYMLINKS): for places of the host's that an
  // administrator names and others could redirect.
  host_no_symlinks,
  // `dirfd` is the root: "..", absolute paths and symlinks stay below it, as after chroot
  // (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). For reading and writing files inside a rootfs.
  in_root,
  // `dirfd` is the root and no component may be a symlink (additionally RESOLVE_NO_SYMLINKS).
  no_symlinks,
};

// open(2) with O_CLOEXEC added. Throws.
UniqueFd open_file(int dirfd, const std::string& path, int flags, mode_t mode = 0,
                   Resolve resolve = Resolve::host);
// The same; nothing when the file does not exist (ENOENT, ENOTDIR). Other errors throw.
std::optional<UniqueFd> open_if_exists(int dirfd, const std::string& path, int flags,
                                       Resolve resolve = Resolve::host);

// Reads to end-of-file. `limit` bytes at most, more is an error (EFBIG).
std::string read_fd(int fd, std::string_view what, std::size_t limit = 64U << 20);
// Below a rootfs (Resolve other than host) only regular files are opened; EINVAL for pipes, devices, sockets.
std::string read_file(int dirfd, const std::string& path, Resolve resolve = Resolve::host);
// The same; nothing when the file does not exist, or when what a kernel's file is about goes meanwhile: a
// process (ESRCH), a control group or a device (ENODEV).
std::optional<std::string> read_file_if_exists(int dirfd, const std::string& path,
                                               Resolve resolve = Resolve::host);
// A file of the host's that somebody names, walked as the host walks paths. Only a regular file is opened:
// EISDIR for a directory, EINVAL for pipes, devices and sockets, which would hang or act.
std::string read_regular_file(const std::string& path);

// Writes everything, repeating short writes.
void write_fd(int fd, std::string_view content, std::string_view what);
// One write(2) into an existing file, for kernel files (cgroup, /proc): a short write is an error.
void write_kernel_file(int dirfd, const std::string& path, std::string_view value);
// The same for one that is open; errors name `what`.
void write_at_once(int fd, std::string_view value, std::string_view what);

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
  bool operator==(const Owner&) const = default;
};

// Replaces (or creates) a file atomically: temporary file in the same directory, fsync, rename, fsync of the
// directory. A symlink in the place of the last component is replaced, not followed. `owner` unset keeps
// the process's ids.
void replace_file(int dirfd, const std::string& path, std::string_view content, mode_t mode,
                  std::optional<Owner> owner = std::nullopt, Resolve resolve = Resolve::host);

// A file that somebody names for output. A regular file, or none, is replaced as above; whatever else has the
// name (a symlink, a pipe, a terminal, /dev/null) is written into, as a shell's `>` does.
void write_output_file(const std::string& path, std::string_view content, mode_t mode);
// Throws what that would throw for the name alone (no such directory, EISDIR, EROFS), and writes nothing: for
// whoever works long before there is something to write.
void check_output_file(const std::string& path);

// mkdir -p. Existing directories are left as they are; EEXIST when something else has the name.
void make_directories(const std::string& path, mode_t mode = 0755);

// Removes a file or a whole directory tree below `dirfd` without following symlinks or crossing into other
// mounts: a mounted directory, also a bind mount of the same file system, is an error (EXDEV or EBUSY) and
// keeps its content. Any depth of nesting costs a handful of descriptors. What is missing, or goes meanwhile,
// is fine.
void remove_tree(int dirfd, const std::string& path);

// The names in a directory without "." and "..", sorted; none when it does not exist. For directories of the
// host's.
std::vector<std::string> list_directory(const std::string& path);

// Whether the path exists (lstat-like; errors other than ENOENT and ENOTDIR throw).
bool path_exists(int dirfd, const std::string& path);

}  // namespace hutch
