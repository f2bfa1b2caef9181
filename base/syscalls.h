#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

// System calls that glibc 2.36 has no function for, and constants newer than its headers. Each returns
// what the kernel returns in libc's manner: -1 with errno set on failure. Safe in the child between
// clone3 and exec: no allocation, no locks, no state but errno.
namespace hutch::sys {

// clone3(2).
inline pid_t clone3(clone_args& args) {
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

// openat2(2); `resolve` is a set of RESOLVE_* flags.
inline int openat2(int dirfd, const char* path, std::uint64_t flags, std::uint64_t mode,
                   std::uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.mode = mode;
  how.resolve = resolve;
  return static_cast<int>(::syscall(SYS_openat2, dirfd, path, &how, sizeof how));
}

// pidfd_open(2) and pidfd_send_signal(2): glibc 2.36 has them, but its header declares them with C++ linkage.
inline int pidfd_open(pid_t pid, unsigned flags) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags));
}
inline int pidfd_send_signal(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

// pivot_root(2).
inline int pivot_root(const char* new_root, const char* put_old) {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

}  // namespace hutch::sys
