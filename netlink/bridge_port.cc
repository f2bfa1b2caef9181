#include "netlink/bridge_port.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"

namespace hutch::netlink {

namespace {

ifinfomsg port_header(int port_index) {
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = port_index;
  return header;
}

void put_vlan(Message& message, std::uint16_t id, unsigned flags) {
  message.put_structure(IFLA_BRIDGE_VLAN_INFO, bridge_vlan_info{static_cast<std::uint16_t>(flags), id});
}

}  // namespace

Message port_vlan_message(int port_index, const PortVlan& change) {
  Message message(formatted("cannot {} VLAN {} to {} on port {}", change.add ? "allow" : "take away",
                            change.first, change.last, port_index),
                  change.add ? RTM_SETLINK : RTM_DELLINK);
  message.put_header(port_header(port_index));
  const unsigned flags = change.untagged ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED : 0;
  message.nest(IFLA_AF_SPEC, [&] {
    if (change.first == change.last) return put_vlan(message, change.first, flags);
    put_vlan(message, change.first, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
    put_vlan(message, change.last, flags | BRIDGE_VLAN_INFO_RANGE_END);
  });
  return message;
}

Message stop_port_learning_message(int port_index) {
  Message message(formatted("cannot stop the learning of port {}", port_index), RTM_SETLINK);
  message.put_header(port_header(port_index));
  message.nest(IFLA_PROTINFO, [&] {
    message.put_u8(IFLA_BRPORT_LEARNING, 0);
    message.put_u8(IFLA_BRPORT_UNICAST_FLOOD, 0);
  });
  return message;
}

Message static_address_message(int port_index, const MacAddress& address) {
  Message message(
      formatted("cannot tell the bridge that {} is at port {}", mac_address_text(address), port_index),
      RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL);
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = port_index;
  header.ndm_state = NUD_NOARP;
  header.ndm_flags = NTF_MASTER;
  message.put_header(header);
  message.put_mac(NDA_LLADDR, address);
  return message;
}

void change_port_vlans(Socket& socket, int port_index, const std::vector<PortVlan>& changes) {
  std::vector<Message> messages;
  messages.reserve(changes.size());
  for (const auto& change : changes) messages.push_back(port_vlan_message(port_index, change));
  try {
    socket.request_all(messages);
  } catch (const Error& error) {
    throw error.with_hint(error.error_number() == EOPNOTSUPP ? "this kernel's bridges do not filter by VLAN"
                                                             : "");
  }
}

void stop_port_learning(Socket& socket, int port_index) {
  socket.request(stop_port_learning_message(port_index));
}

void add_static_address(Socket& socket, int port_index, const MacAddress& address) {
  socket.request(static_address_message(port_index, address));
}

}  // namespace hutch::netlink
