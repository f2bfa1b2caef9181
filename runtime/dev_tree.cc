#include "runtime/dev_tree.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

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

using Kind = TreeEntry::Kind;

// Of small numbers, as makedev(3).
constexpr TreeEntry node(const char* name, unsigned major, unsigned minor) {
  return {Kind::device, S_IFCHR | 0666, major << 8U | minor, name, nullptr};
}
constexpr TreeEntry symlink(const char* path, const char* target) {
  return {Kind::symlink, 0, 0, path, target};
}
constexpr TreeEntry directory(const char* path) {
  return {Kind::directory, 0755, 0, path, nullptr};
}
constexpr TreeEntry file(const char* path, const char* content, mode_t mode) {
  return {Kind::file, mode, 0, path, content};
}

// Device numbers: Documentation/admin-guide/devices.txt
constexpr TreeEntry kAlways[] = {node("full", 1, 7),
                                 node("null", 1, 3),
                                 node("random", 1, 8),
                                 node("tty", 5, 0),
                                 node("urandom", 1, 9),
                                 node("zero", 1, 5),
                                 symlink("fd", "/proc/self/fd"),
                                 symlink("stdin", "/proc/self/fd/0"),
                                 symlink("stdout", "/proc/self/fd/1"),
                                 symlink("stderr", "/proc/self/fd/2")};

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

// What is added to the tree later.
class DevAdditions {
 public:
  DevAdditions(int root, Owner owner) : root_(root), owner_(owner) {}

  void symlink(const std::string& path, const std::string& target) {
    made(::symlinkat(target.c_str(), root_, path.c_str()), path);
  }
  // Makes the directories on the way to `path`.
  void directories_of(const std::string& path) {
    for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (!path_exists(root_, parent)) made(::mkdirat(root_, parent.c_str(), 0755), parent);
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

void add_quota_devices(const std::vector<std::string>& devices, DevAdditions& tree) {
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

DevTree::DevTree(const ContainerSpec& spec) : entries_(std::begin(kAlways), std::end(kAlways)) {
  const Owner owner = inner_root(spec);
  options_ = {{"size", keep(std::to_string(spec.dev_size))},
              {"mode", "0755"},
              {"uid", keep(std::to_string(owner.uid))},
              {"gid", keep(std::to_string(owner.gid))}};
  add_terminals(spec);
  if (spec.console) entries_.push_back(file("console", "", 0));
  if (spec.kmsg_link) entries_.push_back(symlink("kmsg", "console"));
  entries_.push_back(file(".lxc-boot-id", keep(random_uuid() + "\n"), 0444));
  if (spec.nesting_mounts) {
    for (const auto* path : {".lxc", ".lxc/proc", ".lxc/sys"}) entries_.push_back(directory(path));
  }
  orders_ = {"tmpfs",         options_.data(), options_.size(), MOUNT_ATTR_NOSUID,
             entries_.data(), entries_.size(), owner.uid,       owner.gid};
}

void DevTree::add_terminals(const ContainerSpec& spec) {
  if (spec.pty_max + spec.tty_count == 0) return;
  entries_.push_back(directory("pts"));
  entries_.push_back(symlink("ptmx", "pts/ptmx"));
  const bool apart = !spec.tty_directory.empty();
  if (apart && spec.tty_count > 0) entries_.push_back(directory(keep(spec.tty_directory)));
  for (unsigned number = 1; number <= spec.tty_count; ++number) {
    const char* path = keep(tty_path(spec, number));
    entries_.push_back(file(path, "", 0));
    if (apart) entries_.push_back(symlink(keep(formatted("tty{}", number)), path));
  }
}

const char* DevTree::keep(std::string text) {
  return texts_.emplace_back(std::move(text)).c_str();
}

void DevTree::refuse(const TreeFailure& failure) const {
  const auto entry = [&] { return entries_.at(failure.at).path; };
  switch (failure.step) {
    case TreeFailure::Step::mount: throw Error("cannot mount a tmpfs for /dev", failure.error);
    case TreeFailure::Step::option: {
      const auto& [key, value] = options_.at(failure.at);
      throw Error(formatted("cannot set tmpfs option '{}={}' for /dev", key, value), failure.error);
    }
    case TreeFailure::Step::entry: throw Error(formatted("cannot create /dev/{}", entry()), failure.error);
    case TreeFailure::Step::owner:
      throw Error(formatted("cannot change the owner of /dev/{}", entry()), failure.error);
  }
  throw Error("cannot make /dev", EPROTO);
}

void complete_dev_tree(int root, const ContainerSpec& spec, const std::vector<std::string>& quota_devices) {
  if (spec.passed_devices.empty() && quota_devices.empty()) return;
  DevAdditions tree(root, inner_root(spec));
  for (const auto& device : spec.passed_devices) tree.passed_device(device, spec.id_map);
  add_quota_devices(quota_devices, tree);
}

}  // namespace hutch
