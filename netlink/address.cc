#include "netlink/address.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "netlink/link.h"

namespace hutch::netlink {

namespace {

constexpr unsigned kBitsPerOctet = 8;

unsigned bit_length(const IpAddress& address) {
  return static_cast<unsigned>(address.size()) * kBitsPerOctet;
}

// The octet of a netmask of `prefix_length` bits at `position`.
std::uint8_t mask_octet(unsigned prefix_length, std::size_t position) {
  const auto before = static_cast<unsigned>(position) * kBitsPerOctet;
  const unsigned bits = std::clamp(prefix_length, before, before + kBitsPerOctet) - before;
  return static_cast<std::uint8_t>(0xff00U >> bits);
}

IpAddress broadcast_of(const Cidr& subnet) {
  IpAddress address = subnet.address;
  for (std::size_t i = 0; i < address.size(); ++i) {
    address.octets[i] |= static_cast<std::uint8_t>(~mask_octet(subnet.prefix_length, i));
  }
  return address;
}

// The subnet's first address: the kernel refuses a route with bits behind its prefix.
IpAddress subnet_of(const Cidr& cidr) {
  IpAddress address = cidr.address;
  for (std::size_t i = 0; i < address.size(); ++i) address.octets[i] &= mask_octet(cidr.prefix_length, i);
  return address;
}

void put_address(Message& message, std::uint16_t type, const IpAddress& address) {
  message.put_bytes(type, address.bytes());
}

ifaddrmsg address_header(int index, const Cidr& address) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(address.address.family);
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix_length);
  header.ifa_index = static_cast<std::uint32_t>(index);
  return header;
}

rtmsg route_header(const IpAddress& target, unsigned prefix_length, std::uint8_t scope) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(target.family);
  header.rtm_dst_len = static_cast<std::uint8_t>(prefix_length);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_BOOT;
  header.rtm_scope = scope;
  header.rtm_type = RTN_UNICAST;
  return header;
}

bool on_link(const IpAddress& gateway, const std::vector<Cidr>& addresses) {
  return gateway.is_ipv6_link_local() ||
         std::any_of(addresses.begin(), addresses.end(), [&](const Cidr& a) { return a.contains(gateway); });
}

std::vector<Cidr> all_addresses(const InterfaceSetup& setup) {
  std::vector<Cidr> all = setup.addresses;
  for (const auto& [address, broadcast] : setup.addresses_with_broadcast) all.push_back(address);
  return all;
}

void append_gateway(std::vector<Message>& messages, const InterfaceSetup& setup,
                    const std::optional<IpAddress>& gateway, int family) {
  const bool over_link = family == AF_INET ? setup.default_route4 : setup.default_route6;
  if (over_link) messages.push_back(add_default_link_route_message(setup.index, family));
  if (!gateway) return;
  const std::string action =
      formatted("cannot use gateway {} on interface '{}'", gateway->text(), setup.name);
  if (gateway->family != family) {
    throw Error(action, EINVAL,
                family == AF_INET ? "it is not an IPv4 address" : "it is not an IPv6 address");
  }
  if (!setup.up) throw Error(action, EINVAL, "a route needs an interface that is up");
  if (!on_link(*gateway, all_addresses(setup)))
    messages.push_back(add_host_route_message(setup.index, *gateway));
  messages.push_back(add_default_route_message(setup.index, *gateway));
}

}  // namespace

std::size_t IpAddress::size() const {
  return family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  const char* text = ::inet_ntop(family, octets.data(), buffer, sizeof buffer);
  return text == nullptr ? std::string() : std::string(text);
}

bool IpAddress::is_ipv6_link_local() const {
  return family == AF_INET6 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
}

std::string Cidr::text() const {
  return formatted("{}/{}", address.text(), prefix_length);
}

bool Cidr::contains(const IpAddress& other) const {
  if (other.family != address.family) return false;
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (((address.octets[i] ^ other.octets[i]) & mask_octet(prefix_length, i)) != 0) return false;
  }
  return true;
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  for (const int family : {AF_INET, AF_INET6}) {
    IpAddress address;
    address.family = family;
    if (::inet_pton(family, copy.c_str(), address.octets.data()) == 1) return address;
  }
  return std::nullopt;
}

std::optional<Cidr> parse_cidr(std::string_view text) {
  const auto parts = split(text, '/');
  if (parts.size() != 2) return std::nullopt;
  const auto address = parse_ip_address(parts[0]);
  const auto length = parse_unsigned(parts[1]);
  if (!address || !length || *length > bit_length(*address)) return std::nullopt;
  return Cidr{*address, static_cast<unsigned>(*length)};
}

Message add_address_message(int index, const Cidr& address, const std::optional<IpAddress>& broadcast) {
  Message message(formatted("cannot add address {} to link {}", address.text(), index), RTM_NEWADDR,
                  NLM_F_CREATE | NLM_F_EXCL);
  message.put_header(address_header(index, address));
  put_address(message, IFA_LOCAL, address.address);
  put_address(message, IFA_ADDRESS, address.address);
  // A subnet of one or two addresses has no broadcast address (RFC 3021).
  if (broadcast) {
    put_address(message, IFA_BROADCAST, *broadcast);
  } else if (address.address.family == AF_INET && address.prefix_length < 31) {
    put_address(message, IFA_BROADCAST, broadcast_of(address));
  }
  return message;
}

Message delete_address_message(int index, const Cidr& address) {
  Message message(formatted("cannot delete address {} from link {}", address.text(), index), RTM_DELADDR);
  message.put_header(address_header(index, address));
  put_address(message, IFA_LOCAL, address.address);
  return message;
}

