#include "netlink/link.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch::netlink {

namespace {

constexpr int kLoopbackIndex = 1;  // in every network namespace

std::string address_text(std::span<const std::uint8_t> octets) {
  std::string text;
  for (const std::uint8_t octet : octets) text += formatted("{}{:02X}", text.empty() ? "" : ":", octet);
  return text;
}

LinkCounters parse_counters(std::span<const std::uint8_t> bytes) {
  rtnl_link_stats64 kernel{};
  std::memcpy(&kernel, bytes.data(), std::min(bytes.size(), sizeof kernel));
  return {kernel.rx_bytes, kernel.tx_bytes, kernel.rx_packets, kernel.tx_packets};
}

void parse_link_info(const Attribute& info, Link& link) {
  std::optional<bool> filtering;
  std::optional<std::uint16_t> default_vlan;
  for (const Attribute& part : info.nested()) {
    if (part.type() == IFLA_INFO_KIND) link.kind = part.text();
    if (part.type() != IFLA_INFO_DATA) continue;
    for (const Attribute& data : part.nested()) {
      if (data.type() == IFLA_BR_VLAN_FILTERING && data.bytes().size() == 1) filtering = data.u8() != 0;
      if (data.type() == IFLA_BR_VLAN_DEFAULT_PVID && data.bytes().size() == 2) default_vlan = data.u16();
    }
  }
  // The number of the attribute means something else in the data of other kinds.
  if (!link.is_bridge()) return;
  link.vlan_filtering = filtering;
  link.default_vlan = default_vlan;
}

void parse_properties(const Attribute& properties, Link& link) {
  for (const Attribute& property : properties.nested()) {
    if (property.type() == IFLA_ALT_IFNAME) link.alternative_names.push_back(property.text());
  }
}

void put_extension_mask(Message& message, Counters counters) {
  if (counters == Counters::skip) message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

std::optional<Link> query_link(Socket& socket, const Message& message) {
  try {
    return parse_link(socket.query(message));
  } catch (const Error& error) {
    if (error.error_number() == ENODEV) return std::nullopt;
    throw;
  }
}

}  // namespace

bool Link::is_up() const {
  return (flags & IFF_UP) != 0;
}

Message get_link_message(const std::string& name, Counters counters) {
  Message message(formatted("cannot look up link '{}'", name), RTM_GETLINK);
  message.put_header(ifinfomsg{});
  message.put_link_name(IFLA_IFNAME, name);
  put_extension_mask(message, counters);
  return message;
}

Message get_link_message(int index, Counters counters) {
  Message message(formatted("cannot look up link {}", index), RTM_GETLINK);
  ifinfomsg header{};
  header.ifi_index = index;
  message.put_header(header);
  put_extension_mask(message, counters);
  return message;
}

Message create_bridge_message(const std::string& name) {
  Message message(formatted("cannot create bridge '{}'", name), RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.put_header(ifinfomsg{});
  message.put_link_name(IFLA_IFNAME, name);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] { message.put_u32(IFLA_BR_FORWARD_DELAY, 0); });
  });
  return message;
}

Message delete_link_message(const std::string& name) {
  Message message(formatted("cannot delete link '{}'", name), RTM_DELLINK);
  message.put_header(ifinfomsg{});
  message.put_link_name(IFLA_IFNAME, name);
  return message;
}

Message delete_link_message(int index) {
  Message message(formatted("cannot delete link {}", index), RTM_DELLINK);
  ifinfomsg header{};
  header.ifi_index = index;
  message.put_header(header);
  return message;
}

Message change_link_message(int index, const LinkChange& change) {
  Message message(formatted("cannot change link {}", index), RTM_NEWLINK);
  ifinfomsg header{};
  header.ifi_index = index;
  if (change.up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *change.up ? static_cast<unsigned>(IFF_UP) : 0U;
  }
  message.put_header(header);
  if (change.name) message.put_link_name(IFLA_IFNAME, *change.name);
  if (change.mac) message.put_mac(IFLA_ADDRESS, *change.mac);
  if (change.mtu) message.put_u32(IFLA_MTU, *change.mtu);
  if (change.master) message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(*change.master));
  return message;
}

Message loopback_up_message() {
  Message message("cannot set the loopback link up", RTM_NEWLINK);
  ifinfomsg header{};
  header.ifi_index = kLoopbackIndex;
  header.ifi_change = IFF_UP;
  header.ifi_flags = IFF_UP;
  message.put_header(header);
  return message;
}

