#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"
#include "storage/id_coverage.h"
#include "storage/member.h"

namespace hutch {

// Makes archive members below a directory. Nothing that exists is ever changed, followed or removed: names
// are made exclusively, and no component of a path may be a symlink, so that nothing outside can be reached
// even without the chroot around it. umask must be 0.
//
// Few system calls per member matter here: a file of root with plain permission bits takes open, write,
// utimens, close, because its creation already gives it the right owner and mode.
class TreeWriter {
 public:
  using Warning = std::function<void(const std::string& text)>;

  // `root_fd` is borrowed. `in_user_namespace`: device nodes that may not be made are left out with a
  // warning.
  TreeWriter(int root_fd, IdCoverage ids, bool in_user_namespace, Warning warn);

  // Makes a file and returns it open for writing; none when the name exists. finish_file() completes it.
  UniqueFd create_file(const Member& member);
  // Owner, mode, xattrs and times, in that order: each step would undo a later one.
  void finish_file(int fd, const Member& member);
  // Makes any member but a file. Returns whether it was made.
  bool create(const Member& member);
  // Sets the attributes of the directories, which had to wait for their contents. Call it once at the end.
  void finish_directories();

 private:
  struct Directory {
    Member member;
    bool explicit_member = false;  // has attributes of its own, not just on the way to a member
    bool plain = false;            // made with its final owner and mode
  };

  int parent(const Member& member);
  UniqueFd open_directory(const std::string& path) const;
  void make_implied(const std::string& path);
  [[noreturn]] void refuse_path(const std::string& member, const std::string& directory) const;
  bool make_directory(const Member& member);
  bool make_symlink(const Member& member);
  bool make_hard_link(const Member& member);
  bool make_node(const Member& member);
  void finish_directory(const Directory& directory);
  void set_xattrs(int fd, const Member& member);
  bool is_ours(std::string_view directory) const { return directories_.contains(std::string(directory)); }
  // Whether creating it already gave it its owner and mode: it belongs to root, no bits that a change of
  // owner would clear, and no set-gid bit or default ACL of a directory that was there before.
  bool is_plain(const Member& member) const;

  int root_fd_;
  IdCoverage ids_;
  bool in_user_namespace_;
  Warning warn_;
  std::unordered_map<std::string, std::size_t> directories_;  // path -> index into order_
  std::vector<Directory> order_;
  std::set<std::string> left_out_;            // paths of members that were left out with a warning
  std::set<std::string> unsupported_xattrs_;  // warned about already
  std::string parent_path_;
  UniqueFd parent_fd_;  // the directory of the last member; unset while that was the root
  bool parent_ours_ = false;
};

}  // namespace hutch
