#include "guest/networkd.h"

#include <gtest/gtest.h>

#include "guest/ip_network.h"
#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

TEST(Networkd, StaticWithOutsideGateways) {
  EXPECT_EQ(
      "[Match]\n"
      "Name = eth0\n"
      "\n"
      "[Network]\n"
      "Description = Interface eth0 autoconfigured by PVE\n"
      "Address = 10.0.0.100/32\n"
      "Gateway = 11.0.0.1\n"
      "Address = fd00::2/64\n"
      "Gateway = fd01::1\n"
      "DHCP = no\n"
      "IPv6AcceptRA = false\n"
      "\n"
      "[Route]\n"
      "Destination = 11.0.0.1/32\n"
      "Scope = link\n"
      "\n"
      "[Route]\n"
      "Destination = fd01::1/128\n"
      "Scope = link\n",
      network_unit(
          {.name = "eth0", .ip = "10.0.0.100/32", .gw = "11.0.0.1", .ip6 = "fd00::2/64", .gw6 = "fd01::1"}));
}

TEST(Networkd, DhcpAndRouterAdvertisements) {
  const auto tail = [](const std::string& ip, const std::string& ip6, const std::string& gw6 = "") {
    const auto text = network_unit({.name = "e", .ip = ip, .ip6 = ip6, .gw6 = gw6});
    return text.substr(text.find("PVE\n") + 4);
  };
  EXPECT_EQ("DHCP = no\nIPv6AcceptRA = false\n", tail("", ""));
  EXPECT_EQ("DHCP = no\nIPv6AcceptRA = false\n", tail("manual", "manual"));
  EXPECT_EQ("DHCP = ipv4\nIPv6AcceptRA = false\n", tail("dhcp", ""));
  EXPECT_EQ("DHCP = ipv6\nIPv6AcceptRA = true\n", tail("", "dhcp"));
  EXPECT_EQ("DHCP = yes\nIPv6AcceptRA = true\n", tail("dhcp", "dhcp"));
  EXPECT_EQ("DHCP = ipv4\nIPv6AcceptRA = true\n", tail("dhcp", "auto"));
  EXPECT_EQ("Gateway = fe80::1\nDHCP = no\nIPv6AcceptRA = false\n", tail("", "auto", "fe80::1"));
}

TEST(Networkd, WritesOneFilePerNamedInterface) {
  const TemporaryRootfs rootfs;
  write_network_units(rootfs.root(), {{.name = "eth0"}, {.name = ""}, {.name = "lan", .ip = "dhcp"}});
  EXPECT_EQ((std::vector<std::string>{"eth0.network", "lan.network"}),
            rootfs.root().list("/etc/systemd/network"));
}

TEST(IpNetwork, Subnets) {
  EXPECT_FALSE(IpNetwork::parse("10.0.0.2/24").needs_route_to("10.0.0.254"));
  EXPECT_TRUE(IpNetwork::parse("10.0.0.2/25").needs_route_to("10.0.0.254"));
  EXPECT_FALSE(IpNetwork::parse("10.0.0.2/0").needs_route_to("1.1.1.1"));
  EXPECT_TRUE(IpNetwork::parse("fd00::2/127").needs_route_to("fd00::4"));
  EXPECT_FALSE(IpNetwork::parse("fd00::2/127").needs_route_to("fd00::3"));
  EXPECT_FALSE(IpNetwork::parse("fd00::2/128").needs_route_to("febf::1"));
  EXPECT_TRUE(IpNetwork::parse("fd00::2/128").needs_route_to("fec0::1"));
  EXPECT_EQ("255.255.255.255", IpNetwork::parse("10.0.0.2/32").netmask());
  EXPECT_EQ("0.0.0.0", IpNetwork::parse("10.0.0.2/0").netmask());
  EXPECT_EQ("255.255.254.0", IpNetwork::parse("10.0.0.2/23").netmask());
  for (const auto* bad : {"", "10.0.0.2", "10.0.0/24", "fd00::2/129", "10.0.0.2/x", "10.0.0.2/"}) {
    EXPECT_THROW(IpNetwork::parse(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace hutch::guest
