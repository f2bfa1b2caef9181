#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>

#include "base/raw_syscall.h"

// Messages of a SOCK_SEQPACKET socket with descriptors beside them (unix(7), SCM_RIGHTS), without libc: what
// base/fd_passing.h is for everybody else.
namespace hutch::sys {

// Sends all of `data`, and a copy of `fd` when that is >= 0. The bytes sent, or -errno.
[[gnu::always_inline]] inline long raw_send(int socket, const void* data, std::size_t size, int fd) {
  iovec part{const_cast<void*>(data), size};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* passed = CMSG_FIRSTHDR(&header);
    passed->cmsg_level = SOL_SOCKET;
    passed->cmsg_type = SCM_RIGHTS;
    passed->cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int*>(CMSG_DATA(passed)) = fd;
  }
  return raw(SYS_sendmsg, socket, &header, MSG_NOSIGNAL);
}

// Waits for a message, also over signals, and puts it into `parts`, its descriptors (close-on-exec, at most
// kMax: more are closed by the kernel) into `fds`. The bytes received, 0 at end-of-file, or -errno.
template <std::size_t kParts, std::size_t kMax>
[[gnu::always_inline]] inline long raw_receive(int socket, iovec (&parts)[kParts], int (&fds)[kMax],
                                               std::size_t& fd_count) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMax * sizeof(int))];
  msghdr header{};
  header.msg_iov = parts;
  header.msg_iovlen = kParts;
  long size = 0;
  do {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    size = raw(SYS_recvmsg, socket, &header, MSG_CMSG_CLOEXEC);
  } while (size == -EINTR);
  fd_count = 0;
  if (size <= 0 || header.msg_controllen < sizeof(cmsghdr)) return size;
  const cmsghdr* passed = CMSG_FIRSTHDR(&header);
  fd_count = (passed->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t at = 0; at < fd_count; ++at) fds[at] = reinterpret_cast<const int*>(CMSG_DATA(passed))[at];
  return size;
}

}  // namespace hutch::sys
