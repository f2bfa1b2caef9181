#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "netlink/socket.h"
#include "tests/base/error_of.h"

namespace hutch::netlink {

inline UniqueFd current_network_namespace() {
  return open_file(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
}

// Two fresh network namespaces, "host" and "guest". The test runs in "host" and returns to where it came
// from at its end; both namespaces and everything in them vanish with their descriptors.
class NetworkNamespaces : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = current_network_namespace();
    if (::unshare(CLONE_NEWNET) < 0) {
      GTEST_SKIP() << "probe: cannot make a network namespace: " << errno_text(errno);
    }
    guest_ = current_network_namespace();
    check(::unshare(CLONE_NEWNET), "cannot make a second network namespace");
    host_ = current_network_namespace();
    host_socket_.emplace();
    guest_socket_.emplace(Socket::in_namespace(guest_.get()));
  }
  void TearDown() override {
    if (home_) check(::setns(home_.get(), CLONE_NEWNET), "cannot return to the first network namespace");
  }

  // Runs `body` with the thread in another namespace.
  template <typename Body>
  auto inside(const UniqueFd& netns, Body&& body) {
    struct Return {
      int fd;
      ~Return() { EXPECT_EQ(0, ::setns(fd, CLONE_NEWNET)); }
    } back{host_.get()};
    check(::setns(netns.get(), CLONE_NEWNET), "cannot enter a network namespace");
    return body();
  }

  Socket& host() { return *host_socket_; }
  Socket& guest() { return *guest_socket_; }

  UniqueFd home_;
  UniqueFd host_;
  UniqueFd guest_;

 private:
  std::optional<Socket> host_socket_;
  std::optional<Socket> guest_socket_;
};

}  // namespace hutch::netlink
