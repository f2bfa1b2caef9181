#include "base/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "tests/base/error_of.h"

namespace hutch {
namespace {

class FdPassing : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
  UniqueFd ours;
  UniqueFd theirs;
};

TEST_F(FdPassing, ADescriptorArrivesCloseOnExec) {
  const UniqueFd null = open_file(AT_FDCWD, "/dev/null", O_RDONLY);
  const int sent = 42;
  send_with_fd(ours.get(), &sent, sizeof sent, null.get());
  int got = 0;
  const ReceivedMessage received = receive_with_fd(theirs.get(), &got, sizeof got);
  EXPECT_EQ(got, 42);
  EXPECT_EQ(received.size, sizeof got);
  ASSERT_TRUE(received.fd);
  struct stat first {
  }, second{};
  ASSERT_EQ(::fstat(null.get(), &first), 0);
  ASSERT_EQ(::fstat(received.fd.get(), &second), 0);
  EXPECT_EQ(first.st_rdev, second.st_rdev);
  EXPECT_EQ(::fcntl(received.fd.get(), F_GETFD), FD_CLOEXEC);
}

// The descriptors of the next message, in their order.
std::vector<UniqueFd> receive_all(int socket, int& data) {
  iovec part{&data, sizeof data};
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  check(::recvmsg(socket, &header, MSG_CMSG_CLOEXEC), "cannot receive");
  EXPECT_EQ(header.msg_flags & (MSG_CTRUNC | MSG_TRUNC), 0);
  std::vector<UniqueFd> fds;
  const cmsghdr* cmsg = CMSG_FIRSTHDR(&header);
  if (cmsg == nullptr) return fds;
  EXPECT_EQ(cmsg->cmsg_type, SCM_RIGHTS);
  for (std::size_t at = 0; CMSG_LEN((at + 1) * sizeof(int)) <= cmsg->cmsg_len; ++at) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(cmsg) + at * sizeof fd, sizeof fd);
    fds.emplace_back(fd);
  }
  return fds;
}

dev_t device_of(int fd) {
  struct stat status {};
  check(::fstat(fd, &status), "cannot fstat");
  return status.st_rdev;
}

TEST_F(FdPassing, SeveralDescriptorsArriveInTheirOrder) {
  std::vector<UniqueFd> sources;
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full"}) {
    sources.push_back(open_file(AT_FDCWD, path, O_RDONLY));
  }
  for (const std::size_t count : {1U, 2U, 3U, 253U}) {
    std::vector<int> fds;
    for (std::size_t at = 0; at < count; ++at) fds.push_back(sources[at % sources.size()].get());
    const int sent = 42;
    send_with_fds(ours.get(), &sent, sizeof sent, fds);
    int got = 0;
    const auto received = receive_all(theirs.get(), got);
    EXPECT_EQ(got, 42);
    ASSERT_EQ(received.size(), count);
    for (std::size_t at = 0; at < count; ++at) {
      EXPECT_EQ(device_of(received[at].get()), device_of(fds[at])) << at;
    }
  }
}

TEST_F(FdPassing, NoDescriptorsAndTooManyOfThem) {
  const int sent = 7;
  send_with_fds(ours.get(), &sent, sizeof sent, {});
  int got = 0;
  EXPECT_TRUE(receive_all(theirs.get(), got).empty());
  EXPECT_EQ(got, 7);
  const std::vector<int> many(254, ours.get());
  EXPECT_EQ(errno_of([&] { send_with_fds(ours.get(), &sent, sizeof sent, many); }), EINVAL);
}

TEST_F(FdPassing, WithoutADescriptorAndAtTheEnd) {
  const char text[] = "text";
  send_with_fd(ours.get(), text, sizeof text);
  char got[16];
  EXPECT_FALSE(receive_with_fd(theirs.get(), got, sizeof got).fd);
  ours.reset();
  EXPECT_EQ(receive_with_fd(theirs.get(), got, sizeof got).size, 0U);
}

TEST_F(FdPassing, WhatAPeerSentBeforeItEndedIsNotLost) {
  const char text[] = "last words";
  send_with_fd(theirs.get(), text, sizeof text);
  send_with_fd(ours.get(), text, sizeof text);  // never read: the peer's end is a reset
  theirs.reset();
  char got[16] = {};
  EXPECT_EQ(receive_with_fd(ours.get(), got, sizeof got).size, sizeof text);
  EXPECT_STREQ(got, "last words");
  EXPECT_EQ(receive_with_fd(ours.get(), got, sizeof got).size, 0U);
}

TEST_F(FdPassing, AGonePeerIsEpipe) {
  theirs.reset();
  try {
    send_with_fd(ours.get(), "x", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EPIPE);
  }
}

}  // namespace
}  // namespace hutch
