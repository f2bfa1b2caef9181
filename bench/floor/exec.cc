#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/floor/floor.h"

// setns(2), clone(2), cgroups(7).
namespace hutch::floor_program {

namespace {

void check(long result, const char* action, const char* name) {
  if (result < 0) fail(action, name);
}

// The one process of the container's group.
pid_t find_init(int cgroup, const char* name) {
  const int fd = openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  check(fd, "list the processes of", name);
  char text[32] = {};
  check(read(fd, text, sizeof text - 1), "list the processes of", name);
  close(fd);
  const pid_t pid = atoi(text);
  if (pid > 0) return pid;
  errno = ESRCH;
  fail("find the init of", name);
}

int own_exit_status(pid_t child, const char* name) {
  int status = 0;
  check(waitpid(child, &status, 0), "wait for", name);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

[[noreturn]] void run_program(const Container& container, const sock_fprog& filter) {
  check(syscall(SYS_setgroups, 0, nullptr), "setgroups in", container.name);
  check(syscall(SYS_setresgid, 0, 0, 0), "setresgid in", container.name);
  check(syscall(SYS_setresuid, 0, 0, 0), "setresuid in", container.name);
  for (const int capability : kDroppedCapabilities) {
    check(prctl(PR_CAPBSET_DROP, capability), "drop a capability in", container.name);
  }
  check(chdir("/"), "enter the root of", container.name);
  if (container.seccomp) {
    check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "load the filter of", container.name);
  }
  execl("/bin/true", "/bin/true", nullptr);
  fail("execute /bin/true in", container.name);
}

}  // namespace

// The pid namespace takes in children only, so there are two processes: one that enters the namespaces, in
// our memory while we wait (vfork(2)), and the program. The latter can be traced from inside and has a copy.
int run_true(const Container& container) {
  const char* name = container.name;
  sock_fprog filter = {};
  if (container.seccomp) {
    filter = container.filter != nullptr ? filter_from_file(container.filter) : built_in_filter();
  }
  int tasks[kMaxTasks];
  const size_t task_count = open_tasks(container, tasks);
  clone_args arguments = {};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  const int cgroup = open_init_cgroup(name);
  arguments.cgroup = static_cast<unsigned>(cgroup);
  const pid_t init = find_init(cgroup, name);
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, init, 0));
  check(pidfd, "open the init of", name);
  constexpr int kAlways = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  const int namespaces = container.privileged ? kAlways : kAlways | CLONE_NEWUSER;

  const pid_t joiner = vfork();
  check(joiner, "fork for", name);
  if (joiner > 0) return own_exit_status(joiner, name);
  for (size_t i = 0; i < task_count; ++i) check(write(tasks[i], "0", 1), "join a cgroup of", name);
  check(prctl(PR_SET_DUMPABLE, 0), "become undumpable for", name);
  check(setns(pidfd, namespaces), "enter the namespaces of", name);
  const auto program = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
  check(program, "clone into", name);
  if (program == 0) {
    check(setns(pidfd, CLONE_NEWCGROUP), "enter the cgroup namespace of", name);
    run_program(container, filter);
  }
  _exit(own_exit_status(program, name));
}

}  // namespace hutch::floor_program
