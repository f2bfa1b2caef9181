#include "base/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

// The kernel's messages about a file system context, joined; empty when it has none.
std::string context_log(int context) {
  std::string log;
  char buffer[512];
  for (;;) {
    const ssize_t count = ::read(context, buffer, sizeof buffer);
    if (count <= 0) return log;  // ENODATA: no more messages
    if (!log.empty()) log += ", ";
    log += trim(std::string_view(buffer, static_cast<std::size_t>(count)));
  }
}

[[noreturn]] void throw_with_log(int context, const std::string& action) {
  const int saved = errno;
  throw Error(action, saved, context_log(context));
}

}  // namespace

UniqueFd new_filesystem(const std::string& type, const FsOptions& options, std::uint64_t attributes) {
  const UniqueFd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context) {
    throw_errno(formatted("cannot mount a file system of type '{}'", type),
                errno == ENODEV ? "this kernel does not have that type" : "");
  }
  for (const auto& [key, value] : options) {
    const int result = value.empty()
                           ? ::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                           : ::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
    if (result < 0) {
      throw_with_log(context.get(),
                     formatted("cannot set {} option '{}{}{}'", type, key, value.empty() ? "" : "=", value));
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    throw_with_log(context.get(), formatted("cannot mount a file system of type '{}'", type));
  }
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
  if (!mount) throw_with_log(context.get(), formatted("cannot mount a file system of type '{}'", type));
  return mount;
}

UniqueFd clone_mount(int dirfd, const std::string& path, bool recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path.empty() ? AT_EMPTY_PATH : 0U) |
                         (recursive ? AT_RECURSIVE : 0U);
  UniqueFd tree(::open_tree(dirfd, path.c_str(), flags));
  if (!tree) throw_errno(formatted("cannot open the mount of '{}'", path));
  return tree;
}

void set_mount_attributes(int mount_fd, std::uint64_t set, std::uint64_t clear, bool recursive) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  // One field of several bits: the kernel wants it cleared as a whole.
  if (((set | clear) & MOUNT_ATTR__ATIME) != 0) attributes.attr_clr |= MOUNT_ATTR__ATIME;
  check(::mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U), &attributes,
                        sizeof attributes),
        "cannot set mount attributes");
}

void set_mount_propagation(int mount_fd, std::uint64_t propagation, bool recursive) {
  mount_attr attributes{};
  attributes.propagation = propagation;
  check(::mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U), &attributes,
                        sizeof attributes),
        "cannot set a mount's propagation");
}

void set_mount_id_map(int mount_fd, int userns_fd, bool recursive) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<__u64>(userns_fd);
  check(::mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U), &attributes,
                        sizeof attributes),
        "cannot id-map a mount");
}

void attach_mount(int mount_fd, int dirfd, const std::string& path) {
  const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (path.empty() ? MOVE_MOUNT_T_EMPTY_PATH : 0U);
  check(::move_mount(mount_fd, "", dirfd, path.c_str(), flags), formatted("cannot mount on '{}'", path));
}

namespace {

// ext4 first: it is what volumes are made with, and every type that is tried in vain costs time and a line in
// the kernel's log.
std::vector<std::string> block_device_types() {
  std::vector<std::string> types;
  const std::string known = read_file(AT_FDCWD, "/proc/filesystems");
  for (const auto line : split(known, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 1) types.emplace_back(words[0]);  // "nodev" types have no device
  }
  std::stable_partition(types.begin(), types.end(), [](const auto& type) { return type == "ext4"; });
  return types;
}

}  // namespace

UniqueFd mount_block_device(const std::string& device, const FsOptions& options, std::uint64_t attributes) {
  FsOptions with_source{{"source", device}};
  with_source.insert(with_source.end(), options.begin(), options.end());
  std::string last;
  for (const auto& type : block_device_types()) {
    try {
      return new_filesystem(type, with_source, attributes);
    } catch (const Error& error) {
      // EINVAL: not this type's super block; some types say EUCLEAN for foreign data. EBUSY: it is mounted
      // already, as another type.
      const int number = error.error_number();
      if (number != EINVAL && number != EUCLEAN && number != EBUSY) throw;
      last = error.what();
    }
  }
  throw Error(formatted("cannot mount '{}': no file system type of this kernel accepts it", device), EINVAL,
              last.empty() ? "" : formatted("last answer: {}", last));
}

int sync_file_system(int directory_fd) {
  if (::syncfs(directory_fd) < 0) return errno;
  // Neither a flag of statfs(2) nor fsync(2) tells on every kernel that a journal was aborted: Debian's 6.1
  // denies it in both. A full file system is written as well as any other.
  const UniqueFd probe(::openat(directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  return probe || errno == ENOSPC || errno == EDQUOT || errno == EOPNOTSUPP ? 0 : errno;
}

}  // namespace hutch
