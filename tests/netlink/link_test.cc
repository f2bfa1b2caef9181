#include "netlink/link.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cstring>

namespace hutch::netlink {
namespace {

TEST(LinkMessage, LookupByNameSkipsCounters) {
  const Message message = get_link_message("vmbr0");
  EXPECT_EQ(RTM_GETLINK, message.type());
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(2U, attributes.size());
  EXPECT_EQ("vmbr0", attributes[0].text());
  EXPECT_EQ(IFLA_EXT_MASK, attributes[1].type());
  EXPECT_EQ(static_cast<std::uint32_t>(RTEXT_FILTER_SKIP_STATS), attributes[1].u32());
  const Message counting = get_link_message("vmbr0", Counters::read);
  EXPECT_EQ(1U, attributes_of(counting.bytes(), sizeof(ifinfomsg)).size());
}

TEST(LinkMessage, ChangeHoldsWhatIsSet) {
  const Message unchanged = change_link_message(3, {});
  const auto empty = unchanged.bytes();
  EXPECT_EQ(3, header_of<ifinfomsg>(empty).ifi_index);
  EXPECT_EQ(0U, header_of<ifinfomsg>(empty).ifi_change);
  EXPECT_TRUE(attributes_of(empty, sizeof(ifinfomsg)).empty());

  LinkChange change;
  change.up = false;
  change.mtu = 1400;
  change.mac = MacAddress{1, 2, 3, 4, 5, 6};
  change.master = 0;
  change.name = "eth0";
  const Message message = change_link_message(3, change);
  EXPECT_EQ(static_cast<unsigned>(IFF_UP), header_of<ifinfomsg>(message.bytes()).ifi_change);
  EXPECT_EQ(0U, header_of<ifinfomsg>(message.bytes()).ifi_flags);
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(4U, attributes.size());
  EXPECT_EQ("eth0", attributes[0].text());
  EXPECT_EQ(6U, attributes[1].bytes().size());
  EXPECT_EQ(1400U, attributes[2].u32());
  EXPECT_EQ(IFLA_MASTER, attributes[3].type());
  EXPECT_EQ(0U, attributes[3].u32());
}

TEST(LinkMessage, BridgeHasNoForwardDelay) {
  const Message message = create_bridge_message("vmbr0");
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(2U, attributes.size());
  const auto info = attributes[1].nested();
  EXPECT_EQ("bridge", info.at(0).text());
  EXPECT_EQ(IFLA_BR_FORWARD_DELAY, info.at(1).nested().at(0).type());
  EXPECT_EQ(0U, info.at(1).nested().at(0).u32());
}

TEST(ParseLink, ReadsWhatTheKernelWrites) {
  Message message("", RTM_NEWLINK);
  ifinfomsg header{};
  header.ifi_index = 12;
  header.ifi_flags = IFF_UP | IFF_BROADCAST;
  message.put_header(header);
  message.put_string(IFLA_IFNAME, "vmbr0");
  message.put_u32(IFLA_MTU, 9000);
  message.put_mac(IFLA_ADDRESS, {0xfe, 0, 0, 0, 0, 0x0a});
  message.put_u32(IFLA_MASTER, 4);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] { message.put_u8(IFLA_BR_VLAN_FILTERING, 1); });
  });
  rtnl_link_stats64 stats{};
  stats.rx_bytes = 1ULL << 40;
  stats.tx_bytes = 2;
  stats.rx_packets = 3;
  stats.tx_packets = 4;
  std::array<std::uint8_t, sizeof stats> raw{};
  std::memcpy(raw.data(), &stats, sizeof stats);
  message.put_bytes(IFLA_STATS64, raw);
  const Link link = parse_link(message.bytes());
  EXPECT_EQ(12, link.index);
  EXPECT_EQ("vmbr0", link.name);
  EXPECT_EQ(9000U, link.mtu);
  EXPECT_EQ("FE:00:00:00:00:0A", link.mac);
  EXPECT_EQ(4, link.master);
  EXPECT_TRUE(link.is_up());
  EXPECT_TRUE(link.is_bridge());
  EXPECT_EQ(true, link.vlan_filtering);
  ASSERT_TRUE(link.counters);
  EXPECT_EQ(1ULL << 40, link.counters->rx_bytes);
  EXPECT_EQ(2U, link.counters->tx_bytes);
  EXPECT_EQ(3U, link.counters->rx_packets);
  EXPECT_EQ(4U, link.counters->tx_packets);
}

TEST(ParseLink, VlanFilteringIsForBridgesOnly) {
  Message message("", RTM_NEWLINK);
  message.put_header(ifinfomsg{});
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "vxlan");
    message.nest(IFLA_INFO_DATA, [&] { message.put_u8(IFLA_BR_VLAN_FILTERING, 1); });
  });
  const Link link = parse_link(message.bytes());
  EXPECT_EQ("vxlan", link.kind);
  EXPECT_FALSE(link.vlan_filtering);
  EXPECT_FALSE(link.is_up());
  EXPECT_FALSE(link.counters);
}

}  // namespace
}  // namespace hutch::netlink