Message move_link_message(int index, const LinkMove& move) {
  Message message(formatted("cannot move link {} into another network namespace as '{}'", index, move.name),
                  RTM_NEWLINK);
  ifinfomsg header{};
  header.ifi_index = index;
  message.put_header(header);
  message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(move.netns_fd));
  message.put_link_name(IFLA_IFNAME, move.name);
  if (move.mac) message.put_mac(IFLA_ADDRESS, *move.mac);
  if (move.mtu) message.put_u32(IFLA_MTU, *move.mtu);
  return message;
}

Message alternative_name_message(int index, const std::string& name, bool add) {
  Message message(
      formatted("cannot {} the alternative name '{}' of link {}", add ? "add" : "remove", name, index),
      add ? RTM_NEWLINKPROP : RTM_DELLINKPROP, add ? NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND : 0);
  ifinfomsg header{};
  header.ifi_index = index;
  message.put_header(header);
  message.nest(IFLA_PROP_LIST, [&] { message.put_string(IFLA_ALT_IFNAME, name); });
  return message;
}

Link parse_link(std::span<const std::byte> message) {
  const auto& header = header_of<ifinfomsg>(message);
  Link link;
  link.index = header.ifi_index;
  link.flags = header.ifi_flags;
  for (const Attribute& attribute : attributes_of(message, sizeof header)) {
    switch (attribute.type()) {
      case IFLA_IFNAME: link.name = attribute.text(); break;
      case IFLA_MTU: link.mtu = attribute.u32(); break;
      case IFLA_ADDRESS: link.mac = address_text(attribute.bytes()); break;
      case IFLA_PERM_ADDRESS: link.permanent_mac = address_text(attribute.bytes()); break;
      case IFLA_MASTER: link.master = static_cast<int>(attribute.u32()); break;
      case IFLA_LINKINFO: parse_link_info(attribute, link); break;
      case IFLA_PROP_LIST: parse_properties(attribute, link); break;
      case IFLA_STATS64: link.counters = parse_counters(attribute.bytes()); break;
      default: break;
    }
  }
  return link;
}

std::optional<Link> find_link(Socket& socket, const std::string& name, Counters counters) {
  return query_link(socket, get_link_message(name, counters));
}

std::optional<Link> find_link(Socket& socket, int index, Counters counters) {
  return query_link(socket, get_link_message(index, counters));
}

Link find_bridge(Socket& socket, const std::string& name) {
  const auto link = find_link(socket, name);
  if (!link) {
    throw Error(formatted("bridge '{}' does not exist", name), ENODEV,
                formatted("create it: ip link add {} type bridge", name));
  }
  if (!link->is_bridge()) {
    throw Error(formatted("link '{}' is not a bridge", name), EINVAL,
                link->kind.empty() ? "" : formatted("its kind is '{}'", link->kind));
  }
  return *link;
}

void create_bridge(Socket& socket, const std::string& name) {
  socket.request(create_bridge_message(name));
}

void delete_link(Socket& socket, const std::string& name) {
  socket.request(delete_link_message(name));
}

void delete_link(Socket& socket, int index) {
  socket.request(delete_link_message(index));
}

void change_link(Socket& socket, int index, const LinkChange& change) {
  socket.request(change_link_message(index, change));
}

void move_link(Socket& socket, int index, const LinkMove& move) {
  socket.request(move_link_message(index, move));
}

void add_alternative_name(Socket& socket, int index, const std::string& name) {
  socket.request(alternative_name_message(index, name, true));
}

void delete_alternative_name(Socket& socket, int index, const std::string& name) {
  socket.request(alternative_name_message(index, name, false));
}

void set_loopback_up(Socket& socket) {
  socket.request(loopback_up_message());
}

bool disable_ipv6(const std::string& name) {
  const std::string action = formatted("cannot disable IPv6 on link '{}'", name);
  // Also keeps the name from walking the path elsewhere.
  Message(action, RTM_GETLINK).put_link_name(IFLA_IFNAME, name);
  try {
    write_kernel_file(AT_FDCWD, formatted("/proc/sys/net/ipv6/conf/{}/disable_ipv6", name), "1");
    return true;
  } catch (const Error& error) {
    if (error.error_number() != ENOENT) throw;
    if (::if_nametoindex(name.c_str()) == 0) throw_errno(action);
    return false;
  }
}

}  // namespace hutch::netlink
