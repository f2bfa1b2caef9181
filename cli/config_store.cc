#include "cli/config_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cli {

namespace {

std::string host_node() {
  char name[256] = {};
  check(::gethostname(name, sizeof name - 1), "cannot get the host name");
  const std::string node(std::string_view(name).substr(0, std::string_view(name).find('.')));
  // The name becomes a directory.
  if (node.empty() || node.find('/') != std::string::npos) {
    throw Error(formatted("cannot use the host name '{}' as node name", name), 0,
                "set a host name with hostname(1)");
  }
  return node;
}

void make_link(const std::string& target, const std::string& path) {
  if (::symlink(target.c_str(), path.c_str()) < 0 && errno != EEXIST) {
    throw_errno(formatted("cannot create link '{}'", path));
  }
}

// What this process holds: the descriptor and how often it was asked for, by lock file.
struct HeldLock {
  UniqueFd fd;
  int count = 0;
};

std::map<std::string, HeldLock>& held_locks() {
  static std::map<std::string, HeldLock> locks;
  return locks;
}

UniqueFd open_lock_file(const std::string& path) {
  make_directories(path.substr(0, path.rfind('/')));
  return open_file(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
}

// Whether the lock was taken; false when somebody else has it.
bool try_lock_file(int fd, const std::string& path) {
  while (::flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw_errno(formatted("can't lock file '{}'", path));
  }
  return true;
}

void wait_for_lock(int fd, const std::string& path, std::FILE* notices, std::chrono::milliseconds timeout) {
  if (try_lock_file(fd, path)) return;
  std::fputs("trying to acquire lock...", notices);
  std::fflush(notices);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // flock(2) has no timeout; a signal would be needed to break a blocking call, and signals are process-wide.
  while (std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!try_lock_file(fd, path)) continue;
    std::fputs(" OK\n", notices);
    return;
  }
  std::fputs(" failed\n", notices);
  throw Error(formatted("can't lock file '{}' - got timeout", path), 0,
              "another command works on the container; try again when it has ended");
}

}  // namespace

ConfigFileLock::ConfigFileLock(ConfigFileLock&& other) noexcept : path_(std::exchange(other.path_, {})) {}

