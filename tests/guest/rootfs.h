#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "guest/guest_root.h"

namespace hutch::guest {

// A rootfs in a temporary directory whose root is whoever runs the test. `outside` lies beside it: nothing in
// there may ever be read or written through the rootfs.
class TemporaryRootfs {
 public:
  TemporaryRootfs() {
    std::string path = "/tmp/hutch-guest-test-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw_errno("cannot create a temporary directory");
    base_ = path;
    std::filesystem::create_directories(base_ / "rootfs/etc");
    std::filesystem::create_directories(base_ / "outside");
    fd_ = open_file(AT_FDCWD, (base_ / "rootfs").string(), O_PATH | O_DIRECTORY);
  }
  TemporaryRootfs(const TemporaryRootfs&) = delete;
  TemporaryRootfs& operator=(const TemporaryRootfs&) = delete;
  ~TemporaryRootfs() {
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }

  GuestRoot root() const { return GuestRoot(fd_.get(), Owner{::geteuid(), ::getegid()}); }
  int fd() const { return fd_.get(); }
  // Host paths.
  std::string path(const std::string& guest_path) const { return (base_ / "rootfs").string() + guest_path; }
  std::string outside(const std::string& name = "") const {
    return (base_ / "outside").string() + "/" + name;
  }

  void put(const std::string& guest_path, const std::string& content, mode_t mode = 0644) const {
    const std::filesystem::path file = path(guest_path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    ::chmod(file.c_str(), mode);
  }
  void link(const std::string& text, const std::string& guest_path) const {
    const std::filesystem::path file = path(guest_path);
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::create_symlink(text, file);
  }
  std::string get(const std::string& guest_path) const { return read_host(path(guest_path)); }
  struct stat status(const std::string& guest_path) const {
    struct stat status {};
    check(::lstat(path(guest_path).c_str(), &status), "cannot stat " + guest_path);
    return status;
  }
  mode_t mode(const std::string& guest_path) const { return status(guest_path).st_mode & 07777; }
  bool exists(const std::string& guest_path) const { return path_exists(AT_FDCWD, path(guest_path)); }

  // Every name with what it is: directories and symlinks by text, files by inode, mtime and content.
  std::map<std::string, std::string> snapshot() const {
    std::map<std::string, std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base_ / "rootfs")) {
      struct stat status {};
      check(::lstat(entry.path().c_str(), &status), "cannot stat " + entry.path().string());
      std::ostringstream text;
      text << std::oct << status.st_mode << std::dec << " " << status.st_ino << " " << status.st_mtim.tv_sec
           << "." << status.st_mtim.tv_nsec;
      if (entry.is_symlink())
        text << " -> " << std::filesystem::read_symlink(entry.path()).string();
      else if (entry.is_regular_file())
        text << "\n" << read_host(entry.path().string());
      names[entry.path().string()] = text.str();
    }
    return names;
  }
  bool outside_is_empty() const { return std::filesystem::is_empty(base_ / "outside"); }

 private:
  static std::string read_host(const std::string& path) { return read_file(AT_FDCWD, path); }

  std::filesystem::path base_;
  UniqueFd fd_;
};

}  // namespace hutch::guest
