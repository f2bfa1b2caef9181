#pragma once

#include <optional>
#include <string>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace hutch::netlink {

// A pair of connected Ethernet links (veth(4)): one end on the host, the peer inside a container.
struct VethRequest {
  std::string host_name;               // "veth100i0"
  std::optional<MacAddress> host_mac;  // unset: the kernel's random one; see random_host_mac
  std::string peer_name;               // "eth0", the name from the first moment on
  std::optional<MacAddress> peer_mac;
  unsigned rx_queues = 0;  // of both ends; 0: the kernel's choice
  unsigned tx_queues = 0;
  unsigned mtu = 0;        // bytes, both ends; 0: the kernel's default (1500)
  int peer_netns_fd = -1;  // network namespace of the peer (borrowed); -1: the socket's
  int master_index = 0;    // bridge that the host end joins; 0: none
  bool host_up = false;
};

// Creates the pair with everything above in ONE request, so that the RTNL lock is taken once. All or
// nothing: when any part fails the kernel leaves no link behind. EEXIST: a name is taken;
// EINVAL: `mtu` outside 68..65535, ENODEV: no such master.
//
// The peer's index is the kernel's choice (veth heeds a wish only together with one for the host end), so it
// is looked up by name.
//
// The peer is always born down: its end is opened before the kernel has connected the two, and veth refuses
// that (ENOTCONN). Whoever configures the peer brings it up in that request (configure_interface). Until
// then the host end has no carrier, so disable_ipv6 right after this comes before the kernel's first
// link-local address.
void create_veth(Socket& socket, const VethRequest& request);

Message create_veth_message(const VethRequest& request);

}  // namespace hutch::netlink
