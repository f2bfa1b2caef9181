#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/format.h"
#include "base/syscalls.h"

namespace hutch {

namespace {

std::uint64_t resolve_flags(Resolve resolve) {
  switch (resolve) {
    case Resolve::host: return 0;
    case Resolve::host_no_symlinks: return RESOLVE_NO_SYMLINKS;
    case Resolve::in_root: return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    case Resolve::no_symlinks: return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  }
  return RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
}

int open_raw(int dirfd, const std::string& path, int flags, mode_t mode, Resolve resolve) {
  if (resolve == Resolve::host) return ::openat(dirfd, path.c_str(), flags | O_CLOEXEC, mode);
  // openat2(2): EAGAIN means that a rename or mount raced with the walk, "try again"; but a guest that
  // renames without end must not hold the host up.
  int fd = -1;
  for (int attempt = 0; attempt < 100; ++attempt) {
    fd = sys::openat2(dirfd, path.c_str(), static_cast<std::uint64_t>(flags | O_CLOEXEC), mode,
                      resolve_flags(resolve));
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return fd;
}

const char* verb(int flags) {
  if ((flags & O_CREAT) != 0) return "create";
  return (flags & O_ACCMODE) == O_RDONLY ? "open" : "write";
}

// The directory part and the last component; the directory part is "." when there is none.
std::pair<std::string, std::string> split_path(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  if (slash == 0) return {"/", path.substr(1)};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

UniqueFd open_file(int dirfd, const std::string& path, int flags, mode_t mode, Resolve resolve) {
  const int fd = open_raw(dirfd, path, flags, mode, resolve);
  if (fd < 0) {
    const int saved = errno;
    throw Error(formatted("cannot {} '{}'", verb(flags), path), saved,
                saved == ELOOP && (resolve == Resolve::no_symlinks || resolve == Resolve::host_no_symlinks)
                    ? "a symlink on this path is not followed"
                    : "");
  }
  return UniqueFd(fd);
}

std::optional<UniqueFd> open_if_exists(int dirfd, const std::string& path, int flags, Resolve resolve) {
  const int fd = open_raw(dirfd, path, flags, 0, resolve);
  if (fd >= 0) return UniqueFd(fd);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw_errno(formatted("cannot {} '{}'", verb(flags), path));
}

std::string read_fd(int fd, std::string_view what, std::size_t limit) {
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(formatted("cannot read '{}'", what));
    if (count == 0) return content;
    content.append(buffer, static_cast<std::size_t>(count));
    if (content.size() > limit) throw Error(formatted("cannot read '{}'", what), EFBIG);
  }
}

namespace {

// Reads what an O_PATH descriptor stands for. Opening a pipe or a device that stands in the place of a
// file would hang or have effects, so only a regular file is opened.
std::string read_located(const UniqueFd& located, const std::string& path) {
  struct stat status {};
  check(::fstat(located.get(), &status), formatted("cannot stat '{}'", path));
  if (S_ISDIR(status.st_mode)) throw Error(formatted("cannot read '{}'", path), EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw Error(formatted("cannot read '{}'", path), EINVAL, "it is not a regular file");
  }
  const std::string link = formatted("/proc/self/fd/{}", located.get());
  const UniqueFd fd(::open(link.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  if (!fd) throw_errno(formatted("cannot open '{}'", path));
  return read_fd(fd.get(), path);
}

}  // namespace

std::string read_file(int dirfd, const std::string& path, Resolve resolve) {
  if (resolve != Resolve::host) return read_located(open_file(dirfd, path, O_PATH, 0, resolve), path);
  return read_fd(open_file(dirfd, path, O_RDONLY | O_NOCTTY).get(), path);
}

std::optional<std::string> read_file_if_exists(int dirfd, const std::string& path, Resolve resolve) {
  const bool guest = resolve != Resolve::host;
  try {
    const auto fd = open_if_exists(dirfd, path, guest ? O_PATH : O_RDONLY | O_NOCTTY, resolve);
    if (!fd) return std::nullopt;
    return guest ? read_located(*fd, path) : read_fd(fd->get(), path);
  } catch (const Error& error) {
    if (error.error_number() == ESRCH || error.error_number() == ENODEV) return std::nullopt;
    throw;
  }
}

std::string read_regular_file(const std::string& path) {
  return read_located(open_file(AT_FDCWD, path, O_PATH), path);
}

void write_fd(int fd, std::string_view content, std::string_view what) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(formatted("cannot write '{}'", what));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

void write_kernel_file(int dirfd, const std::string& path, std::string_view value) {
  write_at_once(open_file(dirfd, path, O_WRONLY).get(), value, path);
}

void write_at_once(int fd, std::string_view value, std::string_view what) {
  const ssize_t count = ::write(fd, value.data(), value.size());
  if (count < 0) throw_errno(formatted("cannot write '{}' to '{}'", value, what));
  if (static_cast<std::size_t>(count) != value.size()) {
    throw Error(formatted("cannot write '{}' to '{}'", value, what), EIO);
  }
}

void replace_file(int dirfd, const std::string& path, std::string_view content, mode_t mode,
                  std::optional<Owner> owner, Resolve resolve) {
  const auto [directory_path, name] = split_path(path);
  const UniqueFd directory = open_file(dirfd, directory_path, O_RDONLY | O_DIRECTORY, 0, resolve);
  const std::string temporary = formatted(".{}.tmp.{}", name, ::getpid());
  // A leftover of an earlier process with our pid must not stop us, nor be followed.
  if (::unlinkat(directory.get(), temporary.c_str(), 0) < 0 && errno != ENOENT) {
    throw_errno(formatted("cannot remove '{}/{}'", directory_path, temporary));
  }
  try {
    UniqueFd file = open_file(directory.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    write_fd(file.get(), content, path);
    if (owner)
      check(::fchown(file.get(), owner->uid, owner->gid), formatted("cannot change the owner of '{}'", path));
    check(::fchmod(file.get(), mode), formatted("cannot change the mode of '{}'", path));
    check(::fsync(file.get()), formatted("cannot write '{}'", path));
    check(::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()),
          formatted("cannot replace '{}'", path));
  } catch (...) {
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    throw;
  }
  check(::fsync(directory.get()), formatted("cannot write directory '{}'", directory_path));
}

void write_output_file(const std::string& path, std::string_view content, mode_t mode) {
  check_output_file(path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    write_fd(open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode).get(), content, path);
  } else {
    replace_file(AT_FDCWD, path, content, mode);
  }
}

void check_output_file(const std::string& path) {
  const std::string action = formatted("cannot write '{}'", path);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) throw Error(action, EISDIR);
    check(::access(path.c_str(), W_OK), action);
  } else if (errno != ENOENT) {
    throw_errno(action);
  } else {
    check(::access(split_path(path).first.c_str(), W_OK), action);
  }
}

namespace {

// Creates one directory; false when its parent is missing.
bool make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return true;
  const int failure = errno;
  if (failure == ENOENT) return false;
  struct stat status {};
  if (failure == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return true;
  throw Error(formatted("cannot create directory '{}'", path), failure);
}

}  // namespace

void make_directories(const std::string& path, mode_t mode) {
  if (path.empty() || path == "/" || make_directory(path, mode)) return;
  make_directories(split_path(path).first, mode);
  if (!make_directory(path, mode)) throw Error(formatted("cannot create directory '{}'", path), ENOENT);
}

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

std::vector<std::string> list_directory(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) {
    if (errno == ENOENT) return {};
    throw_errno(formatted("cannot list '{}'", path));
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw_errno(formatted("cannot list '{}'", path));
  std::sort(names.begin(), names.end());
  return names;
}

bool path_exists(int dirfd, const std::string& path) {
  struct stat status {};
  if (::fstatat(dirfd, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno(formatted("cannot stat '{}'", path));
}

}  // namespace hutch
