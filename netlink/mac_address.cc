#include "netlink/mac_address.h"

#include <sys/random.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::netlink {

std::optional<MacAddress> parse_mac_address(std::string_view text) {
  const auto octets = split(text, ':');
  MacAddress address{};
  if (octets.size() != address.size()) return std::nullopt;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char* end = octets[i].data() + octets[i].size();
    const auto result = std::from_chars(octets[i].data(), end, address[i], 16);
    if (octets[i].size() != 2 || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  }
  return address;
}

std::optional<MacAddress> fill_mac_pattern(std::string_view pattern) {
  std::string text(pattern);
  if (text.find_first_of("xX") != std::string::npos) {
    std::array<std::uint8_t, 17> random{};
    check(::getrandom(random.data(), random.size(), 0), "cannot get random bytes for a MAC address");
    for (std::size_t i = 0; i < std::min(text.size(), random.size()); ++i) {
      if (text[i] != 'x' && text[i] != 'X') continue;
      // The lowest bit of the first octet means multicast.
      const unsigned digit = random[i] & (i == 1 ? 0xeU : 0xfU);
      text[i] = "0123456789abcdef"[digit];
    }
  }
  const auto address = parse_mac_address(text);
  if (!address || ((*address)[0] & 1U) != 0) return std::nullopt;
  return address;
}

std::string mac_address_text(const MacAddress& a) {
  return formatted("{:02X}:{:02X}:{:02X}:{:02X}:{:02X}:{:02X}", a[0], a[1], a[2], a[3], a[4], a[5]);
}

MacAddress random_host_mac() {
  MacAddress address{};
  // Requests of up to 256 bytes are never cut short (getrandom(2)).
  check(::getrandom(address.data(), address.size(), 0), "cannot get random bytes for a MAC address");
  address[0] = 0xfe;
  return address;
}

}  // namespace hutch::netlink
