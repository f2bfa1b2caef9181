#include "netlink/stacked_link.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace hutch::netlink {
namespace {

StackedLinkRequest request_for(StackedLinkRequest::Kind kind) {
  StackedLinkRequest request;
  request.kind = kind;
  request.name = "eth0";
  request.lower_index = 4;
  request.netns_fd = 33;
  return request;
}

// IFLA_INFO_DATA's attributes; checks the kind.
std::vector<Attribute> data_of(const Message& message, const std::string& kind) {
  const auto info = attributes_of(message.bytes(), sizeof(ifinfomsg)).back().nested();
  EXPECT_EQ(kind, info.at(0).text());
  EXPECT_EQ(IFLA_INFO_DATA, info.at(1).type());
  return info.at(1).nested();
}

TEST(StackedLinkMessage, MacvlanIsBornInsideWithItsName) {
  StackedLinkRequest request = request_for(StackedLinkRequest::Kind::macvlan);
  request.mac = MacAddress{0, 0x16, 0x3e, 1, 2, 3};
  request.mtu = 1400;
  request.mode = MACVLAN_MODE_BRIDGE;
  const Message message = create_stacked_link_message(request);
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(6U, attributes.size());
  EXPECT_EQ("eth0", attributes[0].text());
  EXPECT_EQ(IFLA_LINK, attributes[1].type());
  EXPECT_EQ(4U, attributes[1].u32());
  EXPECT_EQ(IFLA_NET_NS_FD, attributes[2].type());
  EXPECT_EQ(33U, attributes[2].u32());
  EXPECT_EQ(IFLA_ADDRESS, attributes[3].type());
  EXPECT_EQ(1400U, attributes[4].u32());
  const auto data = data_of(message, "macvlan");
  EXPECT_EQ(IFLA_MACVLAN_MODE, data.at(0).type());
  EXPECT_EQ(std::uint32_t{MACVLAN_MODE_BRIDGE}, data.at(0).u32());
}

TEST(StackedLinkMessage, IpvlanHasModeAndIsolation) {
  StackedLinkRequest request = request_for(StackedLinkRequest::Kind::ipvlan);
  request.mode = IPVLAN_MODE_L3S;
  request.ipvlan_flags = IPVLAN_F_PRIVATE;
  const auto message = create_stacked_link_message(request);
  const auto data = data_of(message, "ipvlan");
  ASSERT_EQ(2U, data.size());
  EXPECT_EQ(IFLA_IPVLAN_MODE, data[0].type());
  EXPECT_EQ(IPVLAN_MODE_L3S, data[0].u16());
  EXPECT_EQ(IFLA_IPVLAN_FLAGS, data[1].type());
  EXPECT_EQ(IPVLAN_F_PRIVATE, data[1].u16());
}

TEST(StackedLinkMessage, VlanHasItsId) {
  StackedLinkRequest request = request_for(StackedLinkRequest::Kind::vlan);
  request.vlan_id = 5;
  const auto message = create_stacked_link_message(request);
  const auto data = data_of(message, "vlan");
  ASSERT_EQ(1U, data.size());
  EXPECT_EQ(IFLA_VLAN_ID, data[0].type());
  EXPECT_EQ(5, data[0].u16());
}

}  // namespace
}  // namespace hutch::netlink
