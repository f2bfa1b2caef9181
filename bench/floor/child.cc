#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/floor/floor.h"

// user_namespaces(7), mount_namespaces(7), pivot_root(2).
namespace hutch::floor_program {

namespace {

constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;

[[noreturn]] void child_fail(const Child& child, const char* action) {
  Failure failure = {errno, {}};
  strncpy(failure.action, action, sizeof failure.action - 1);
  // Fails only when the parent is gone: nobody is left to tell.
  (void)!write(child.result, &failure, sizeof failure);
  _exit(1);
}

void child_check(const Child& child, long result, const char* action) {
  if (result < 0) child_fail(child, action);
}

void child_mount(const Child& child, const char* source, const char* target, const char* type,
                 unsigned long flags, const char* options) {
  child_check(child, mount(source, target, type, flags, options), target);
}

void child_file(const Child& child, const char* path) {
  const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
  child_check(child, fd, path);
  close(fd);
}

// A user namespace may not make device nodes: the host's are bound over empty files.
void child_dev(const Child& child) {
  static constexpr struct {
    const char* host;
    const char* here;
    unsigned device[2];  // major, minor: Documentation/admin-guide/devices.txt of the kernel
  } nodes[] = {{"/dev/null", "dev/null", {1, 3}},       {"/dev/zero", "dev/zero", {1, 5}},
               {"/dev/full", "dev/full", {1, 7}},       {"/dev/random", "dev/random", {1, 8}},
               {"/dev/urandom", "dev/urandom", {1, 9}}, {"/dev/tty", "dev/tty", {5, 0}}};
  child_mount(child, "none", "dev", "tmpfs", MS_NOSUID, "mode=0755,size=500000");
  for (const auto& node : nodes) {
    if (child.container->privileged) {
      child_check(child, mknod(node.here, S_IFCHR | 0666, makedev(node.device[0], node.device[1])),
                  node.here);
      continue;
    }
    child_file(child, node.here);
    child_mount(child, node.host, node.here, nullptr, MS_BIND, nullptr);
  }
  child_check(child, mkdir("dev/pts", 0755), "dev/pts");
  child_mount(child, "devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "gid=5,newinstance,ptmxmode=0666,mode=0620,max=1024");
  child_file(child, "dev/ptmx");
  child_mount(child, "dev/pts/ptmx", "dev/ptmx", nullptr, MS_BIND, nullptr);
  static constexpr const char* links[][2] = {{"/proc/self/fd", "dev/fd"},
                                             {"/proc/self/fd/0", "dev/stdin"},
                                             {"/proc/self/fd/1", "dev/stdout"},
                                             {"/proc/self/fd/2", "dev/stderr"}};
  for (const auto& link : links) child_check(child, symlink(link[0], link[1]), link[1]);
}

// A path that this kernel lacks needs no protection; every other failure counts.
void child_read_only(const Child& child, const char* path) {
  if (mount(path, path, nullptr, MS_BIND, nullptr) != 0) {
    if (errno == ENOENT) return;
    child_fail(child, path);
  }
  child_mount(child, nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kSafe, nullptr);
}

void child_mask(const Child& child, const char* path) {
  if (mount("dev/null", path, nullptr, MS_BIND, nullptr) != 0 && errno != ENOENT) child_fail(child, path);
}

void child_mounts(const Child& child) {
  child_mount(child, nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  const char* rootfs = child.container->rootfs;
  if (child.rootfs < 0) {
    child_mount(child, rootfs, rootfs, nullptr, MS_BIND | MS_REC, nullptr);
  } else {
    child_check(child, move_mount(child.rootfs, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH), rootfs);
  }
  child_check(child, chdir(rootfs), "enter the rootfs");
  child_dev(child);
  child_mount(child, "proc", "proc", "proc", kSafe, nullptr);
  child_read_only(child, "proc/sys");
  child_read_only(child, "proc/sysrq-trigger");
  child_mask(child, "proc/kcore");
  child_mount(child, "sysfs", "sys", "sysfs", kSafe | MS_RDONLY, nullptr);
  child_check(child, syscall(SYS_pivot_root, ".", "."), "pivot_root");
  child_check(child, umount2(".", MNT_DETACH), "unmount the old root");
  child_check(child, chdir("/"), "enter the new root");
}

}  // namespace

void run_child(const Child& child) {
  // "0" into `tasks` moves the calling thread alone, for which the kernel skips the lock against forking
  // thread groups. cgroup.procs takes it, and an idle lock first waits for an RCU grace period: 4 to 15 ms.
  for (size_t i = 0; i < child.task_count; ++i) {
    child_check(child, write(child.tasks[i], "0", 1), "join a cgroup");
    close(child.tasks[i]);
  }
  char byte = 0;
  if (read(child.go, &byte, 1) != 1) _exit(1);
  if (!child.container->privileged) {
    child_check(child, syscall(SYS_setgroups, 0, nullptr), "setgroups");
    child_check(child, syscall(SYS_setresgid, 0, 0, 0), "setresgid");
    child_check(child, syscall(SYS_setresuid, 0, 0, 0), "setresuid");
  }
  const char* name = child.container->name;
  child_check(child, sethostname(name, strlen(name)), "sethostname");
  child_mounts(child);
  for (const int capability : kDroppedCapabilities)
    child_check(child, prctl(PR_CAPBSET_DROP, capability), "drop a capability");
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  child_check(child, null, "/dev/null");
  for (int fd = 0; fd <= 2; ++fd) child_check(child, dup2(null, fd), "dup2");
  child_check(child, setsid(), "setsid");
  // What our caller left open must not reach the container.
  child_check(child, close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
  if (child.container->seccomp) {
    child_check(child, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &child.filter), "seccomp");
  }
  const char* const argv[] = {"/bin/sleep", "1000", nullptr};
  const char* const environment[] = {"container=lxc", nullptr};
  execve(argv[0], const_cast<char* const*>(argv), const_cast<char* const*>(environment));
  child_fail(child, "exec /bin/sleep");
}

}  // namespace hutch::floor_program
