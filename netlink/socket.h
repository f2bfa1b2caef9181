#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "netlink/message.h"

namespace hutch::netlink {

// A NETLINK_ROUTE socket: the network namespace it was opened in is the one it works on, for ever. It asks
// for extended acknowledgements without an echo of the request (NETLINK_EXT_ACK, NETLINK_CAP_ACK).
//
// Every failure of the kernel is thrown as Error with the kernel's errno; the action is the message's,
// followed by the kernel's own explanation where it gave one:
//   cannot set the MTU of 'vmbr0' (kernel: mtu greater than device maximum): EINVAL (Invalid argument)
class Socket {
 public:
  // In the network namespace of the calling thread.
  Socket();
  // In the network namespace that `netns_fd` (borrowed) refers to. The calling thread enters it for the
  // moment of socket(2) and returns; if the return fails, the Error says so, and the thread must not go on.
  static Socket in_namespace(int netns_fd);

  // Sends one request and waits for its acknowledgement.
  void request(const Message& message);

  // Sends all requests in one datagram and waits for every acknowledgement. The kernel works through all of
  // them in order even when one fails; the Error is that of the first that failed.
  void request_all(std::span<const Message> messages);

  // Sends a "get" request for one object and returns the kernel's reply (a whole netlink message, see
  // header_of and attributes_of).
  std::vector<std::byte> query(const Message& message);

  int fd() const { return fd_.get(); }

 private:
  explicit Socket(UniqueFd fd);
  void send(std::span<const Message> messages, std::uint32_t sequence);
  std::size_t receive(std::span<std::byte> buffer, const Message& asked);
  std::vector<std::byte> exchange(std::span<const Message> messages);

  UniqueFd fd_;
  std::uint32_t next_sequence_ = 1;
  std::vector<std::byte> send_buffer_;
};

}  // namespace hutch::netlink
