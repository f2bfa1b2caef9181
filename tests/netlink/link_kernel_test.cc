#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/text.h"
#include "netlink/link.h"
#include "netlink/veth.h"
#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

using ::testing::HasSubstr;

using LinkTest = NetworkNamespaces;

TEST_F(LinkTest, LoopbackComesUp) {
  EXPECT_FALSE(find_link(host(), "lo")->is_up());
  set_loopback_up(host());
  const auto lo = find_link(host(), "lo");
  EXPECT_TRUE(lo->is_up());
  EXPECT_EQ(1, lo->index);
  EXPECT_EQ("", lo->kind);
  EXPECT_EQ("lo", find_link(host(), 1)->name);
}

TEST_F(LinkTest, MissingLinkIsNothing) {
  EXPECT_FALSE(find_link(host(), "absent"));
  EXPECT_FALSE(find_link(host(), 4711));
  EXPECT_EQ(ENODEV, errno_of([&] { delete_link(host(), "absent"); }));
}

TEST_F(LinkTest, BridgeIsCreatedFoundAndDeleted) {
  create_bridge(host(), "vmbr0");
  const Link bridge = find_bridge(host(), "vmbr0");
  EXPECT_TRUE(bridge.is_bridge());
  EXPECT_EQ(false, bridge.vlan_filtering);
  EXPECT_EQ(1500U, bridge.mtu);
  EXPECT_FALSE(bridge.is_up());
  EXPECT_TRUE(find_link(host(), "vmbr0", Counters::read)->counters);
  EXPECT_EQ(EEXIST, errno_of([&] { create_bridge(host(), "vmbr0"); }));
  delete_link(host(), "vmbr0");
  EXPECT_FALSE(find_link(host(), "vmbr0"));
}

TEST_F(LinkTest, VlanAwareBridgeIsRecognized) {
  Message message("cannot create a VLAN-aware bridge", RTM_NEWLINK, NLM_F_CREATE);
  message.put_header(ifinfomsg{});
  message.put_link_name(IFLA_IFNAME, "vmbr1");
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] { message.put_u8(IFLA_BR_VLAN_FILTERING, 1); });
  });
  const int refused = errno_of([&] { host().request(message); });
  if (refused != 0) GTEST_SKIP() << "probe: no VLAN-aware bridges on this kernel: " << errno_text(refused);
  EXPECT_EQ(true, find_bridge(host(), "vmbr1").vlan_filtering);
}

TEST_F(LinkTest, FindBridgeSaysWhatIsWrong) {
  EXPECT_THAT(error_of([&] { find_bridge(host(), "vmbr0"); }),
              HasSubstr("bridge 'vmbr0' does not exist: ENODEV"));
  EXPECT_EQ(EINVAL, errno_of([&] { find_bridge(host(), "lo"); }));
}

TEST_F(LinkTest, ChangesMtuMacNameAndState) {
  create_bridge(host(), "br0");
  const int index = find_link(host(), "br0")->index;
  LinkChange change;
  change.name = "br1";
  change.mtu = 1400;
  change.mac = MacAddress{0x02, 0, 0, 0, 0, 1};
  change.up = true;
  change_link(host(), index, change);
  const auto link = find_link(host(), "br1");
  ASSERT_TRUE(link);
  EXPECT_EQ(1400U, link->mtu);
  EXPECT_EQ("02:00:00:00:00:01", link->mac);
  EXPECT_TRUE(link->is_up());
  LinkChange down;
  down.up = false;
  change_link(host(), index, down);
  EXPECT_FALSE(find_link(host(), index)->is_up());
}

TEST_F(LinkTest, JoinsAndLeavesABridge) {
  create_bridge(host(), "br0");
  VethRequest request;
  request.host_name = "veth100i0";
  request.peer_name = "peer";
  create_veth(host(), request);
  const int port = find_link(host(), "veth100i0")->index;
  LinkChange change;
  change.master = find_link(host(), "br0")->index;
  change_link(host(), port, change);
  EXPECT_EQ(change.master, find_link(host(), port)->master);
  change.master = 0;
  change_link(host(), port, change);
  EXPECT_EQ(0, find_link(host(), port)->master);
  change.master = 4711;
  EXPECT_NE(0, errno_of([&] { change_link(host(), port, change); }));
}

TEST_F(LinkTest, Ipv6IsDisabledOnALink) {
  if (!path_exists(AT_FDCWD, "/proc/sys/net/ipv6/conf")) GTEST_SKIP() << "probe: this kernel has no IPv6";
  create_bridge(host(), "br0");
  const char* path = "/proc/sys/net/ipv6/conf/br0/disable_ipv6";
  EXPECT_EQ("0", trim(read_file(AT_FDCWD, path)));
  EXPECT_TRUE(disable_ipv6("br0"));
  EXPECT_EQ("1", trim(read_file(AT_FDCWD, path)));
  EXPECT_EQ(ENODEV, errno_of([] { disable_ipv6("absent"); }));
  EXPECT_EQ(EINVAL, errno_of([] { disable_ipv6(".."); }));
}

TEST_F(LinkTest, LinkBelowTheIpv6MinimumMtuHasNoIpv6ToDisable) {
  create_bridge(host(), "br0");
  LinkChange change;
  change.mtu = 1000;
  change_link(host(), find_link(host(), "br0")->index, change);
  if (path_exists(AT_FDCWD, "/proc/sys/net/ipv6/conf/br0")) {
    GTEST_SKIP() << "probe: this kernel keeps IPv6 settings for a link with a small MTU";
  }
  EXPECT_FALSE(disable_ipv6("br0"));
}

}  // namespace
}  // namespace hutch::netlink
