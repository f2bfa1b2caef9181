#include "config/mac_address.h"

#include <sys/random.h>

#include "base/error.h"
#include "base/format.h"

namespace hutch::config {

namespace {

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// "BC", "BC:24", "BC:24:11", each optionally with ":D" (one digit) after it.
bool is_mac_prefix(std::string_view prefix) {
  if (prefix.size() < 2 || prefix.size() > 10) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (i % 3 == 2 ? prefix[i] != ':' : !is_hex(prefix[i])) return false;
  }
  return prefix.size() % 3 != 0;
}

char upper(char c) {
  return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

std::string mac_from_bytes(std::array<std::uint8_t, 6> octets, std::string_view prefix) {
  if (!is_mac_prefix(prefix)) {
    throw Error(formatted("bad MAC prefix '{}'", prefix), 0, "use 1 to 3 octets, such as BC:24:11");
  }
  octets[0] = static_cast<std::uint8_t>((octets[0] & 0xfe) | 0x02);
  std::string mac;
  for (const auto octet : octets) {
    if (!mac.empty()) mac += ':';
    mac += formatted("{:02X}", octet);
  }
  for (std::size_t i = 0; i < prefix.size(); ++i) mac[i] = upper(prefix[i]);
  return mac;
}

std::string random_mac(std::string_view prefix) {
  std::array<std::uint8_t, 6> octets{};
  // Six bytes are never cut short once the kernel's generator is ready (getrandom(2)).
  if (::getrandom(octets.data(), octets.size(), 0) != static_cast<ssize_t>(octets.size())) {
    throw_errno("cannot get random bytes for a MAC address");
  }
  return mac_from_bytes(octets, prefix);
}

}  // namespace hutch::config
