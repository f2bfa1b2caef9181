#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/files.h"

namespace hutch::cgroupv2 {

// A directory below /tmp with plain files in place of a cgroup file system; gone with the object.
class FakeTree {
 public:
  FakeTree() {
    std::string name = "/tmp/hutch-cgroupv2-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw_errno("cannot make a temporary directory");
    path_ = name;
  }
  FakeTree(const FakeTree&) = delete;
  FakeTree& operator=(const FakeTree&) = delete;
  ~FakeTree() { remove_tree(AT_FDCWD, path_); }

  const std::string& path() const { return path_; }
  void write(const std::string& file, const std::string& content) const {
    const std::string full = path_ + "/" + file;
    make_directories(full.substr(0, full.rfind('/')));
    const UniqueFd fd = open_file(AT_FDCWD, full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    write_fd(fd.get(), content, full);
  }
  std::string read(const std::string& file) const { return read_file(AT_FDCWD, path_ + "/" + file); }
  bool exists(const std::string& file) const { return path_exists(AT_FDCWD, path_ + "/" + file); }

 private:
  std::string path_;
};

}  // namespace hutch::cgroupv2
