#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace hutch::netlink {

// An IPv4 or IPv6 address in network byte order.
struct IpAddress {
  int family = 0;  // AF_INET, AF_INET6; 0 for none
  std::array<std::uint8_t, 16> octets{};

  bool operator==(const IpAddress&) const = default;
  std::span<const std::uint8_t> bytes() const { return {octets.data(), size()}; }
  std::size_t size() const;  // 4 or 16
  std::string text() const;  // inet_ntop(3)
  // fe80::/10; reachable on its link whatever the addresses there are.
  bool is_ipv6_link_local() const;
};

// An interface address with the length of its subnet's prefix.
struct Cidr {
  IpAddress address;
  unsigned prefix_length = 0;  // bits: 0..32 or 0..128

  bool operator==(const Cidr&) const = default;
  std::string text() const;  // "10.0.0.5/24"
  // Whether `other` is of the same family and inside the subnet.
  bool contains(const IpAddress& other) const;
};

// inet_pton(3)'s forms, nothing else: no blanks, no zone ("fe80::1%eth0"), no short IPv4 ("10.1").
std::optional<IpAddress> parse_ip_address(std::string_view text);
// "<address>/<prefix length>"; the length is required.
std::optional<Cidr> parse_cidr(std::string_view text);

// Adds an address to a link. EEXIST: the link has it already.
void add_address(Socket& socket, int index, const Cidr& address);
void delete_address(Socket& socket, int index, const Cidr& address);

// Routes to a subnet directly over the link, without a next hop. EEXIST: there is one.
void add_link_route(Socket& socket, int index, const Cidr& target);
// ESRCH: there is none.
void delete_link_route(Socket& socket, int index, const Cidr& target);
// Makes the link answer for an address that is not on it (proxy ARP, proxy NDP), also after it has lost its
// carrier, until the link is set down. EEXIST: it does already.
void add_neighbour_proxy(Socket& socket, int index, const IpAddress& address);
// ENOENT: it did not.
void delete_neighbour_proxy(Socket& socket, int index, const IpAddress& address);

// Gives the family its default route over `gateway` in place of any other, with a host route first when no
// subnet of the link holds the gateway.
void replace_default_route(Socket& socket, int index, const IpAddress& gateway);
// ESRCH: there is none.
void delete_default_route(Socket& socket, int index, int family);

// How an interface inside a container is set up by the host.
struct InterfaceSetup {
  std::string name;
  int index = 0;  // 0: looked up by name
  std::vector<Cidr> addresses;
  // For an IPv4 address a broadcast address other than the subnet's last one.
  std::vector<std::pair<Cidr, IpAddress>> addresses_with_broadcast = {};
  std::optional<IpAddress> gateway4;
  std::optional<IpAddress> gateway6;
  bool default_route4 = false;  // over the link itself, in place of a gateway
  bool default_route6 = false;
  bool up = false;  // required by the gateways
};

// Sets an interface up through a socket of the container's network namespace, in one datagram: addresses,
// up, then routes (a route needs a link that is up). A gateway outside all subnets given here (and not IPv6
// link-local) gets its host route first. ENODEV when no link has that name; EINVAL for a gateway without
// `up` or of the wrong family.
void configure_interface(Socket& socket, const InterfaceSetup& setup);

// The requests behind the functions above.
Message add_address_message(int index, const Cidr& address,
                            const std::optional<IpAddress>& broadcast = std::nullopt);
Message link_route_message(int index, const Cidr& target, bool add);
Message neighbour_proxy_message(int index, const IpAddress& address, bool add);
Message add_default_link_route_message(int index, int family);
Message replace_default_route_message(int index, const IpAddress& gateway);
Message delete_default_route_message(int index, int family);
Message delete_address_message(int index, const Cidr& address);
Message add_default_route_message(int index, const IpAddress& gateway);
// A route to one address directly on the link.
Message add_host_route_message(int index, const IpAddress& target);
// What configure_interface sends; `setup.index` must be set.
std::vector<Message> interface_messages(const InterfaceSetup& setup);

}  // namespace hutch::netlink
