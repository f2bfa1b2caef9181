#include "netlink/veth.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

VethRequest full_request() {
  VethRequest request;
  request.host_name = "veth100i0";
  request.host_mac = MacAddress{0xfe, 1, 2, 3, 4, 5};
  request.peer_name = "eth0";
  request.peer_mac = MacAddress{0xbc, 0x24, 0x11, 0, 0, 1};
  request.mtu = 1400;
  request.peer_netns_fd = 33;
  request.master_index = 4;
  request.host_up = true;
  return request;
}

std::vector<Attribute> peer_attribute(const Message& message) {
  const auto attributes = attributes_of(message.bytes(), sizeof(ifinfomsg));
  const auto info = attributes.back().nested();
  EXPECT_EQ("veth", info.at(0).text());
  return info.at(1).nested();
}

TEST(VethMessage, OneRequestDescribesBothEnds) {
  const Message message = create_veth_message(full_request());
  EXPECT_EQ(RTM_NEWLINK, message.type());
  EXPECT_EQ(static_cast<unsigned>(IFF_UP), header_of<ifinfomsg>(message.bytes()).ifi_flags);
  const auto host = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(7U, host.size());
  EXPECT_EQ("veth100i0", host[0].text());
  EXPECT_EQ(0xfe, host[1].bytes()[0]);
  EXPECT_EQ(1400U, host[2].u32());
  // One queue at each end from the start: nothing for the kernel to take back.
  EXPECT_EQ(IFLA_NUM_TX_QUEUES, host[3].type());
  EXPECT_EQ(1U, host[3].u32());
  EXPECT_EQ(IFLA_NUM_RX_QUEUES, host[4].type());
  EXPECT_EQ(1U, host[4].u32());
  EXPECT_EQ(IFLA_MASTER, host[5].type());
  EXPECT_EQ(4U, host[5].u32());
  const auto data = peer_attribute(message);
  ASSERT_EQ(1U, data.size());
  EXPECT_EQ(VETH_INFO_PEER, data[0].type());
  // ifinfomsg, name (12), MAC (12), MTU (8), queues (2 x 8), namespace (8)
  EXPECT_EQ(sizeof(ifinfomsg) + 56, data[0].bytes().size());
}

TEST(VethMessage, LeavesOutWhatIsUnset) {
  VethRequest request;
  request.host_name = "veth100i0";
  request.peer_name = "eth0";
  const Message message = create_veth_message(request);
  EXPECT_EQ(0U, header_of<ifinfomsg>(message.bytes()).ifi_change);
  const auto host = attributes_of(message.bytes(), sizeof(ifinfomsg));
  ASSERT_EQ(4U, host.size());
  EXPECT_EQ(sizeof(ifinfomsg) + 28, peer_attribute(message).at(0).bytes().size());
}

TEST(VethMessage, NamesAreChecked) {
  VethRequest request = full_request();
  request.peer_name = "a-name-too-long-";
  EXPECT_EQ(ENAMETOOLONG, errno_of([&] { create_veth_message(request); }));
  request = full_request();
  request.host_name = "veth/0";
  EXPECT_EQ(EINVAL, errno_of([&] { create_veth_message(request); }));
}

}  // namespace
}  // namespace hutch::netlink
