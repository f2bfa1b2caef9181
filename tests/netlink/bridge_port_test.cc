#include "netlink/bridge_port.h"

#include <gtest/gtest.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

namespace hutch::netlink {
namespace {

std::vector<bridge_vlan_info> vlans_of(const Message& message) {
  std::vector<bridge_vlan_info> vlans;
  for (const auto& attribute : attributes_of(message.bytes(), sizeof(ifinfomsg))) {
    EXPECT_EQ(IFLA_AF_SPEC, attribute.type());
    for (const auto& part : attribute.nested()) {
      EXPECT_EQ(IFLA_BRIDGE_VLAN_INFO, part.type());
      bridge_vlan_info info{};
      EXPECT_EQ(sizeof info, part.bytes().size());
      std::memcpy(&info, part.bytes().data(), sizeof info);
      vlans.push_back(info);
    }
  }
  return vlans;
}

TEST(PortVlanMessage, ASingleIdIsOneEntry) {
  const Message message = port_vlan_message(7, {true, 5, 5, true});
  EXPECT_EQ(RTM_SETLINK, message.type());
  const auto& header = header_of<ifinfomsg>(message.bytes());
  EXPECT_EQ(AF_BRIDGE, header.ifi_family);
  EXPECT_EQ(7, header.ifi_index);
  const auto vlans = vlans_of(message);
  ASSERT_EQ(1U, vlans.size());
  EXPECT_EQ(5, vlans[0].vid);
  EXPECT_EQ(BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, vlans[0].flags);
}

TEST(PortVlanMessage, ARangeHasABeginAndAnEnd) {
  const Message message = port_vlan_message(7, {false, 1, 4094});
  EXPECT_EQ(RTM_DELLINK, message.type());
  const auto vlans = vlans_of(message);
  ASSERT_EQ(2U, vlans.size());
  EXPECT_EQ(1, vlans[0].vid);
  EXPECT_EQ(BRIDGE_VLAN_INFO_RANGE_BEGIN, vlans[0].flags);
  EXPECT_EQ(4094, vlans[1].vid);
  EXPECT_EQ(BRIDGE_VLAN_INFO_RANGE_END, vlans[1].flags);
}

TEST(StopPortLearningMessage, TakesOffLearningAndFlooding) {
  const Message message = stop_port_learning_message(7);
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(1U, attributes.size());
  EXPECT_EQ(IFLA_PROTINFO, attributes[0].type());
  const auto flags = attributes[0].nested();
  ASSERT_EQ(2U, flags.size());
  EXPECT_EQ(IFLA_BRPORT_LEARNING, flags[0].type());
  EXPECT_EQ(0, flags[0].u8());
  EXPECT_EQ(IFLA_BRPORT_UNICAST_FLOOD, flags[1].type());
  EXPECT_EQ(0, flags[1].u8());
}

TEST(StaticAddressMessage, IsAnEntryOfTheBridge) {
  const Message message = static_address_message(7, MacAddress{0xbc, 0x24, 0x11, 1, 2, 3});
  EXPECT_EQ(RTM_NEWNEIGH, message.type());
  const auto& header = header_of<ndmsg>(message.bytes());
  EXPECT_EQ(AF_BRIDGE, header.ndm_family);
  EXPECT_EQ(NUD_NOARP, header.ndm_state);
  EXPECT_EQ(NTF_MASTER, header.ndm_flags);
  const auto attributes = attributes_of(message.bytes(), sizeof(ndmsg));
  ASSERT_EQ(1U, attributes.size());
  EXPECT_EQ(NDA_LLADDR, attributes[0].type());
  EXPECT_EQ(0xbc, attributes[0].bytes()[0]);
}

}  // namespace
}  // namespace hutch::netlink