Message add_default_route_message(int index, const IpAddress& gateway) {
  Message message(formatted("cannot add a default route over {} on link {}", gateway.text(), index),
                  RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  message.put_header(route_header(gateway, 0, RT_SCOPE_UNIVERSE));
  put_address(message, RTA_GATEWAY, gateway);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

Message add_host_route_message(int index, const IpAddress& target) {
  Message message(formatted("cannot add a route to {} on link {}", target.text(), index), RTM_NEWROUTE,
                  NLM_F_CREATE | NLM_F_EXCL);
  const std::uint8_t scope = target.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  message.put_header(route_header(target, bit_length(target), scope));
  put_address(message, RTA_DST, target);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

Message link_route_message(int index, const Cidr& target, bool add) {
  Message message(
      formatted("cannot {} the route to {} on link {}", add ? "add" : "delete", target.text(), index),
      add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
  const std::uint8_t scope = target.address.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  message.put_header(route_header(target.address, target.prefix_length, scope));
  put_address(message, RTA_DST, subnet_of(target));
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

Message add_default_link_route_message(int index, int family) {
  Message message(formatted("cannot add a default route on link {}", index), RTM_NEWROUTE,
                  NLM_F_CREATE | NLM_F_EXCL);
  IpAddress any;
  any.family = family;
  const std::uint8_t scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  message.put_header(route_header(any, 0, scope));
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

Message replace_default_route_message(int index, const IpAddress& gateway) {
  Message message(formatted("cannot set the default route over {} on link {}", gateway.text(), index),
                  RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  message.put_header(route_header(gateway, 0, RT_SCOPE_UNIVERSE));
  put_address(message, RTA_GATEWAY, gateway);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

Message delete_default_route_message(int index, int family) {
  Message message(formatted("cannot delete the default route on link {}", index), RTM_DELROUTE);
  IpAddress any;
  any.family = family;
  rtmsg header = route_header(any, 0, family == AF_INET ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE);
  // Whoever made it, however.
  header.rtm_protocol = RTPROT_UNSPEC;
  header.rtm_type = RTN_UNSPEC;
  message.put_header(header);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

Message neighbour_proxy_message(int index, const IpAddress& address, bool add) {
  Message message(formatted("cannot {} the neighbour proxy for {} on link {}", add ? "add" : "delete",
                            address.text(), index),
                  add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(address.family);
  header.ndm_ifindex = index;
  header.ndm_flags = NTF_PROXY;
  // Else the kernel forgets it when the link loses its carrier (net/core/neighbour.c,
  // pneigh_ifdown_and_unlock), as a fresh bridge does for a moment when it gets its first port.
  header.ndm_state = NUD_PERMANENT;
  message.put_header(header);
  put_address(message, NDA_DST, address);
  return message;
}

std::vector<Message> interface_messages(const InterfaceSetup& setup) {
  std::vector<Message> messages;
  messages.reserve(setup.addresses.size() + setup.addresses_with_broadcast.size() + 5);
  for (const Cidr& address : setup.addresses) messages.push_back(add_address_message(setup.index, address));
  for (const auto& [address, broadcast] : setup.addresses_with_broadcast) {
    messages.push_back(add_address_message(setup.index, address, broadcast));
  }
  if (setup.up) {
    LinkChange change;
    change.up = true;
    messages.push_back(change_link_message(setup.index, change));
  }
  append_gateway(messages, setup, setup.gateway4, AF_INET);
  append_gateway(messages, setup, setup.gateway6, AF_INET6);
  return messages;
}

void add_address(Socket& socket, int index, const Cidr& address) {
  socket.request(add_address_message(index, address));
}

void delete_address(Socket& socket, int index, const Cidr& address) {
  socket.request(delete_address_message(index, address));
}

void add_link_route(Socket& socket, int index, const Cidr& target) {
  socket.request(link_route_message(index, target, true));
}

void delete_link_route(Socket& socket, int index, const Cidr& target) {
  socket.request(link_route_message(index, target, false));
}

void add_neighbour_proxy(Socket& socket, int index, const IpAddress& address) {
  socket.request(neighbour_proxy_message(index, address, true));
}

void delete_neighbour_proxy(Socket& socket, int index, const IpAddress& address) {
  socket.request(neighbour_proxy_message(index, address, false));
}

void delete_default_route(Socket& socket, int index, int family) {
  socket.request(delete_default_route_message(index, family));
}

void replace_default_route(Socket& socket, int index, const IpAddress& gateway) {
  const Message route = replace_default_route_message(index, gateway);
  try {
    socket.request(route);
    return;
  } catch (const Error& error) {
    // What the kernel says when no subnet of the link has the gateway.
    const int outside_subnet = gateway.family == AF_INET ? ENETUNREACH : EHOSTUNREACH;
    if (error.error_number() != outside_subnet) throw;
  }
  socket.request_all(std::vector<Message>{add_host_route_message(index, gateway), route});
}

void configure_interface(Socket& socket, const InterfaceSetup& setup) {
  InterfaceSetup found = setup;
  const std::string action = formatted("cannot set up interface '{}'", setup.name);
  if (found.index == 0) {
    const auto link = find_link(socket, setup.name);
    if (!link) throw Error(action + ": there is no such link", ENODEV);
    found.index = link->index;
  }
  const std::vector<Message> messages = interface_messages(found);
  try {
    socket.request_all(messages);
  } catch (const Error& error) {
    throw error.with_context(action);
  }
}

}  // namespace hutch::netlink
