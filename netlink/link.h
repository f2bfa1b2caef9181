#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace hutch::netlink {

struct LinkCounters {
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
};

// A network link as the kernel describes it (rtnetlink(7), RTM_NEWLINK).
struct Link {
  int index = 0;
  std::string name;
  unsigned mtu = 0;           // bytes
  std::string kind;           // "bridge", "veth", ...; "" for links without one (lo, hardware)
  std::string mac;            // "BC:24:11:00:00:01"; "" where the link has no address
  std::string permanent_mac;  // burnt in, whatever `mac` is now; "" where there is none
  unsigned flags = 0;         // IFF_*
  int master = 0;             // index of the bridge it is a port of; 0 for none
  std::vector<std::string> alternative_names;
  // Bridges only: whether the bridge filters by VLAN ("VLAN-aware"), and the VLAN that it gives a new port
  // (0: none).
  std::optional<bool> vlan_filtering;
  std::optional<std::uint16_t> default_vlan;
  // Set when asked for (Counters::read). Otherwise the kernel is told to skip statistics, and only some
  // kernels then leave out these.
  std::optional<LinkCounters> counters;

  bool is_bridge() const { return kind == "bridge"; }
  bool is_up() const;
};

enum class Counters { skip, read };

// The link of that name in the socket's network namespace, or nothing (ENODEV). Costs one request whatever
// the number of links. Throws for names that no link can have (Message::put_link_name).
std::optional<Link> find_link(Socket& socket, const std::string& name, Counters counters = Counters::skip);
std::optional<Link> find_link(Socket& socket, int index, Counters counters = Counters::skip);
// The same for a link that must exist and be a bridge; the Error (ENODEV, or EINVAL for another kind) has a
// hint.
Link find_bridge(Socket& socket, const std::string& name);

// Creates a bridge, down, with forward delay 0 (a port forwards at once; no spanning tree runs). EEXIST when
// the name is taken.
void create_bridge(Socket& socket, const std::string& name);

// Moves a link into another network namespace, which sets it down, and changes it there, all in one request.
// It is not all or nothing: a link that was moved and then could not be changed stays where it is. Set: what
// it has to be there. The kernel gives it another index when its own is taken.
struct LinkMove {
  int netns_fd = -1;  // borrowed
  std::string name;
  std::optional<unsigned> mtu;  // bytes
  std::optional<MacAddress> mac;
};
void move_link(Socket& socket, int index, const LinkMove& move);
// Alternative names (ip-link(8), property), by which the kernel finds a link as by its own.
void add_alternative_name(Socket& socket, int index, const std::string& name);
void delete_alternative_name(Socket& socket, int index, const std::string& name);
// Removes a link; of a veth pair both ends go. ENODEV when there is none. An index is never another link's.
void delete_link(Socket& socket, const std::string& name);
void delete_link(Socket& socket, int index);

// What to change of a link; unset members stay as they are.
struct LinkChange {
  std::optional<bool> up;
  std::optional<unsigned> mtu;  // bytes
  std::optional<MacAddress> mac;
  std::optional<int> master;        // index of the bridge; 0 leaves the bridge it is a port of
  std::optional<std::string> name;  // renaming; the kernel wants the link down for it before Linux 6.3
};

// Changes everything in one request. `index` must be a link of the socket's namespace.
void change_link(Socket& socket, int index, const LinkChange& change);
void set_loopback_up(Socket& socket);

// Stops IPv6 on a link of the calling thread's network namespace (net.ipv6.conf.<name>.disable_ipv6), for
// links that join a bridge: the host must not take an address, a route or a router advertisement from the
// container's side, also not when the port later loses its bridge. Returns false when this kernel has no
// IPv6 (ENOENT while the link exists), throws otherwise.
//
// IFLA_INET6_ADDR_GEN_MODE "none" does not replace it: it only keeps the kernel from giving itself a
// link-local address; everything else of IPv6 stays on. Nor does it save a request: the kernel refuses it in
// the creation of a link (EAFNOSUPPORT), and as a change of its own it takes 14 us where this takes 18.
bool disable_ipv6(const std::string& name);

// The requests behind the functions above.
Message get_link_message(const std::string& name, Counters counters = Counters::skip);
Message get_link_message(int index, Counters counters = Counters::skip);
Message create_bridge_message(const std::string& name);
Message delete_link_message(const std::string& name);
Message delete_link_message(int index);
Message change_link_message(int index, const LinkChange& change);
Message loopback_up_message();
Message move_link_message(int index, const LinkMove& move);
Message alternative_name_message(int index, const std::string& name, bool add);
// An RTM_NEWLINK message read as a Link.
Link parse_link(std::span<const std::byte> message);

}  // namespace hutch::netlink
