#pragma once

#include <cstdint>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace hutch::netlink {

// One change of the VLANs that a port of a VLAN-aware bridge lets through (bridge(8), vlan).
struct PortVlan {
  bool add = true;  // else they are taken away; ids that the port does not have are fine
  std::uint16_t first = 0;
  std::uint16_t last = 0;  // inclusive, 1..4094
  // What comes in without a tag belongs to this VLAN; its frames leave without one. For a single id.
  bool untagged = false;

  bool operator==(const PortVlan&) const = default;
};

// Applies the changes in order. EOPNOTSUPP: this kernel's bridges do not filter by VLAN.
void change_port_vlans(Socket& socket, int port_index, const std::vector<PortVlan>& changes);

// Makes a port learn no addresses and get no frames to unknown ones; add_static_address then tells the bridge
// where the container is.
void stop_port_learning(Socket& socket, int port_index);
// EEXIST: the bridge knows it already.
void add_static_address(Socket& socket, int port_index, const MacAddress& address);

// The requests behind the functions above.
Message port_vlan_message(int port_index, const PortVlan& change);
Message stop_port_learning_message(int port_index);
Message static_address_message(int port_index, const MacAddress& address);

}  // namespace hutch::netlink
