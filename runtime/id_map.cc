#include "runtime/id_map.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/raw_syscall.h"
#include "base/syscalls.h"

namespace hutch {

std::string id_map_file(const std::vector<IdRange>& ranges) {
  std::vector<IdRange> sorted = ranges;
  std::sort(sorted.begin(), sorted.end(), [](auto& left, auto& right) { return left.inside < right.inside; });
  std::string text;
  for (const auto& range : sorted) text += formatted("{} {} {}\n", range.inside, range.host, range.count);
  return text;
}

void write_id_maps(pid_t pid, const IdMap& map) {
  const auto write = [pid](const char* file, const std::vector<IdRange>& ranges) {
    if (ranges.empty()) return;
    try {
      write_kernel_file(AT_FDCWD, formatted("/proc/{}/{}", pid, file), id_map_file(ranges));
    } catch (const Error& error) {
      throw Error(formatted("cannot write the container's {}", file), error.error_number(),
                  "check lxc.idmap: EPERM means that this host may not map these ids", ranges.front().origin);
    }
  };
  write("uid_map", map.uids);
  write("gid_map", map.gids);
}

UniqueFd make_id_map_namespace(const IdMap& map) {
  clone_args args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const pid_t starter = ::getpid();
  const pid_t pid = check(sys::clone3(args), "cannot create a user namespace");
  if (pid == 0) {
    // Only holds the namespace until the host has opened it: neither the host's locks and sockets nor its
    // life.
    sys::raw(SYS_close_range, 0, ~0U, 0);
    sys::raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (sys::raw(SYS_getppid) != starter) sys::raw(SYS_exit_group, 1);
    for (;;) sys::raw(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
  }
  UniqueFd descriptor;
  try {
    write_id_maps(pid, map);
    descriptor = open_file(AT_FDCWD, formatted("/proc/{}/ns/user", pid), O_RDONLY);
  } catch (...) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw;
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return descriptor;
}

}  // namespace hutch
