#include "netlink/socket.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch::netlink {

namespace {

// The kernel's own limit for what it puts into one datagram (NLMSG_GOODSIZE is below it).
constexpr std::size_t kReceiveSize = 32768;

// -1 with errno, so that a caller inside another namespace can return before it throws.
int open_route_socket() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return -1;
  const int on = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK}) {
    if (::setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof on) < 0) {
      const int saved = errno;
      fd.reset();
      errno = saved;
      return -1;
    }
  }
  return fd.release();
}

Error refusal(const Message& message, const Acknowledgement& answer) {
  const std::string explained = answer.text.empty() ? "" : formatted(" (kernel: {})", answer.text);
  return Error(message.action() + explained, answer.error_number);
}

}  // namespace

Socket::Socket() : fd_(open_route_socket()) {
  if (!fd_) throw_errno("cannot open a netlink socket");
}

Socket::Socket(UniqueFd fd) : fd_(std::move(fd)) {}

Socket Socket::in_namespace(int netns_fd) {
  const UniqueFd home = open_file(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
  check(::setns(netns_fd, CLONE_NEWNET), "cannot enter a network namespace");
  UniqueFd fd(open_route_socket());
  const int failure = fd ? 0 : errno;
  check(::setns(home.get(), CLONE_NEWNET),
        "cannot return from another network namespace; this thread is in the wrong one now");
  if (!fd) throw Error("cannot open a netlink socket in another network namespace", failure);
  return Socket(std::move(fd));
}

void Socket::send(std::span<const Message> messages, std::uint32_t sequence) {
  send_buffer_.clear();
  for (const Message& message : messages) message.append_to(send_buffer_, sequence++);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const void* address = &kernel;
  for (;;) {
    const ssize_t sent = ::sendto(fd_.get(), send_buffer_.data(), send_buffer_.size(), 0,
                                  static_cast<const sockaddr*>(address), sizeof kernel);
    if (sent >= 0) return;
    if (errno != EINTR) throw_errno(messages.front().action());
  }
}

std::size_t Socket::receive(std::span<std::byte> buffer, const Message& asked) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer.data(), buffer.size()};
    msghdr datagram{};
    datagram.msg_name = &sender;
    datagram.msg_namelen = sizeof sender;
    datagram.msg_iov = &part;
    datagram.msg_iovlen = 1;
    const ssize_t size = ::recvmsg(fd_.get(), &datagram, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw_errno(asked.action() + ": no answer from the kernel");
    if (sender.nl_pid != 0) continue;  // only port 0 is the kernel
    if ((datagram.msg_flags & MSG_TRUNC) != 0) {
      throw Error(asked.action() + ": the kernel's answer is too long", EMSGSIZE);
    }
    if (size == 0) throw Error(asked.action() + ": empty answer from the kernel", EBADMSG);
    return static_cast<std::size_t>(size);
  }
}

// Sends, and receives until every message has its answer; returns the last one that is not an
// acknowledgement.
std::vector<std::byte> Socket::exchange(std::span<const Message> messages) {
  const std::uint32_t first = next_sequence_;
  next_sequence_ += static_cast<std::uint32_t>(messages.size());
  send(messages, first);
  std::vector<std::byte> reply;
  std::vector<bool> answered(messages.size());
  std::optional<std::size_t> failed;
  Acknowledgement failure;
  alignas(nlmsghdr) std::byte buffer[kReceiveSize];
  for (std::size_t open = messages.size(); open > 0;) {
    const std::size_t size = receive(buffer, messages.front());
    for (const auto answer : messages_of({buffer, size})) {
      const void* start = answer.data();
      const auto* header = static_cast<const nlmsghdr*>(start);
      // Unsigned distance: answers to earlier requests, which an exception left unread, are far outside.
      const std::uint32_t position = header->nlmsg_seq - first;
      if (position >= messages.size() || answered[position]) continue;
      answered[position] = true;
      --open;
      if (header->nlmsg_type != NLMSG_ERROR) {
        reply.assign(answer.begin(), answer.end());
        continue;
      }
      Acknowledgement acknowledgement = parse_acknowledgement(answer);
      if (acknowledgement.error_number != 0 && (!failed || position < *failed)) {
        failed = position;
        failure = std::move(acknowledgement);
      }
    }
  }
  if (failed) throw refusal(messages[*failed], failure);
  return reply;
}

void Socket::request(const Message& message) {
  exchange({&message, 1});
}

void Socket::request_all(std::span<const Message> messages) {
  if (!messages.empty()) exchange(messages);
}

std::vector<std::byte> Socket::query(const Message& message) {
  std::vector<std::byte> reply = exchange({&message, 1});
  if (reply.empty()) throw Error(message.action() + ": the kernel acknowledged but sent no reply", EBADMSG);
  return reply;
}

}  // namespace hutch::netlink