ConfigFileLock& ConfigFileLock::operator=(ConfigFileLock&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

ConfigFileLock::~ConfigFileLock() {
  release();
}

void ConfigFileLock::release() {
  if (path_.empty()) return;
  const auto held = held_locks().find(path_);
  if (held != held_locks().end() && --held->second.count == 0) held_locks().erase(held);
  path_.clear();
}

ConfigStore::ConfigStore(Sysroot sysroot) : sysroot_(std::move(sysroot)), node_(host_node()) {}

std::string ConfigStore::directory() const {
  return sysroot_.path(formatted("etc/pve/nodes/{}/lxc", node_));
}

std::string ConfigStore::path(std::uint32_t vmid) const {
  return formatted("{}/{}.conf", directory(), vmid);
}

std::string ConfigStore::display_path(std::uint32_t vmid) const {
  return formatted("nodes/{}/lxc/{}.conf", node_, vmid);
}

std::vector<std::uint32_t> ConfigStore::list() const {
  std::vector<std::uint32_t> vmids;
  for (const auto& name : list_directory(directory())) {
    if (!name.ends_with(".conf")) continue;
    const std::string_view digits = std::string_view(name).substr(0, name.size() - 5);
    const auto number = parse_unsigned(digits);
    if (number && *number >= 100 && *number <= 999999999 && digits[0] != '0') {
      vmids.push_back(static_cast<std::uint32_t>(*number));
    }
  }
  std::sort(vmids.begin(), vmids.end());
  return vmids;
}

bool ConfigStore::exists(std::uint32_t vmid) const {
  return path_exists(AT_FDCWD, path(vmid));
}

std::optional<std::string> ConfigStore::node_of(std::uint32_t vmid) const {
  if (exists(vmid)) return node_;
  const std::string nodes = sysroot_.path("etc/pve/nodes");
  for (const auto& node : list_directory(nodes)) {
    if (path_exists(AT_FDCWD, formatted("{}/{}/lxc/{}.conf", nodes, node, vmid))) return node;
  }
  return std::nullopt;
}

std::string ConfigStore::read(std::uint32_t vmid) const {
  auto text = read_if_exists(vmid);
  if (!text)
    throw Error(formatted("Configuration file '{}' does not exist", display_path(vmid)), ENOENT,
                "'pct list' shows the containers of this host");
  return std::move(*text);
}

std::optional<std::string> ConfigStore::read_if_exists(std::uint32_t vmid) const {
  return read_file_if_exists(AT_FDCWD, path(vmid));
}

void ConfigStore::make_layout() const {
  make_directories(directory());
  // Relative, so that the tree may be moved or looked at from another root.
  make_link("nodes/" + node_, sysroot_.path("etc/pve/local"));
  make_link("nodes/" + node_ + "/lxc", sysroot_.path("etc/pve/lxc"));
}

void ConfigStore::write(std::uint32_t vmid, const std::string& text) const {
  make_layout();
  replace_file(AT_FDCWD, path(vmid), text, 0640);
}

void ConfigStore::create(std::uint32_t vmid, const std::string& text) const {
  make_layout();
  // Reserves the name first: a replace alone could not tell whether it replaced somebody else's file.
  open_file(AT_FDCWD, path(vmid), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
  try {
    write(vmid, text);
  } catch (...) {
    ::unlink(path(vmid).c_str());
    throw;
  }
}

void ConfigStore::remove(std::uint32_t vmid) const {
  if (::unlink(path(vmid).c_str()) < 0 && errno != ENOENT) {
    throw_errno(formatted("cannot remove '{}'", path(vmid)));
  }
}

std::string ConfigStore::lock_file(std::uint32_t vmid) const {
  return sysroot_.path(formatted("run/lock/lxc/pve-config-{}.lock", vmid));
}

ConfigFileLock ConfigStore::lock(std::uint32_t vmid, std::FILE* notices,
                                 std::chrono::milliseconds timeout) const {
  const std::string file = lock_file(vmid);
  HeldLock& held = held_locks()[file];
  if (held.count == 0) {
    try {
      held.fd = open_lock_file(file);
      wait_for_lock(held.fd.get(), file, notices, timeout);
    } catch (...) {
      held_locks().erase(file);
      throw;
    }
  }
  ++held.count;
  return ConfigFileLock(file);
}

std::optional<ConfigFileLock> ConfigStore::try_lock(std::uint32_t vmid) const {
  const std::string file = lock_file(vmid);
  HeldLock& held = held_locks()[file];
  if (held.count == 0) {
    held.fd = open_lock_file(file);
    if (!try_lock_file(held.fd.get(), file)) {
      held_locks().erase(file);
      return std::nullopt;
    }
  }
  ++held.count;
  return ConfigFileLock(file);
}

// The lock file stays, and is all that is known of a container that has ended.
void ConfigStore::note_start(std::uint32_t vmid) const {
  const std::string file = lock_file(vmid);
  timespec now{};
  // Not UTIME_NOW, which is a timer tick's: two starts may be closer.
  check(::clock_gettime(CLOCK_REALTIME, &now), "cannot read the clock");
  const timespec times[2] = {now, now};
  check(::futimens(held_locks().at(file).fd.get(), times), formatted("cannot set the time of '{}'", file));
}

std::int64_t ConfigStore::last_start(std::uint32_t vmid) const {
  const std::string file = lock_file(vmid);
  struct stat status {};
  if (::stat(file.c_str(), &status) < 0) {
    if (errno == ENOENT) return 0;
    throw_errno(formatted("cannot look at '{}'", file));
  }
  constexpr std::int64_t kNanoseconds = 1000000000;
  return status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec;
}

}  // namespace hutch::cli
