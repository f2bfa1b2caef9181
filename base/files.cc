#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/syscalls.h"

namespace hutch {

namespace {

std::uint64_t resolve_flags(Resolve resolve) {
  switch (resolve) {
    case Resolve::host: return 0;
    case Resolve::in_root: return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    case Resolve::no_symlinks: return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  }
  return RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
}

int open_raw(int dirfd, const std::string& path, int flags, mode_t mode, Resolve resolve) {
  if (resolve == Resolve::host) return ::openat(dirfd, path.c_str(), flags | O_CLOEXEC, mode);
  for (;;) {
    const int fd = sys::openat2(dirfd, path.c_str(), static_cast<std::uint64_t>(flags | O_CLOEXEC), mode,
                                resolve_flags(resolve));
    // openat2(2): EAGAIN means that a rename or mount raced with the walk, "try again".
    if (fd >= 0 || errno != EAGAIN) return fd;
  }
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
                saved == ELOOP && resolve == Resolve::no_symlinks ? "a symlink on this path is not followed" : "");
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

std::string read_file(int dirfd, const std::string& path, Resolve resolve) {
  return read_fd(open_file(dirfd, path, O_RDONLY | O_NOCTTY, 0, resolve).get(), path);
}

std::optional<std::string> read_file_if_exists(int dirfd, const std::string& path, Resolve resolve) {
  const auto fd = open_if_exists(dirfd, path, O_RDONLY | O_NOCTTY, resolve);
  if (!fd) return std::nullopt;
  return read_fd(fd->get(), path);
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
  const UniqueFd fd = open_file(dirfd, path, O_WRONLY);
  const ssize_t count = ::write(fd.get(), value.data(), value.size());
  if (count < 0) throw_errno(formatted("cannot write '{}' to '{}'", value, path));
  if (static_cast<std::size_t>(count) != value.size()) {
    throw Error(formatted("cannot write '{}' to '{}'", value, path), EIO);
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
    if (owner) check(::fchown(file.get(), owner->uid, owner->gid), formatted("cannot change the owner of '{}'", path));
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

void make_directories(const std::string& path, mode_t mode) {
  if (path.empty() || path == "/") return;
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return;
  if (errno != ENOENT) throw_errno(formatted("cannot create directory '{}'", path));
  make_directories(split_path(path).first, mode);
  if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) {
    throw_errno(formatted("cannot create directory '{}'", path));
  }
}

namespace {

struct CloseDir {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

void remove_entries(UniqueFd directory_fd, const std::string& shown, dev_t device) {
  const std::unique_ptr<DIR, CloseDir> directory(::fdopendir(directory_fd.get()));
  if (!directory) throw_errno(formatted("cannot list '{}'", shown));
  const int fd = directory_fd.release();  // owned by `directory` now
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw_errno(formatted("cannot list '{}'", shown));
  for (const auto& name : names) {
    if (::unlinkat(fd, name.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) throw_errno(formatted("cannot remove '{}/{}'", shown, name));
    UniqueFd child = open_file(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status {};
    check(::fstat(child.get(), &status), formatted("cannot stat '{}/{}'", shown, name));
    if (status.st_dev != device) {
      throw Error(formatted("cannot remove '{}/{}'", shown, name), EXDEV, "another file system is mounted there");
    }
    remove_entries(std::move(child), shown + "/" + name, device);
    check(::unlinkat(fd, name.c_str(), AT_REMOVEDIR), formatted("cannot remove '{}/{}'", shown, name));
  }
}

}  // namespace

void remove_tree(int dirfd, const std::string& name) {
  if (::unlinkat(dirfd, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw_errno(formatted("cannot remove '{}'", name));
  UniqueFd directory = open_file(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  struct stat status {};
  check(::fstat(directory.get(), &status), formatted("cannot stat '{}'", name));
  remove_entries(std::move(directory), name, status.st_dev);
  check(::unlinkat(dirfd, name.c_str(), AT_REMOVEDIR), formatted("cannot remove '{}'", name));
}

bool path_exists(int dirfd, const std::string& path) {
  struct stat status {};
  if (::fstatat(dirfd, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno(formatted("cannot stat '{}'", path));
}

}  // namespace hutch
