#include <gmock/gmock.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlink/link.h"
#include "netlink/socket.h"
#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

using ::testing::HasSubstr;

using SocketTest = NetworkNamespaces;

TEST_F(SocketTest, IsCloseOnExec) {
  EXPECT_EQ(FD_CLOEXEC, ::fcntl(host().fd(), F_GETFD));
}

TEST_F(SocketTest, WorksInItsOwnNamespaceOnly) {
  create_bridge(guest(), "inner");
  EXPECT_TRUE(find_link(guest(), "inner"));
  EXPECT_FALSE(find_link(host(), "inner"));
}

TEST_F(SocketTest, OpeningElsewhereReturnsHome) {
  struct stat before {
  }, after{};
  ASSERT_EQ(0, ::fstat(host_.get(), &before));
  Socket::in_namespace(guest_.get());
  ASSERT_EQ(0, ::stat("/proc/thread-self/ns/net", &after));
  EXPECT_EQ(before.st_ino, after.st_ino);
  const UniqueFd pipe = open_file(AT_FDCWD, "/dev/null", O_RDONLY);
  EXPECT_EQ(EINVAL, errno_of([&] { Socket::in_namespace(pipe.get()); }));
}

TEST_F(SocketTest, KeepsTheKernelsErrnoAndExplanation) {
  create_bridge(host(), "br0");
  const int index = find_link(host(), "br0")->index;
  LinkChange change;
  change.mtu = 1U << 30;
  EXPECT_EQ(EINVAL, errno_of([&] { change_link(host(), index, change); }));
  EXPECT_THAT(error_of([&] { change_link(host(), index, change); }),
              HasSubstr("(kernel: mtu greater than device maximum): EINVAL"));
}

TEST_F(SocketTest, SkipsAnswersToEarlierRequests) {
  // A request whose answer nobody read, under sequence numbers on both sides of the next one's.
  for (const std::uint32_t sequence : {0U, 70000U}) {
    std::vector<std::byte> datagram;
    create_bridge_message("stale" + std::to_string(sequence)).append_to(datagram, sequence);
    ASSERT_EQ(static_cast<ssize_t>(datagram.size()), ::write(host().fd(), datagram.data(), datagram.size()));
  }
  EXPECT_EQ("stale0", find_link(host(), "stale0")->name);
  EXPECT_EQ(EEXIST, errno_of([&] { create_bridge(host(), "stale0"); }));
  create_bridge(host(), "fresh");
  EXPECT_TRUE(find_link(host(), "fresh"));
}

TEST_F(SocketTest, BatchReportsTheFirstFailureAndDoesTheRest) {
  const std::vector<Message> messages{create_bridge_message("br1"), create_bridge_message("br1"),
                                      delete_link_message("absent"), create_bridge_message("br2")};
  EXPECT_THAT(error_of([&] { host().request_all(messages); }),
              HasSubstr("cannot create bridge 'br1': EEXIST (File exists)"));
  EXPECT_TRUE(find_link(host(), "br1"));
  EXPECT_TRUE(find_link(host(), "br2"));
  host().request_all({});
}

TEST_F(SocketTest, BatchOfManyCollectsEveryAnswer) {
  std::vector<Message> messages;
  for (int i = 0; i < 50; ++i) messages.push_back(loopback_up_message());
  host().request_all(messages);
  EXPECT_TRUE(find_link(host(), "lo")->is_up());
}

TEST_F(SocketTest, QueryWithoutReplyIsAnError) {
  EXPECT_EQ(EBADMSG, errno_of([&] { host().query(loopback_up_message()); }));
}

}  // namespace
}  // namespace hutch::netlink
