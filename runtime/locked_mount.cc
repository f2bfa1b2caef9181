#include "runtime/locked_mount.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/mount.h"
#include "base/raw_syscall.h"
#include "base/syscalls.h"

namespace hutch {

bool has_attributes_to_lock(int mount_fd, bool recursive) {
  struct stat status {};
  check(::fstatat(mount_fd, "", &status, AT_EMPTY_PATH), "cannot look at a mount");
  if (recursive && S_ISDIR(status.st_mode)) return true;
  struct statfs mounted {};
  check(::fstatfs(mount_fd, &mounted), "cannot ask for a mount's attributes");
  constexpr unsigned long kNodeLocked = ST_NODEV;
  constexpr unsigned long kLocked =
      kNodeLocked | ST_RDONLY | ST_NOSUID | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME;
  const bool node = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
  return (static_cast<unsigned long>(mounted.f_flags) & (node ? kNodeLocked : kLocked)) != 0;
}

UniqueFd clone_locked(const std::string& path) {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "cannot create a pipe");
  const UniqueFd result_end(ends[0]);
  const UniqueFd report_end(ends[1]);
  clone_args args{};
  // One table of descriptors: what the process opens is ours, too.
  args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES;
  args.exit_signal = SIGCHLD;
  const char* name = path.c_str();
  const pid_t pid = check(sys::clone3(args), "cannot create a process with namespaces of its own");
  if (pid == 0) {
    const long tree =
        sys::raw(SYS_open_tree, AT_FDCWD, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    sys::raw(SYS_write, ends[1], &tree, sizeof tree);
    for (;;) sys::raw(SYS_exit_group, 0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for a helper process");
  }
  long tree = -ECHILD;
  // It is dead, but our own writing end is open: without its word a read would wait for ever.
  if (status == 0) {
    const ssize_t count = ::read(result_end.get(), &tree, sizeof tree);
    if (count != sizeof tree) tree = -EPROTO;
  }
  if (tree >= 0) return UniqueFd(static_cast<int>(tree));
  throw Error(formatted("cannot lock the attributes of the mount '{}'", path), static_cast<int>(-tree));
}

UniqueFd lock_attributes(const UniqueFd& mount, const std::string& stage) {
  attach_mount(mount.get(), AT_FDCWD, stage);
  try {
    UniqueFd locked = clone_locked(stage);
    check(::umount2(stage.c_str(), MNT_DETACH), formatted("cannot unmount '{}'", stage));
    return locked;
  } catch (...) {
    ::umount2(stage.c_str(), MNT_DETACH);
    throw;
  }
}

}  // namespace hutch
