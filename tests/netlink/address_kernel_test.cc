#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/veth.h"
#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

using ::testing::HasSubstr;

IpAddress ip(std::string_view text) {
  return parse_ip_address(text).value();
}
Cidr cidr(std::string_view text) {
  return parse_cidr(text).value();
}

// A bridge with 10.10.10.1/24 in "host", and eth0 (down) of "guest" behind its port.
class AddressTest : public NetworkNamespaces {
 protected:
  void SetUp() override {
    NetworkNamespaces::SetUp();
    if (IsSkipped()) return;
    create_bridge(host(), "vmbr0");
    bridge_ = find_link(host(), "vmbr0")->index;
    InterfaceSetup bridge;
    bridge.name = "vmbr0";
    bridge.addresses = {cidr("10.10.10.1/24")};
    bridge.up = true;
    configure_interface(host(), bridge);
    VethRequest request;
    request.host_name = "veth100i0";
    request.host_mac = random_host_mac();
    request.peer_name = "eth0";
    request.peer_netns_fd = guest_.get();
    request.master_index = bridge_;
    request.host_up = true;
    create_veth(host(), request);
    disable_ipv6("veth100i0");
    eth0_ = find_link(guest(), "eth0")->index;
  }

  // The device of the guest's route to `target`, 0 without one.
  int route_device(const IpAddress& target) {
    Message message("cannot look up a route", RTM_GETROUTE);
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(target.family);
    header.rtm_dst_len = static_cast<std::uint8_t>(target.size() * 8);
    message.put_header(header);
    message.put_bytes(RTA_DST, target.bytes());
    try {
      const auto reply = guest().query(message);
      for (const Attribute& attribute : attributes_of(reply, sizeof header)) {
        if (attribute.type() == RTA_OIF) return static_cast<int>(attribute.u32());
      }
    } catch (const Error&) {
    }
    return 0;
  }

  int bridge_ = 0;
  int eth0_ = 0;
};

UniqueFd udp_socket(const sockaddr_in& local) {
  UniqueFd fd(check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "cannot open a UDP socket"));
  const void* address = &local;
  check(::bind(fd.get(), static_cast<const sockaddr*>(address), sizeof local), "cannot bind a UDP socket");
  const timeval limit{5, 0};
  check(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "cannot set a time limit");
  return fd;
}

