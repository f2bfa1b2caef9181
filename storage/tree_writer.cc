#include "storage/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "storage/member_path.h"

namespace hutch {

namespace {

constexpr mode_t kSpecialBits = S_ISUID | S_ISGID | S_ISVTX;

// Reports errno with what a user can do about it.
[[noreturn]] void fail(const char* verb, const std::string& path) {
  const int saved = errno;
  const bool full = saved == ENOSPC || saved == EDQUOT;
  throw Error(formatted("cannot {} '{}'", verb, printable(path)), saved,
              full ? "no space left in the volume, make the volume larger" : "");
}

void require(int result, const char* verb, const std::string& path) {
  if (result < 0) fail(verb, path);
}

std::string name_text(std::string_view path) {
  return std::string(name_of(path));
}

struct Times {
  timespec values[2];
  // An access time that the archive does not give stays that of the creation.
  explicit Times(const Member& member)
      : values{member.atime.value_or(timespec{0, UTIME_OMIT}), member.mtime} {}
};

}  // namespace

TreeWriter::TreeWriter(int root_fd, IdCoverage ids, bool in_user_namespace, Warning warn)
    : root_fd_(root_fd),
      ids_(std::move(ids)),
      in_user_namespace_(in_user_namespace),
      warn_(std::move(warn)) {}

UniqueFd TreeWriter::create_file(const Member& member) {
  const int directory = parent(member);
  const std::string name = name_text(member.path);
  UniqueFd fd(::openat(directory, name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
                       is_plain(member) ? member.mode : member.mode & S_IRWXU));
  if (!fd && errno != EEXIST) fail("create", member.path);
  return fd;
}

void TreeWriter::finish_file(int fd, const Member& member) {
  if (!is_plain(member)) {
    require(::fchown(fd, static_cast<uid_t>(member.uid), static_cast<gid_t>(member.gid)),
            "change the owner of", member.path);
    require(::fchmod(fd, member.mode), "change the mode of", member.path);
  }
  if (!member.xattrs.empty()) set_xattrs(fd, member);
  require(::futimens(fd, Times(member).values), "set the times of", member.path);
}

bool TreeWriter::create(const Member& member) {
  switch (member.type) {
    case Member::Type::directory: return make_directory(member);
    case Member::Type::symlink: return make_symlink(member);
    case Member::Type::hard_link: return make_hard_link(member);
    case Member::Type::fifo:
    case Member::Type::socket:
    case Member::Type::character_device:
    case Member::Type::block_device: return make_node(member);
    case Member::Type::file: break;
  }
  throw Error(formatted("cannot create '{}' as a special file: it has contents", printable(member.path)));
}

bool TreeWriter::is_plain(const Member& member) const {
  return parent_ours_ && member.uid == 0 && member.gid == 0 && (member.mode & kSpecialBits) == 0;
}

// The open directory that `member` goes into. Members of one directory follow one another, so the last one is
// kept.
int TreeWriter::parent(const Member& member) {
  ids_.require_uid(member.uid, member.path);
  ids_.require_gid(member.gid, member.path);
  const std::string_view path = parent_of(member.path);
  if (path.empty()) {
    parent_ours_ = false;
    return root_fd_;
  }
  if (!parent_fd_ || parent_path_ != path) {
    const std::string wanted(path);
    parent_fd_ = open_directory(wanted);
    if (!parent_fd_ && errno == ENOENT) {
      make_implied(wanted);
      parent_fd_ = open_directory(wanted);
    }
    if (!parent_fd_) refuse_path(member.path, wanted);
    parent_path_ = wanted;
  }
  parent_ours_ = is_ours(path);
  return parent_fd_.get();
}

// Unset with errno when it cannot be opened without following a symlink.
UniqueFd TreeWriter::open_directory(const std::string& path) const {
  for (;;) {
    UniqueFd fd(sys::openat2(root_fd_, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
    // openat2(2): EAGAIN means that a rename or mount somewhere raced with the walk, "try again".
    if (fd || errno != EAGAIN) return fd;
  }
}

// Makes the missing directories of `path`. Their attributes are set when (and if) their own members come.
void TreeWriter::make_implied(const std::string& path) {
  UniqueFd above;
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    UniqueFd fd = open_directory(part);
    if (!fd) {
      if (errno != ENOENT) refuse_path(path, part);
      require(::mkdirat(above ? above.get() : root_fd_, name_text(part).c_str(), 0755), "create directory",
              part);
      directories_.emplace(part, order_.size());
      Member implied;
      implied.path = part;
      implied.type = Member::Type::directory;
      order_.push_back({implied, false, true});
      fd = open_directory(part);
      if (!fd) fail("open", part);
    }
    above = std::move(fd);
  }
}

// Names the component of `directory` that is in the way. Reads errno of the failed walk.
void TreeWriter::refuse_path(const std::string& member, const std::string& directory) const {
  const int reason = errno;
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = directory.find('/', end + 1);
    const std::string part = directory.substr(0, end);
    struct stat status {};
    if (::fstatat(root_fd_, part.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(status.st_mode))
      continue;
    throw Error(formatted("member '{}' is refused: it goes through {} '{}'", printable(member),
                          S_ISLNK(status.st_mode) ? "the symlink" : "the non-directory", printable(part)));
  }
  throw Error(formatted("cannot open the directory of '{}'", printable(member)), reason);
}

bool TreeWriter::make_directory(const Member& member) {
  if (member.path.empty()) return false;  // the root exists; its attributes are the volume's
  const auto known = directories_.find(member.path);
  if (known != directories_.end()) {
    Directory& directory = order_[known->second];
    if (directory.explicit_member) return false;
    ids_.require_uid(member.uid, member.path);
    ids_.require_gid(member.gid, member.path);
    directory = {member, true, false};
    return true;
  }
  const int above = parent(member);
  const bool plain = is_plain(member) && member.xattrs.empty();
  if (::mkdirat(above, name_text(member.path).c_str(), plain ? member.mode : S_IRWXU) < 0) {
    if (errno == EEXIST) return false;
    fail("create directory", member.path);
  }
  directories_.emplace(member.path, order_.size());
  order_.push_back({member, true, plain});
  return true;
}

bool TreeWriter::make_symlink(const Member& member) {
  const int above = parent(member);
  const std::string name = name_text(member.path);
  if (::symlinkat(member.link.c_str(), above, name.c_str()) < 0) {
    if (errno == EEXIST) return false;
    fail("create symlink", member.path);
  }
  if (!parent_ours_ || member.uid != 0 || member.gid != 0) {
    require(::fchownat(above, name.c_str(), static_cast<uid_t>(member.uid), static_cast<gid_t>(member.gid),
                       AT_SYMLINK_NOFOLLOW),
            "change the owner of", member.path);
  }
  require(::utimensat(above, name.c_str(), Times(member).values, AT_SYMLINK_NOFOLLOW), "set the times of",
          member.path);
  return true;
}

bool TreeWriter::make_hard_link(const Member& member) {
  if (left_out_.contains(member.link) || is_below_dev(member.link)) {
    left_out_.insert(member.path);
    warn_(formatted("'{}' is left out: it is a hard link to '{}', which was left out", printable(member.path),
                    printable(member.link)));
    return false;
  }
  const int above = parent(member);
  const std::string target_directory(parent_of(member.link));
  const UniqueFd target = target_directory.empty() ? UniqueFd() : open_directory(target_directory);
  if (!target_directory.empty() && !target) refuse_path(member.path, target_directory);
  // Without AT_SYMLINK_FOLLOW a symlink is linked itself.
  if (::linkat(target_directory.empty() ? root_fd_ : target.get(), name_text(member.link).c_str(), above,
               name_text(member.path).c_str(), 0) == 0) {
    return true;
  }
  if (errno == EEXIST) return false;
  if (errno == ENOENT) {
    throw Error(formatted(
        "member '{}' is refused: it is a hard link to '{}', which the archive does not hold before it",
        printable(member.path), printable(member.link)));
  }
  fail("create hard link", member.path);
}

bool TreeWriter::make_node(const Member& member) {
  const int above = parent(member);
  const std::string name = name_text(member.path);
  const bool is_device =
      member.type == Member::Type::character_device || member.type == Member::Type::block_device;
  const mode_t type = member.type == Member::Type::fifo               ? S_IFIFO
                      : member.type == Member::Type::socket           ? S_IFSOCK
                      : member.type == Member::Type::character_device ? S_IFCHR
                                                                      : S_IFBLK;
  if (::mknodat(above, name.c_str(), type | (member.mode & S_IRWXU), is_device ? member.device : 0) < 0) {
    if (errno == EEXIST) return false;
    // mknod(2) of devices needs CAP_MKNOD in the initial user namespace.
    if (errno == EPERM && is_device && in_user_namespace_) {
      left_out_.insert(member.path);
      warn_(formatted("device node '{}' is left out: an unprivileged container cannot have it in its rootfs",
                      printable(member.path)));
      return false;
    }
    fail("create special file", member.path);
  }
  require(::fchownat(above, name.c_str(), static_cast<uid_t>(member.uid), static_cast<gid_t>(member.gid),
                     AT_SYMLINK_NOFOLLOW),
          "change the owner of", member.path);
  // Made by us a moment ago and of a type that cannot be followed, so a plain chmod reaches nothing else.
  require(::fchmodat(above, name.c_str(), member.mode, 0), "change the mode of", member.path);
  require(::utimensat(above, name.c_str(), Times(member).values, AT_SYMLINK_NOFOLLOW), "set the times of",
          member.path);
  return true;
}

void TreeWriter::finish_directories() {
  parent_fd_.reset();
  // Inner directories first: nothing is opened below a directory after it got its own mode.
  for (auto directory = order_.rbegin(); directory != order_.rend(); ++directory) {
    if (directory->explicit_member) finish_directory(*directory);
  }
}

void TreeWriter::finish_directory(const Directory& directory) {
  const Member& member = directory.member;
  if (directory.plain) {
    // Only real directories lie on the way (they were made here and nothing replaces them).
    require(::utimensat(root_fd_, member.path.c_str(), Times(member).values, AT_SYMLINK_NOFOLLOW),
            "set the times of", member.path);
    return;
  }
  const UniqueFd fd(sys::openat2(root_fd_, member.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (!fd) fail("open", member.path);
  require(::fchown(fd.get(), static_cast<uid_t>(member.uid), static_cast<gid_t>(member.gid)),
          "change the owner of", member.path);
  require(::fchmod(fd.get(), member.mode), "change the mode of", member.path);
  if (!member.xattrs.empty()) set_xattrs(fd.get(), member);
  require(::futimens(fd.get(), Times(member).values), "set the times of", member.path);
}

void TreeWriter::set_xattrs(int fd, const Member& member) {
  for (const auto& [name, value] : member.xattrs) {
    if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0) continue;
    const int saved = errno;
    if (saved == EOPNOTSUPP) {
      if (unsupported_xattrs_.insert(name).second) {
        warn_(formatted("the volume's file system does not keep '{}' (first seen on '{}')", printable(name),
                        printable(member.path)));
      }
      continue;
    }
    throw Error(formatted("cannot set '{}' of '{}'", printable(name), printable(member.path)), saved,
                saved == ENOSPC ? "no space left in the volume for it, make the volume larger" : "");
  }
}

}  // namespace hutch
