#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hutch::config {

inline constexpr std::string_view kDefaultMacPrefix = "BC:24:11";

// The six octets with the multicast bit cleared and the local bit set, in upper-case hex, then `prefix` put
// over the beginning. `prefix`: 1 to 3 octets, optionally one more hex digit after another colon; else throws
// Error.
std::string mac_from_bytes(std::array<std::uint8_t, 6> octets, std::string_view prefix = kDefaultMacPrefix);
// The same from getrandom(2).
std::string random_mac(std::string_view prefix = kDefaultMacPrefix);

}  // namespace hutch::config
