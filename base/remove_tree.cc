#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"

namespace hutch {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// A directory on the way from the top of the tree to where the removal is.
struct Level {
  std::string name;
  ino_t inode;
  std::vector<std::string> subdirectories;  // still to be removed
};

std::string shown_path(const std::vector<Level>& levels, std::string_view name) {
  std::string path;
  for (const Level& level : levels) path += level.name + "/";
  return path + std::string(name);
}

// RESOLVE_NO_XDEV refuses every mount point, also a bind mount of the same file system, which st_dev
// cannot tell apart. Nothing when it is gone.
UniqueFd open_directory(int dirfd, const std::string& name, const std::vector<Level>& levels) {
  const int fd = sys::openat2(dirfd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
                              RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
  if (fd < 0 && errno != ENOENT) {
    const int failure = errno;
    throw Error(formatted("cannot remove '{}'", shown_path(levels, name)), failure,
                failure == EXDEV ? "something is mounted there; unmount it first" : "");
  }
  return UniqueFd(fd);
}

ino_t inode_of(int fd) {
  struct stat status {};
  check(::fstat(fd, &status), "cannot stat a directory that is being removed");
  return status.st_ino;
}

// Removes everything in the directory but its subdirectories, whose names it returns.
std::vector<std::string> remove_files(int fd, const std::vector<Level>& levels) {
  // fdopendir takes its descriptor over.
  UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  const std::unique_ptr<DIR, CloseDirectory> directory(own ? ::fdopendir(own.get()) : nullptr);
  if (!directory) throw_errno(formatted("cannot list '{}'", shown_path(levels, "")));
  own.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  // ENOENT: it is gone itself.
  if (errno != 0 && errno != ENOENT) throw_errno(formatted("cannot list '{}'", shown_path(levels, "")));
  std::erase_if(names, [&](const std::string& name) {
    if (::unlinkat(fd, name.c_str(), 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR) throw_errno(formatted("cannot remove '{}'", shown_path(levels, name)));
    return false;
  });
  return names;
}

void remove_directory(int parent, const std::string& name, const std::string& shown) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return;
  throw_errno(formatted("cannot remove '{}'", shown));
}

// Empties the directory. The way back up goes by "..", so that a guest's nesting, which nothing limits,
// costs neither descriptors nor stack.
void remove_entries(UniqueFd directory, const std::string& top) {
  std::vector<Level> levels;
  levels.push_back({top, inode_of(directory.get()), {}});
  levels.back().subdirectories = remove_files(directory.get(), levels);
  for (;;) {
    if (!levels.back().subdirectories.empty()) {
      std::string name = std::move(levels.back().subdirectories.back());
      levels.back().subdirectories.pop_back();
      UniqueFd inner = open_directory(directory.get(), name, levels);
      if (!inner) continue;
      directory = std::move(inner);
      levels.push_back({std::move(name), inode_of(directory.get()), {}});
      levels.back().subdirectories = remove_files(directory.get(), levels);
      continue;
    }
    const std::string done = std::move(levels.back().name);
    levels.pop_back();
    if (levels.empty()) return;
    directory = open_directory(directory.get(), "..", levels);
    if (!directory) return;  // somebody else is further
    if (inode_of(directory.get()) != levels.back().inode) {
      throw Error(formatted("cannot remove '{}': it was moved meanwhile", shown_path(levels, done)), ESTALE);
    }
    remove_directory(directory.get(), done, shown_path(levels, done));
  }
}

}  // namespace

void remove_tree(int dirfd, const std::string& path) {
  if (::unlinkat(dirfd, path.c_str(), 0) == 0 || errno == ENOENT) return;
  // unlink(2): EISDIR for directories; EPERM on Linux means immutable or append-only.
  if (errno != EISDIR) throw_errno(formatted("cannot remove '{}'", path));
  std::string_view trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.remove_suffix(1);
  const auto slash = trimmed.rfind('/');
  const std::string name(trimmed.substr(slash == std::string_view::npos ? 0 : slash + 1));
  const std::string parent_path(slash == std::string_view::npos ? "." : trimmed.substr(0, slash + 1));
  const UniqueFd parent = open_file(dirfd, parent_path, O_PATH | O_DIRECTORY);
  UniqueFd top = open_directory(parent.get(), name, {});
  if (!top) return;
  remove_entries(std::move(top), path);
  remove_directory(parent.get(), name, path);
}

}  // namespace hutch
