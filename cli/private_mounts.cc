#include "cli/private_mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"

namespace hutch::cli {

PrivateMounts::PrivateMounts()
    : namespace_(open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY)),
      root_(open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY)),
      working_directory_(open_file(AT_FDCWD, ".", O_PATH | O_DIRECTORY)) {
  check(::unshare(CLONE_NEWNS), "cannot create a private mount namespace");
  // Shared mounts would carry ours to the host.
  check(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr),
        "cannot make the private mounts private");
}

PrivateMounts::~PrivateMounts() {
  // setns(2) moves root and working directory to the namespace's root, so both are put back by hand.
  if (::setns(namespace_.get(), CLONE_NEWNS) == 0 && ::fchdir(root_.get()) == 0 && ::chroot(".") == 0 &&
      ::fchdir(working_directory_.get()) == 0) {
    return;
  }
  // Going on would leave the caller in another mount namespace than it believes to be in.
  std::perror("cannot return to the host's mount namespace");
  std::_Exit(255);
}

}  // namespace hutch::cli
