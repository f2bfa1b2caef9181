#include "guest/guest_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/syscalls.h"

namespace hutch::guest {

namespace {

constexpr std::uint64_t kInRoot = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
// A guest that renames in a loop can make every walk fail with EAGAIN (openat2(2)); it must not hold us for
// ever.
constexpr int kWalkTries = 1000;
constexpr std::size_t kListLimit = 65536;

int open_in_root(int rootfs, const std::string& path, std::uint64_t flags) {
  for (int tries = 1;; ++tries) {
    const int fd = sys::openat2(rootfs, path.c_str(), flags | O_CLOEXEC, 0, kInRoot);
    if (fd >= 0 || errno != EAGAIN || tries == kWalkTries) return fd;
  }
}

// ELOOP: a symlink loop, a chain longer than the kernel follows, or a magic link. Like a dangling link it
// leads nowhere.
bool leads_nowhere(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

struct stat status_of(int fd, const std::string& path) {
  struct stat status {};
  check(::fstat(fd, &status), formatted("cannot stat '{}' in the container", path));
  return status;
}

// Opens what an O_PATH descriptor holds: the very file that was checked, not what the name means by now.
UniqueFd reopen(int path_fd, const std::string& path, int flags) {
  const std::string link = formatted("/proc/self/fd/{}", path_fd);
  const int fd = ::open(link.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) throw_errno(formatted("cannot open '{}' in the container", path));
  return UniqueFd(fd);
}

std::string read_some(int fd, const std::string& path, std::size_t count) {
  std::string content(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::pread(fd, content.data() + filled, count - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(formatted("cannot read '{}' in the container", path));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

std::string read_link_fd(int fd, const char* name, const std::string& path) {
  char text[4096];
  const ssize_t length = ::readlinkat(fd, name, text, sizeof text);
  if (length < 0) throw_errno(formatted("cannot read the symlink '{}' in the container", path));
  return std::string(text, static_cast<std::size_t>(length));
}

void set_owner(int fd, const struct stat& status, Owner owner, const std::string& path) {
  if (status.st_uid == owner.uid && status.st_gid == owner.gid) return;
  check(::fchown(fd, owner.uid, owner.gid),
        formatted("cannot change the owner of '{}' in the container", path));
}

}  // namespace

struct GuestRoot::Place {
  UniqueFd directory;
  std::string name;
  std::string path;

  std::string temporary() const { return formatted("{}.tmp.{}", name, ::getpid()); }
  // Removes what lies under the temporary name: ours after a failure, or an earlier process's with our pid.
  void clear_temporary() const {
    if (::unlinkat(directory.get(), temporary().c_str(), 0) < 0 && errno != ENOENT) {
      throw_errno(formatted("cannot remove '{}.tmp.{}' in the container", path, ::getpid()));
    }
  }
  void rename_temporary() const {
    check(::renameat(directory.get(), temporary().c_str(), directory.get(), name.c_str()),
          formatted("cannot replace '{}' in the container", path));
  }
};

std::optional<UniqueFd> GuestRoot::look_up(const std::string& path, std::uint64_t flags) const {
  const int fd = open_in_root(rootfs_, path, O_PATH | flags);
  if (fd >= 0) return UniqueFd(fd);
  if (leads_nowhere(errno)) return std::nullopt;
  throw_errno(formatted("cannot look up '{}' in the container", path));
}

bool GuestRoot::is_regular(const std::string& path) const {
  const auto fd = look_up(path);
  return fd && S_ISREG(status_of(fd->get(), path).st_mode);
}

bool GuestRoot::is_directory(const std::string& path) const {
  return look_up(path, O_DIRECTORY).has_value();
}

bool GuestRoot::is_executable(const std::string& path) const {
  const auto fd = look_up(path);
  if (!fd) return false;
  const struct stat status = status_of(fd->get(), path);
  return S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

std::optional<mode_t> GuestRoot::type_of(const std::string& path) const {
  const auto fd = look_up(path, O_NOFOLLOW);
  if (!fd) return std::nullopt;
  return status_of(fd->get(), path).st_mode & S_IFMT;
}

std::optional<std::string> GuestRoot::read_link(const std::string& path) const {
  const auto fd = look_up(path, O_NOFOLLOW);
  if (!fd || !S_ISLNK(status_of(fd->get(), path).st_mode)) return std::nullopt;
  return read_link_fd(fd->get(), "", path);
}

std::optional<std::string> GuestRoot::resolved_path(const std::string& path) const {
  const auto fd = look_up(path);
  if (!fd) return std::nullopt;
  return read_link_fd(AT_FDCWD, formatted("/proc/self/fd/{}", fd->get()).c_str(), path);
}

std::optional<UniqueFd> GuestRoot::open_regular(const std::string& path) const {
  const auto fd = look_up(path);
  if (!fd || !S_ISREG(status_of(fd->get(), path).st_mode)) return std::nullopt;
  return reopen(fd->get(), path, O_RDONLY);
}

std::optional<std::string> GuestRoot::read(const std::string& path, std::size_t limit) const {
  const auto fd = open_regular(path);
  if (!fd) return std::nullopt;
  // A sparse file can claim any size: nothing of it is read then.
  if (status_of(fd->get(), path).st_size > static_cast<off_t>(limit)) {
    throw Error(formatted("cannot read '{}' in the container", path), EFBIG,
                formatted("files read at setup may have {} bytes at most", limit));
  }
  return read_fd(fd->get(), path, limit);
}

std::optional<std::string> GuestRoot::read_start(const std::string& path, std::size_t count) const {
  const auto fd = open_regular(path);
  if (!fd) return std::nullopt;
  return read_some(fd->get(), path, count);
}

std::vector<std::string> GuestRoot::list(const std::string& path) const {
  struct CloseDir {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  const auto fd = look_up(path, O_DIRECTORY);
  if (!fd) return {};
  UniqueFd readable = reopen(fd->get(), path, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, CloseDir> directory(::fdopendir(readable.get()));
  if (!directory) throw_errno(formatted("cannot list '{}' in the container", path));
  readable.release();  // owned by `directory` now
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    if (names.size() > kListLimit) throw Error(formatted("cannot list '{}' in the container", path), E2BIG);
    errno = 0;
  }
  if (errno != 0) throw_errno(formatted("cannot list '{}' in the container", path));
  std::sort(names.begin(), names.end());
  return names;
}

GuestRoot::Place GuestRoot::parent_of(const std::string& path) const {
  const auto slash = path.rfind('/');
  Place place;
  place.path = path;
  place.name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (place.name.empty() || place.name == "." || place.name == "..") {
    throw Error(formatted("'{}' does not name a file in the container", path), EINVAL);
  }
  const std::string parent = slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
  const int fd = open_in_root(rootfs_, parent, O_PATH | O_DIRECTORY);
  if (fd < 0) throw_errno(formatted("cannot open the directory '{}' in the container", parent));
  place.directory.reset(fd);
  return place;
}

bool GuestRoot::ignored(const Place& place) const {
  const std::string mark = ".pve-ignore." + place.name;
  struct stat status {};
  if (::fstatat(place.directory.get(), mark.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return false;
    throw_errno(formatted("cannot stat '{}' beside '{}' in the container", mark, place.path));
  }
  if (!S_ISLNK(status.st_mode)) return S_ISREG(status.st_mode);
  const auto slash = place.path.rfind('/');
  return is_regular((slash == std::string::npos ? "/" : place.path.substr(0, slash + 1)) + mark);
}

bool GuestRoot::ignored(const std::string& path) const {
  try {
    return ignored(parent_of(path));
  } catch (const Error& failed) {
    if (leads_nowhere(failed.error_number())) return false;
    throw;
  }
}

void GuestRoot::replace(const Place& place, std::string_view content, mode_t mode, Owner owner) const {
  const UniqueFd existing(
      ::openat(place.directory.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!existing && errno != ENOENT)
    throw_errno(formatted("cannot look up '{}' in the container", place.path));
  if (existing) {
    const struct stat status = status_of(existing.get(), place.path);
    if (S_ISREG(status.st_mode) && status.st_nlink == 1 && (status.st_mode & 07777) == mode &&
        status.st_uid == owner.uid && status.st_gid == owner.gid &&
        status.st_size == static_cast<off_t>(content.size())) {
      const UniqueFd readable = reopen(existing.get(), place.path, O_RDONLY);
      if (read_some(readable.get(), place.path, content.size() + 1) == content) return;
    }
  }
  place.clear_temporary();
  UniqueFd file(::openat(place.directory.get(), place.temporary().c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) throw_errno(formatted("cannot create '{}.tmp.{}' in the container", place.path, ::getpid()));
  try {
    write_fd(file.get(), content, place.path);
    set_owner(file.get(), status_of(file.get(), place.path), owner, place.path);
    check(::fchmod(file.get(), mode),
          formatted("cannot change the mode of '{}' in the container", place.path));
    place.rename_temporary();
  } catch (...) {
    ::unlinkat(place.directory.get(), place.temporary().c_str(), 0);
    throw;
  }
}

void GuestRoot::write(const std::string& path, std::string_view content, mode_t mode) const {
  const Place place = parent_of(path);
  if (ignored(place)) return;
  replace(place, content, mode, owner_);
}

void GuestRoot::write_keeping_owner(const std::string& path, std::string_view content) const {
  const Place place = parent_of(path);
  if (ignored(place)) return;
  const auto fd = look_up(path);
  if (!fd) throw Error(formatted("cannot write '{}' in the container", path), ENOENT);
  const struct stat status = status_of(fd->get(), path);
  // 0777: a file of ours never needs set-id bits, and a template's must not gain meaning by our content.
  replace(place, content, status.st_mode & 0777, Owner{status.st_uid, status.st_gid});
}

void GuestRoot::symlink(const std::string& text, const std::string& path) const {
  const Place place = parent_of(path);
  if (ignored(place)) return;
  const UniqueFd existing(
      ::openat(place.directory.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!existing && errno != ENOENT) throw_errno(formatted("cannot look up '{}' in the container", path));
  if (existing) {
    const struct stat status = status_of(existing.get(), path);
    if (S_ISLNK(status.st_mode) && status.st_uid == owner_.uid && status.st_gid == owner_.gid &&
        read_link_fd(existing.get(), "", path) == text) {
      return;
    }
  }
  place.clear_temporary();
  const std::string temporary = place.temporary();
  check(::symlinkat(text.c_str(), place.directory.get(), temporary.c_str()),
        formatted("cannot create the symlink '{}' in the container", path));
  try {
    struct stat status {};
    check(::fstatat(place.directory.get(), temporary.c_str(), &status, AT_SYMLINK_NOFOLLOW),
          formatted("cannot stat '{}' in the container", path));
    if (status.st_uid != owner_.uid || status.st_gid != owner_.gid) {
      check(::fchownat(place.directory.get(), temporary.c_str(), owner_.uid, owner_.gid, AT_SYMLINK_NOFOLLOW),
            formatted("cannot change the owner of '{}' in the container", path));
    }
    place.rename_temporary();
  } catch (...) {
    ::unlinkat(place.directory.get(), temporary.c_str(), 0);
    throw;
  }
}

void GuestRoot::remove(const std::string& path) const {
  // A missing directory means a missing file; found out first because it is the common case at a start.
  if (!look_up(path, O_NOFOLLOW)) return;
  const Place place = parent_of(path);
  if (ignored(place)) return;
  if (::unlinkat(place.directory.get(), place.name.c_str(), 0) < 0 && errno != ENOENT) {
    throw_errno(formatted("cannot remove '{}' in the container", path));
  }
}

void GuestRoot::make_directories(const std::string& path, mode_t mode) const {
  if (path.empty() || path == "/" || is_directory(path)) return;
  const auto slash = path.rfind('/');
  if (slash != std::string::npos) make_directories(path.substr(0, slash), mode);
  const Place place = parent_of(path);
  check(::mkdirat(place.directory.get(), place.name.c_str(), 0700),
        formatted("cannot create the directory '{}' in the container", path));
  const UniqueFd made(
      ::openat(place.directory.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made) throw_errno(formatted("cannot open the directory '{}' in the container", path));
  set_owner(made.get(), status_of(made.get(), path), owner_, path);
  check(::fchmod(made.get(), mode), formatted("cannot change the mode of '{}' in the container", path));
}

}  // namespace hutch::guest
