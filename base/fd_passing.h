#pragma once

#include <cstddef>
#include <span>

#include "base/unique_fd.h"

// One message of a SOCK_SEQPACKET socket with descriptors beside it (unix(7), SCM_RIGHTS).
namespace hutch {

// Sends all `size` bytes of `data`, and a copy of `fd` when that is >= 0. Throws; EPIPE: the peer is gone.
void send_with_fd(int socket, const void* data, std::size_t size, int fd = -1);
// The same with up to 253 descriptors (the kernel's SCM_MAX_FD).
void send_with_fds(int socket, const void* data, std::size_t size, std::span<const int> fds);

struct ReceivedMessage {
  std::size_t size = 0;  // bytes put into `data`; 0: end-of-file
  UniqueFd fd;           // close-on-exec
};

// Waits for a message; longer ones are cut to `size` bytes. Goes on after ECONNRESET: the peer ended with
// messages of ours unread, but what it sent before is still to come.
ReceivedMessage receive_with_fd(int socket, void* data, std::size_t size);

}  // namespace hutch
