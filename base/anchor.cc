#include "base/anchor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch {

Anchor::Anchor(std::string directory)
    : prefix_(std::move(directory)), fd_(open_file(AT_FDCWD, prefix_, O_PATH | O_DIRECTORY)) {
  if (!prefix_.ends_with('/')) prefix_ += '/';
}

Anchor::Walk Anchor::walk(const std::string& path) const {
  // With a second slash the rest would be an absolute path.
  const bool below = path.starts_with(prefix_) && path.size() > prefix_.size() && path[prefix_.size()] != '/';
  if (!below) return {AT_FDCWD, path.c_str()};
  return {fd_.get(), path.c_str() + prefix_.size()};
}

UniqueFd Anchor::open(const std::string& path, int flags) const {
  const auto [dirfd, below] = walk(path);
  UniqueFd fd(::openat(dirfd, below, flags | O_CLOEXEC));
  if (fd) return fd;
  throw_errno(formatted("cannot {} '{}'", (flags & O_ACCMODE) == O_RDONLY ? "open" : "write", path));
}

bool Anchor::exists(const std::string& path) const {
  struct stat status {};
  const auto [dirfd, below] = walk(path);
  if (::fstatat(dirfd, below, &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno(formatted("cannot stat '{}'", path));
}

std::string Anchor::read(const std::string& path) const {
  return read_fd(open(path, O_RDONLY | O_NOCTTY).get(), path);
}

void Anchor::write(const std::string& path, std::string_view value) const {
  write_at_once(open(path, O_WRONLY).get(), value, path);
}

bool Anchor::make_directory(const std::string& path, mode_t mode) const {
  const auto [dirfd, below] = walk(path);
  return ::mkdirat(dirfd, below, mode) == 0;
}

}  // namespace hutch
