#include "base/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"

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
