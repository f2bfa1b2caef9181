#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace hutch {

// A directory of the host's that is kept open: absolute paths below it are walked from there, all others as
// usual. For /sys/fs/cgroup: a walk through /sys takes the lock of the whole of sysfs (fs/kernfs/dir.c,
// kernfs_dop_revalidate), for which a network device that is being made has to wait, and the walk for it.
// Errors name the whole path, as those of base/files.h do, and are thrown as Error.
class Anchor {
 public:
  // Throws when `directory` is not a directory that can be walked.
  explicit Anchor(std::string directory);

  // What the *at() calls take; `below` points into `path`.
  struct Walk {
    int dirfd;
    const char* below;
  };
  Walk walk(const std::string& path) const;

  // open(2) with O_CLOEXEC added, of what exists.
  UniqueFd open(const std::string& path, int flags) const;
  bool exists(const std::string& path) const;
  std::string read(const std::string& path) const;
  // write_kernel_file() of base/files.h.
  void write(const std::string& path, std::string_view value) const;
  // mkdir(2); false with errno set when it fails.
  bool make_directory(const std::string& path, mode_t mode) const;

 private:
  std::string prefix_;  // with a slash at its end
  UniqueFd fd_;
};

}  // namespace hutch
