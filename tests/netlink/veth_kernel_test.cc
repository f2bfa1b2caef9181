#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <unistd.h>

#include "netlink/link.h"
#include "netlink/veth.h"
#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

class VethTest : public NetworkNamespaces {
 protected:
  VethRequest full_request() {
    create_bridge(host(), "vmbr0");
    VethRequest request;
    request.host_name = "veth100i0";
    request.host_mac = MacAddress{0xfe, 1, 2, 3, 4, 5};
    request.peer_name = "eth0";
    request.peer_mac = MacAddress{0xbc, 0x24, 0x11, 0, 0, 1};
    request.mtu = 1400;
    request.peer_netns_fd = guest_.get();
    request.master_index = find_link(host(), "vmbr0")->index;
    request.host_up = true;
    return request;
  }
};

TEST_F(VethTest, OneRequestDoesEverything) {
  const VethRequest request = full_request();
  create_veth(host(), request);
  const auto port = find_link(host(), "veth100i0");
  ASSERT_TRUE(port);
  EXPECT_EQ("veth", port->kind);
  EXPECT_EQ("FE:01:02:03:04:05", port->mac);
  EXPECT_EQ(1400U, port->mtu);
  EXPECT_EQ(request.master_index, port->master);
  EXPECT_TRUE(port->is_up());
  EXPECT_FALSE(find_link(host(), "eth0"));
  const auto peer = find_link(guest(), "eth0");
  ASSERT_TRUE(peer);
  EXPECT_EQ("BC:24:11:00:00:01", peer->mac);
  EXPECT_EQ(1400U, peer->mtu);
  EXPECT_EQ(0, peer->master);
  EXPECT_FALSE(peer->is_up());
}

// Why VethRequest cannot ask for a peer that is up. When this fails, the kernel has learned it.
TEST_F(VethTest, KernelRefusesAPeerThatIsBornUp) {
  Message message("cannot create a pair", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.put_header(ifinfomsg{});
  message.put_link_name(IFLA_IFNAME, "veth100i0");
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        ifinfomsg up{};
        up.ifi_flags = up.ifi_change = IFF_UP;
        message.put_header(up);
        message.put_link_name(IFLA_IFNAME, "eth0");
      });
    });
  });
  EXPECT_EQ(ENOTCONN, errno_of([&] { host().request(message); }));
}

// The host end has no carrier before the peer is up: nothing of IPv6 has happened on it yet.
TEST_F(VethTest, Ipv6CanBeDisabledBeforeTheFirstLinkLocalAddress) {
  const char* addresses = "/proc/net/if_inet6";
  if (!path_exists(AT_FDCWD, addresses)) GTEST_SKIP() << "probe: this kernel has no IPv6";
  create_veth(host(), full_request());
  EXPECT_THAT(read_file(AT_FDCWD, addresses), ::testing::Not(::testing::HasSubstr("veth100i0")));
  EXPECT_TRUE(disable_ipv6("veth100i0"));
  LinkChange up;
  up.up = true;
  change_link(guest(), find_link(guest(), "eth0")->index, up);
  // The kernel tells a link's carrier from a work queue (net/core/link_watch.c), and IPv6 with it.
  const auto running = [&] { return (find_link(host(), "veth100i0")->flags & IFF_RUNNING) != 0; };
  for (int attempt = 0; attempt < 5000 && !running(); ++attempt) ::usleep(1000);
  EXPECT_TRUE(running());
  EXPECT_THAT(read_file(AT_FDCWD, addresses), ::testing::Not(::testing::HasSubstr("veth100i0")));
}

TEST_F(VethTest, EndsStayDownUnlessAsked) {
  VethRequest request = full_request();
  request.host_up = false;
  create_veth(host(), request);
  EXPECT_FALSE(find_link(host(), "veth100i0")->is_up());
  EXPECT_FALSE(find_link(guest(), "eth0")->is_up());
}

TEST_F(VethTest, DeletingOneEndRemovesTheOther) {
  create_veth(host(), full_request());
  delete_link(host(), "veth100i0");
  EXPECT_FALSE(find_link(guest(), "eth0"));
}

TEST_F(VethTest, FailuresKeepTheErrnoAndLeaveNothing) {
  const VethRequest good = full_request();
  const auto failing = [&](auto change) {
    VethRequest request = good;
    change(request);
    return errno_of([&] { create_veth(host(), request); });
  };
  EXPECT_EQ(EEXIST, failing([](VethRequest& r) { r.host_name = "vmbr0"; }));
  EXPECT_EQ(EEXIST, failing([](VethRequest& r) { r.peer_name = "lo"; }));
  EXPECT_EQ(EINVAL, failing([](VethRequest& r) { r.mtu = 67; }));
  EXPECT_EQ(EINVAL, failing([](VethRequest& r) { r.mtu = 65536; }));
  EXPECT_EQ(ENAMETOOLONG, failing([](VethRequest& r) { r.host_name = "veth999999999i10"; }));
  EXPECT_NE(0, failing([](VethRequest& r) { r.master_index = 4711; }));
  EXPECT_NE(0, failing([](VethRequest& r) { r.master_index = 1; }));  // lo is no bridge
  EXPECT_NE(0, failing([](VethRequest& r) { r.peer_netns_fd = 1023; }));
  EXPECT_NE(0, failing([](VethRequest& r) { r.peer_mac = MacAddress{1, 0, 0, 0, 0, 0}; }));  // multicast
  EXPECT_FALSE(find_link(host(), "veth100i0"));
  EXPECT_FALSE(find_link(guest(), "eth0"));
  EXPECT_EQ(0, failing([](VethRequest&) {}));
  EXPECT_EQ(EEXIST, failing([](VethRequest& r) { r.host_name = "veth100i1"; }));  // eth0 is taken
  EXPECT_FALSE(find_link(host(), "veth100i1"));
}

}  // namespace
}  // namespace hutch::netlink