sockaddr_in endpoint(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

std::string pass_packet(const UniqueFd& from, const sockaddr_in& to, const UniqueFd& receiver) {
  const void* address = &to;
  check(::sendto(from.get(), "hello", 5, 0, static_cast<const sockaddr*>(address), sizeof to), "cannot send");
  char buffer[16];
  const ssize_t size = check(::recv(receiver.get(), buffer, sizeof buffer, 0), "nothing was received");
  return std::string(buffer, static_cast<std::size_t>(size));
}

TEST_F(AddressTest, PacketsPassBetweenHostAndGuest) {
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.index = eth0_;
  setup.addresses = {cidr("10.10.10.2/24")};
  setup.gateway4 = ip("10.10.10.1");
  setup.up = true;
  configure_interface(guest(), setup);
  const UniqueFd outer = udp_socket(endpoint("10.10.10.1", 4000));
  const UniqueFd inner = inside(guest_, [] { return udp_socket(endpoint("10.10.10.2", 4000)); });
  EXPECT_EQ("hello", pass_packet(outer, endpoint("10.10.10.2", 4000), inner));
  EXPECT_EQ("hello", pass_packet(inner, endpoint("10.10.10.1", 4000), outer));
  EXPECT_LT(0U, find_link(guest(), "eth0", Counters::read)->counters->rx_bytes);
}

TEST_F(AddressTest, GatewayOutsideTheSubnet) {
  // The host answers for 10.99.0.1, which no subnet of the guest holds.
  add_address(host(), bridge_, cidr("10.99.0.1/32"));
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.addresses = {cidr("10.10.10.2/32")};
  setup.gateway4 = ip("10.99.0.1");
  setup.up = true;
  configure_interface(guest(), setup);
  EXPECT_EQ(eth0_, route_device(ip("10.99.0.1")));
  EXPECT_EQ(eth0_, route_device(ip("192.0.2.1")));
  const UniqueFd outer = udp_socket(endpoint("10.99.0.1", 4000));
  const UniqueFd inner = inside(guest_, [] { return udp_socket(endpoint("10.10.10.2", 4000)); });
  EXPECT_EQ("hello", pass_packet(inner, endpoint("10.99.0.1", 4000), outer));
}

TEST_F(AddressTest, DefaultRouteAloneFallsBackToAHostRoute) {
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.addresses = {cidr("10.10.10.2/24")};
  setup.up = true;
  configure_interface(guest(), setup);
  EXPECT_EQ(0, route_device(ip("192.0.2.1")));
  replace_default_route(guest(), eth0_, ip("10.99.0.1"));
  EXPECT_EQ(eth0_, route_device(ip("10.99.0.1")));
  EXPECT_EQ(eth0_, route_device(ip("192.0.2.1")));
}

TEST_F(AddressTest, Ipv6AddressesAndGateways) {
  if (!path_exists(AT_FDCWD, "/proc/sys/net/ipv6/conf")) GTEST_SKIP() << "probe: this kernel has no IPv6";
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.addresses = {cidr("2001:db8::2/64")};
  setup.gateway6 = ip("2001:db8::1");
  setup.up = true;
  configure_interface(guest(), setup);
  EXPECT_EQ(eth0_, route_device(ip("2001:db8:1::1")));
}

TEST_F(AddressTest, Ipv6GatewayOutsideTheSubnetAndLinkLocal) {
  if (!path_exists(AT_FDCWD, "/proc/sys/net/ipv6/conf")) GTEST_SKIP() << "probe: this kernel has no IPv6";
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.addresses = {cidr("2001:db8::2/128")};
  setup.up = true;
  configure_interface(guest(), setup);
  replace_default_route(guest(), eth0_, ip("2001:db8:99::1"));
  EXPECT_EQ(eth0_, route_device(ip("2001:db8:99::1")));
  EXPECT_EQ(eth0_, route_device(ip("2001:db8:1::1")));
}

TEST_F(AddressTest, Ipv6LinkLocalGatewayNeedsNoAddress) {
  if (!path_exists(AT_FDCWD, "/proc/sys/net/ipv6/conf")) GTEST_SKIP() << "probe: this kernel has no IPv6";
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.gateway6 = ip("fe80::1");
  setup.up = true;
  configure_interface(guest(), setup);
  EXPECT_EQ(eth0_, route_device(ip("2001:db8:1::1")));
}

TEST_F(AddressTest, AddressIsAddedOnceAndDeleted) {
  add_address(guest(), eth0_, cidr("10.10.10.2/24"));
  EXPECT_EQ(EEXIST, errno_of([&] { add_address(guest(), eth0_, cidr("10.10.10.2/24")); }));
  delete_address(guest(), eth0_, cidr("10.10.10.2/24"));
  EXPECT_EQ(EADDRNOTAVAIL, errno_of([&] { delete_address(guest(), eth0_, cidr("10.10.10.2/24")); }));
  EXPECT_EQ(ENODEV, errno_of([&] { add_address(guest(), 99, cidr("10.10.10.2/24")); }));
}

TEST_F(AddressTest, ErrorsNameTheInterface) {
  InterfaceSetup setup;
  setup.name = "eth7";
  EXPECT_THAT(error_of([&] { configure_interface(guest(), setup); }),
              HasSubstr("'eth7': there is no such link: ENODEV"));
  setup.name = "eth0";
  setup.addresses = {cidr("10.10.10.2/24"), cidr("10.10.10.2/24")};
  EXPECT_THAT(error_of([&] { configure_interface(guest(), setup); }),
              HasSubstr("cannot set up interface 'eth0': cannot add address 10.10.10.2/24 to link "));
}

TEST_F(AddressTest, WithoutUpTheInterfaceStaysDown) {
  InterfaceSetup setup;
  setup.name = "eth0";
  setup.addresses = {cidr("10.10.10.2/24")};
  configure_interface(guest(), setup);
  EXPECT_FALSE(find_link(guest(), "eth0")->is_up());
}

}  // namespace
}  // namespace hutch::netlink
