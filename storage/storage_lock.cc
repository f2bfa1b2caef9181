#include "storage/storage_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch {

StorageLock::StorageLock(const Sysroot& sysroot, const std::string& storage_id,
                         std::chrono::milliseconds timeout) {
  const std::string directory = sysroot.path("run/lock/pve-manager");
  make_directories(directory);
  const std::string path = formatted("{}/pve-storage-{}", directory, storage_id);
  file_ = open_file(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // flock(2) has no timeout of its own, and a timer signal would be the whole process's.
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) < 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw_errno(formatted("can't lock file '{}'", path));
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Error(formatted("can't lock file '{}' - got timeout", path), 0,
                  "another command is working on this storage");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace hutch
