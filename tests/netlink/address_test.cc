#include "netlink/address.h"

#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

IpAddress ip(std::string_view text) {
  return parse_ip_address(text).value();
}
Cidr cidr(std::string_view text) {
  return parse_cidr(text).value();
}

TEST(IpAddress, ParsesAndPrints) {
  EXPECT_EQ("10.0.0.5", ip("10.0.0.5").text());
  EXPECT_EQ(4U, ip("10.0.0.5").bytes().size());
  EXPECT_EQ("2001:db8::1", ip("2001:0db8:0:0:0:0:0:1").text());
  EXPECT_EQ(16U, ip("::").bytes().size());
  for (const char* text : {"", "10.1", "10.0.0.256", "010.0.0.1.", " 10.0.0.1", "10.0.0.1 ", "fe80::1%eth0",
                           "::g", "1::2::3", "host"}) {
    EXPECT_FALSE(parse_ip_address(text)) << text;
  }
  EXPECT_FALSE(parse_ip_address(std::string_view("10.0.0.1\0x", 10)));
}

TEST(IpAddress, LinkLocal) {
  EXPECT_TRUE(ip("fe80::1").is_ipv6_link_local());
  EXPECT_TRUE(ip("febf::1").is_ipv6_link_local());
  EXPECT_FALSE(ip("fec0::1").is_ipv6_link_local());
  EXPECT_FALSE(ip("254.128.0.1").is_ipv6_link_local());
}

TEST(Cidr, ParsesAndPrints) {
  EXPECT_EQ("10.0.0.5/24", cidr("10.0.0.5/24").text());
  EXPECT_EQ("2001:db8::1/64", cidr("2001:db8::1/64").text());
  EXPECT_EQ(0U, cidr("0.0.0.0/0").prefix_length);
  for (const char* text : {"10.0.0.5", "10.0.0.5/", "10.0.0.5/33", "10.0.0.5/-1", "10.0.0.5/24/8", "::1/129",
                           "10.0.0.5/255.255.255.0", "/24", "10.0.0.5/ 24"}) {
    EXPECT_FALSE(parse_cidr(text)) << text;
  }
}

TEST(Cidr, Contains) {
  EXPECT_TRUE(cidr("10.0.0.5/24").contains(ip("10.0.0.254")));
  EXPECT_FALSE(cidr("10.0.0.5/24").contains(ip("10.0.1.1")));
  EXPECT_TRUE(cidr("10.0.0.5/22").contains(ip("10.0.3.1")));
  EXPECT_FALSE(cidr("10.0.0.5/22").contains(ip("10.0.4.1")));
  EXPECT_FALSE(cidr("10.0.0.5/32").contains(ip("10.0.0.4")));
  EXPECT_TRUE(cidr("10.0.0.5/32").contains(ip("10.0.0.5")));
  EXPECT_TRUE(cidr("10.0.0.5/0").contains(ip("200.0.0.1")));
  EXPECT_FALSE(cidr("0.0.0.0/0").contains(ip("::")));
  EXPECT_TRUE(cidr("2001:db8::1/63").contains(ip("2001:db8:0:1::9")));
  EXPECT_FALSE(cidr("2001:db8::1/64").contains(ip("2001:db8:0:1::9")));
}

TEST(AddressMessage, BroadcastOfAnIpv4Subnet) {
  const Message message = add_address_message(2, cidr("10.0.1.5/23"));
  const auto& header = header_of<ifaddrmsg>(message.bytes());
  EXPECT_EQ(AF_INET, header.ifa_family);
  EXPECT_EQ(23, header.ifa_prefixlen);
  EXPECT_EQ(2U, header.ifa_index);
  const auto attributes = attributes_of(message.bytes(), sizeof header);
  ASSERT_EQ(3U, attributes.size());
  EXPECT_EQ(IFA_BROADCAST, attributes[2].type());
  const auto broadcast = attributes[2].bytes();
  EXPECT_EQ((std::vector<std::uint8_t>{10, 0, 1, 255}), std::vector(broadcast.begin(), broadcast.end()));
  const Message pair = add_address_message(2, cidr("10.0.0.0/31"));
  EXPECT_EQ(2U, attributes_of(pair.bytes(), sizeof header).size());
  const Message six = add_address_message(2, cidr("2001:db8::1/64"));
  EXPECT_EQ(2U, attributes_of(six.bytes(), sizeof header).size());
}

TEST(RouteMessage, DefaultAndHostRoutes) {
  const Message message = add_default_route_message(2, ip("10.0.0.1"));
  EXPECT_EQ(0, header_of<rtmsg>(message.bytes()).rtm_dst_len);
  EXPECT_EQ(RT_TABLE_MAIN, header_of<rtmsg>(message.bytes()).rtm_table);
  const auto attributes = attributes_of(message.bytes(), sizeof(rtmsg));
  ASSERT_EQ(2U, attributes.size());
  EXPECT_EQ(RTA_GATEWAY, attributes[0].type());
  EXPECT_EQ(2U, attributes[1].u32());
  const Message host = add_host_route_message(2, ip("2001:db8::1"));
  EXPECT_EQ(128, header_of<rtmsg>(host.bytes()).rtm_dst_len);
  EXPECT_EQ(RTA_DST, attributes_of(host.bytes(), sizeof(rtmsg)).at(0).type());
}

TEST(InterfaceMessages, AddressesThenUpThenRoutes) {
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.index = 2;
  setup.addresses = {cidr("10.0.0.5/24"), cidr("2001:db8::5/64")};
  setup.gateway4 = ip("10.0.0.1");
  setup.gateway6 = ip("fe80::1");
  setup.up = true;
  std::vector<unsigned> types;
  for (const Message& message : interface_messages(setup)) types.push_back(message.type());
  EXPECT_EQ((std::vector<unsigned>{RTM_NEWADDR, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE, RTM_NEWROUTE}),
            types);
}

TEST(InterfaceMessages, GatewayOutsideTheSubnetGetsAHostRouteFirst) {
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.index = 2;
  setup.addresses = {cidr("10.0.0.5/32")};
  setup.gateway4 = ip("10.9.9.9");
  setup.up = true;
  const auto messages = interface_messages(setup);
  ASSERT_EQ(4U, messages.size());
  EXPECT_EQ(32, header_of<rtmsg>(messages[2].bytes()).rtm_dst_len);
  EXPECT_EQ(0, header_of<rtmsg>(messages[3].bytes()).rtm_dst_len);
}

TEST(InterfaceMessages, GatewayNeedsUpAndItsFamily) {
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.index = 2;
  setup.gateway4 = ip("10.0.0.1");
  EXPECT_EQ(EINVAL, errno_of([&] { interface_messages(setup); }));
  setup.up = true;
  EXPECT_EQ(0, errno_of([&] { interface_messages(setup); }));
  setup.gateway4 = ip("2001:db8::1");
  EXPECT_EQ(EINVAL, errno_of([&] { interface_messages(setup); }));
  setup.gateway4.reset();
  setup.gateway6 = ip("10.0.0.1");
  EXPECT_EQ(EINVAL, errno_of([&] { interface_messages(setup); }));
}

}  // namespace
}  // namespace hutch::netlink
