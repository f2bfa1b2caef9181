// The floor of start latency: the kernel work of one start of the benchmark container, in one process, in
// order, and nothing else. No library but libc, no allocation that a system call does not need, no output.
//
//   floor start NAME ROOTFS [WORD...]   make the container NAME; exits 0 once `sleep` runs inside
//   floor exec NAME ROOTFS [WORD...]    run `true` inside it; the words as for its start
//   floor stop NAME                     kill it and remove its cgroups and its link
//
// The container: all seven namespaces, ids 0..65535 as 100000..165535, ROOTFS (a directory that belongs to
// 100000 and holds /bin/sleep, /proc, /sys, /dev), memory 512 MiB, half a CPU of weight 100, CPU 0, 4096
// processes, proc with the read-only parts of `proc:mixed`, read-only sys, /dev with six nodes, devpts, five
// capabilities dropped, a seccomp filter, no_new_privs off, `/bin/sleep 1000` as process 1. Words:
//
//   bridge=NAME    one veth into that bridge, whose peer is made inside as eth0
//   filter=FILE    an array of struct sock_filter; by default a built-in one with as many rules as the
//                  default policy has
//   image=FILE     an ext4 image is mounted on ROOTFS, an empty directory, and is the rootfs
//   overlay=DIR    likewise an overlay of DIR/lower, DIR/upper and DIR/work
//   no-limits, no-seccomp, privileged (no user namespace, ids as they are)
//
// What it leaves out, because one process that exits needs it not: config, locks, a supervisor, console,
// state files. It is written against man pages only: clone(2), user_namespaces(7), cgroups(7),
// rtnetlink(7), fsopen(2), pivot_root(2), seccomp(2).

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/floor/floor.h"

namespace hutch::floor_program {

void fail(const char* action, const char* object) {
  const int error = errno;
  fprintf(stderr, "floor: cannot %s '%s': %s\n", action, object, strerror(error));
  exit(1);
}

void write_file(const char* path, const char* value) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  const size_t length = strlen(value);
  if (write(fd, value, length) != static_cast<ssize_t>(length)) fail("write", path);
  close(fd);
}

namespace {

constexpr const char* kIdMap = "0 100000 65536\n";

void write_proc(pid_t init, const char* file, const char* value) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", init, file);
  write_file(path, value);
}

pid_t clone_into(int cgroup, bool privileged, int* pidfd) {
  clone_args arguments = {};
  arguments.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                    CLONE_NEWCGROUP | CLONE_INTO_CGROUP | CLONE_PIDFD;
  if (!privileged) arguments.flags |= CLONE_NEWUSER;
  arguments.pidfd = reinterpret_cast<uintptr_t>(pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<unsigned>(cgroup);
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

// Until the child has executed its program, or has ended.
void await_exec(const Container& container, int result, int pidfd) {
  Failure failure = {};
  const ssize_t length = read(result, &failure, sizeof failure);
  if (length < 0) fail("wait for", container.name);
  if (length > 0) {
    errno = failure.error;
    fail("do inside", failure.action);
  }
  // The pipe is closed by exec, and by the death of a child that was killed, which most likely is over by
  // now.
  siginfo_t state = {};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &state, WEXITED | WNOHANG | WNOWAIT) != 0)
    fail("examine", container.name);
  if (state.si_pid != 0) {
    errno = ECHILD;
    fail("keep alive", container.name);
  }
}

void start(const Container& container) {
  Child child = {&container, -1, -1, -1, {}, {}, 0};
  if (container.seccomp) {
    child.filter = container.filter != nullptr ? filter_from_file(container.filter) : built_in_filter();
  }
  make_cgroups(container);
  child.rootfs = open_rootfs(container);

  int go[2];
  int result[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) != 0) fail("make", "a socket pair");
  if (pipe2(result, O_CLOEXEC) != 0) fail("make", "a pipe");
  const int cgroup = open_init_cgroup(container.name);
  child.task_count = open_tasks(container, child.tasks);
  int pidfd = -1;
  const pid_t init = clone_into(cgroup, container.privileged, &pidfd);
  if (init < 0) fail("clone", container.name);
  if (init == 0) {
    child.go = go[0];
    child.result = result[1];
    close(go[1]);
    run_child(child);
  }
  close(go[0]);
  close(result[1]);

  if (!container.privileged) {
    write_proc(init, "uid_map", kIdMap);
    write_proc(init, "gid_map", kIdMap);
  }
  if (container.bridge != nullptr) make_veth(container.name, container.bridge, init);
  // EPIPE: the child has ended already; its record says why.
  if (send(go[1], "", 1, MSG_NOSIGNAL) != 1 && errno != EPIPE) fail("release", container.name);
  await_exec(container, result[0], pidfd);
}

// The link first: once the last process is gone, the kernel takes the network namespace down, which holds the
// lock that removing a link waits for.
void stop(const char* name) {
  remove_veth(name);
  kill_cgroup(name);
  remove_cgroups(name);
}

bool read_word(Container& container, const char* word) {
  const struct {
    const char* prefix;
    const char*& value;
  } values[] = {{"bridge=", container.bridge},
                {"filter=", container.filter},
                {"image=", container.image},
                {"overlay=", container.overlay}};
  for (const auto& value : values) {
    const size_t length = strlen(value.prefix);
    if (strncmp(word, value.prefix, length) != 0) continue;
    value.value = word + length;
    return true;
  }
  const struct {
    const char* word;
    bool& flag;
    bool value;
  } flags[] = {{"no-limits", container.limits, false},
               {"no-seccomp", container.seccomp, false},
               {"privileged", container.privileged, true}};
  for (const auto& flag : flags) {
    if (strcmp(word, flag.word) != 0) continue;
    flag.flag = flag.value;
    return true;
  }
  return false;
}

int usage() {
  fputs(
      "usage: floor start NAME ROOTFS [bridge=NAME] [filter=FILE] [image=FILE] [overlay=DIR] [no-limits]\n"
      "                   [no-seccomp] [privileged]\n"
      "       floor exec NAME ROOTFS [WORD]...     as for its start\n"
      "       floor stop NAME\n",
      stderr);
  return 2;
}

int run(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "stop") == 0) {
    stop(argv[2]);
    return 0;
  }
  if (argc < 4) return usage();
  const bool execs = strcmp(argv[1], "exec") == 0;
  if (!execs && strcmp(argv[1], "start") != 0) return usage();
  Container container = {argv[2], argv[3], nullptr, nullptr, nullptr, nullptr, true, true, false};
  for (int i = 4; i < argc; ++i) {
    if (!read_word(container, argv[i])) return usage();
  }
  if (execs) return run_true(container);
  start(container);
  return 0;
}

}  // namespace
}  // namespace hutch::floor_program

int main(int argc, char** argv) {
  return hutch::floor_program::run(argc, argv);
}
