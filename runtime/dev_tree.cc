#include "runtime/dev_tree.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/passed_device.h"
#include "runtime/planner.h"

namespace hutch {

namespace {

struct Node {
  const char* name;
  unsigned major;
  unsigned minor;
};

// Documentation/admin-guide/devices.txt
constexpr Node kNodes[] = {{"full", 1, 7}, {"null", 1, 3},    {"random", 1, 8},
                           {"tty", 5, 0},  {"urandom", 1, 9}, {"zero", 1, 5}};

struct Link {
  const char* name;
  const char* target;
};

constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},
                           {"stdin", "/proc/self/fd/0"},
                           {"stdout", "/proc/self/fd/1"},
                           {"stderr", "/proc/self/fd/2"}};

// Every node has the mode that it is made with. (The side lane's thread has a umask of its own.)
class NoUmask {
 public:
  NoUmask() : before_(::umask(0)) {}
  ~NoUmask() { ::umask(before_); }
  NoUmask(const NoUmask&) = delete;
  NoUmask& operator=(const NoUmask&) = delete;

 private:
  mode_t before_;
};

class DevTree {
 public:
  DevTree(int root, Owner owner) : root_(root), owner_(owner) {}

  void node(const Node& node) {
    made(::mknodat(root_, node.name, S_IFCHR | 0666, makedev(node.major, node.minor)), node.name);
  }
  void directory(const std::string& path) { made(::mkdirat(root_, path.c_str(), 0755), path); }
  void symlink(const std::string& path, const std::string& target) {
    made(::symlinkat(target.c_str(), root_, path.c_str()), path);
  }
  void file(const std::string& path, std::string_view content, mode_t mode) {
    const int fd = ::openat(root_, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    const UniqueFd held(fd);
    made(fd, path);
    write_fd(fd, content, "/dev/" + path);
  }
  // Makes the directories on the way to `path`.
  void directories_of(const std::string& path) {
    for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (!path_exists(root_, parent)) directory(parent);
    }
  }
  void passed_device(const DeviceSpec& device, const IdMap& id_map) {
    const DeviceNumber number = find_device(device);
    const std::string path = device.path.substr(device.path.find_first_not_of('/', 4));
    directories_of(path);
    replace_node(path);
    make_device_node(root_, path, device, number, id_map);
  }
  void quota_device(const std::string& path, dev_t number) {
    if (path_exists(root_, path)) return;
    directories_of(path);
    made(::mknodat(root_, path.c_str(), S_IFBLK | 0666, number), path);
  }

 private:
  NoUmask no_umask_;
  int root_;
  Owner owner_;

  // A passed device may be one that every container has: then it has the config's mode and owner.
  void replace_node(const std::string& path) {
    struct stat status {};
    if (::fstatat(root_, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(status.st_mode)) return;
    check(::unlinkat(root_, path.c_str(), 0), formatted("cannot replace /dev/{}", path));
  }

  void made(int result, const std::string& path) {
    check(result, formatted("cannot create /dev/{}", path));
    if (owner_ == Owner{}) return;
    check(::fchownat(root_, path.c_str(), owner_.uid, owner_.gid, AT_SYMLINK_NOFOLLOW),
          formatted("cannot change the owner of /dev/{}", path));
  }
};

// A random UUID of version 4, as /proc/sys/kernel/random/boot_id shows one.
std::string random_uuid() {
  std::uint8_t bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) throw_errno("cannot get random bytes");
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (std::size_t at = 0; at < sizeof bytes; ++at) {
    if (at == 4 || at == 6 || at == 8 || at == 10) text += '-';
    text += formatted("{:02x}", bytes[at]);
  }
  return text;
}

void add_terminals(const ContainerSpec& spec, DevTree& tree) {
  if (spec.pty_max + spec.tty_count == 0) return;
  tree.directory("pts");
  tree.symlink("ptmx", "pts/ptmx");
  if (!spec.tty_directory.empty() && spec.tty_count > 0) tree.directory(spec.tty_directory);
  for (unsigned number = 1; number <= spec.tty_count; ++number) {
    tree.file(tty_path(spec, number), "", 0);
    if (!spec.tty_directory.empty()) tree.symlink(formatted("tty{}", number), tty_path(spec, number));
  }
}

// "/dev/dm-3" of "/dev/pve/vm-100-disk-0".
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), ::free);
  if (!resolved) throw_errno(formatted("cannot resolve '{}'", path));
  return resolved.get();
}

// "/dev/mapper/pve-disk": the name under which the device mapper's devices are mounted.
std::string mapper_name(const std::string& device) {
  const std::string name = device.substr(device.rfind('/') + 1);
  if (!name.starts_with("dm-")) return {};
  const auto mapped = read_file_if_exists(AT_FDCWD, formatted("/sys/block/{}/dm/name", name));
  return mapped ? std::string(trim(*mapped)) : std::string();
}

void add_quota_devices(const std::vector<std::string>& devices, DevTree& tree) {
  for (const auto& path : devices) {
    struct stat status {};
    check(::stat(path.c_str(), &status), formatted("cannot look at '{}'", path));
    const std::string real = real_path(path);
    tree.quota_device(real.substr(5), status.st_rdev);
    if (const auto name = mapper_name(real); !name.empty()) {
      tree.directories_of("mapper/" + name);
      tree.symlink("mapper/" + name, "../" + real.substr(5));
    }
  }
}

}  // namespace

UniqueFd build_dev_tree(const ContainerSpec& spec, const std::vector<std::string>& quota_devices) {
  const Owner owner = inner_root(spec);
  FsOptions options = {{"size", std::to_string(spec.dev_size)},
                       {"mode", "0755"},
                       {"uid", std::to_string(owner.uid)},
                       {"gid", std::to_string(owner.gid)}};
  UniqueFd mount = new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID);
  DevTree tree(mount.get(), owner);
  for (const auto& node : kNodes) tree.node(node);
  for (const auto& link : kLinks) tree.symlink(link.name, link.target);
  add_terminals(spec, tree);
  if (spec.console) tree.file("console", "", 0);
  if (spec.kmsg_link) tree.symlink("kmsg", "console");
  tree.file(".lxc-boot-id", random_uuid() + "\n", 0444);
  if (spec.nesting_mounts) {
    for (const auto* path : {".lxc", ".lxc/proc", ".lxc/sys"}) tree.directory(path);
  }
  for (const auto& device : spec.passed_devices) tree.passed_device(device, spec.id_map);
  add_quota_devices(quota_devices, tree);
  return mount;
}

}  // namespace hutch
