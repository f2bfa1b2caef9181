#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hutch::netlink {

// An Ethernet address in transmission order.
using MacAddress = std::array<std::uint8_t, 6>;

// "bc:24:11:00:00:01" in either letter case, two digits per octet; nothing for any other text.
std::optional<MacAddress> parse_mac_address(std::string_view text);
// Upper-case hex with colons, as container configs print it.
std::string mac_address_text(const MacAddress& address);

// The same where digits may be 'x' or 'X' ("00:16:3e:xx:xx:xx"): each becomes a random one, which never makes
// the address a multicast one. Nothing for any other text, and for a multicast address written out.
std::optional<MacAddress> fill_mac_pattern(std::string_view pattern);

// A random address for the host end of a veth pair: first octet 0xfe (locally administered, unicast, and
// higher than any assigned address). A bridge without an address of its own takes the lowest of its
// ports', so a port with 0xfe never changes the bridge's.
MacAddress random_host_mac();

}  // namespace hutch::netlink
