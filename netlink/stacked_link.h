#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace hutch::netlink {

// A virtual link on top of another one: macvlan, ipvlan, vlan (ip-link(8)).
struct StackedLinkRequest {
  enum class Kind { macvlan, ipvlan, vlan };
  Kind kind = Kind::macvlan;
  std::string name;                // in `netns_fd`, from the first moment on
  int lower_index = 0;             // the link below, in the socket's namespace
  int netns_fd = -1;               // network namespace that it is made in (borrowed); -1: the socket's
  std::optional<MacAddress> mac;   // not for ipvlan, which has the lower link's
  std::optional<unsigned> mtu;     // bytes; unset: the lower link's
  std::uint32_t mode = 0;          // macvlan: MACVLAN_MODE_*, ipvlan: IPVLAN_MODE_*
  std::uint16_t ipvlan_flags = 0;  // IPVLAN_F_*
  std::uint16_t vlan_id = 0;       // vlan: 0..4094
};

// Creates it, down. EEXIST: the name is taken. EOPNOTSUPP: this kernel has no such kind; the Error's hint
// says so.
void create_stacked_link(Socket& socket, const StackedLinkRequest& request);
Message create_stacked_link_message(const StackedLinkRequest& request);

}  // namespace hutch::netlink
