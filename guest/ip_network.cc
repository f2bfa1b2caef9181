#include "guest/ip_network.h"

#include <arpa/inet.h>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

std::array<std::uint8_t, 16> parse_address(const std::string& text, bool v6) {
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) != 1) {
    throw Error(formatted("'{}' is no {} address", text, v6 ? "IPv6" : "IPv4"));
  }
  return bytes;
}

}  // namespace

IpNetwork IpNetwork::parse(const std::string& cidr) {
  const auto slash = cidr.find('/');
  constexpr std::uint64_t kNoPrefix = 1000;
  const std::uint64_t prefix =
      slash == std::string::npos ? kNoPrefix : parse_unsigned(cidr.substr(slash + 1)).value_or(kNoPrefix);
  IpNetwork network;
  network.address_ = cidr.substr(0, slash);
  network.v6_ = network.address_.find(':') != std::string::npos;
  if (prefix > (network.v6_ ? 128 : 32)) {
    throw Error(formatted("'{}' is no address with a prefix length", cidr), 0, "write it as ADDRESS/BITS");
  }
  network.prefix_ = static_cast<int>(prefix);
  network.bytes_ = parse_address(network.address_, network.v6_);
  return network;
}

std::string IpNetwork::netmask() const {
  const std::uint32_t bits = prefix_ == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix_);
  return formatted("{}.{}.{}.{}", bits >> 24, (bits >> 16) & 255, (bits >> 8) & 255, bits & 255);
}

bool IpNetwork::needs_route_to(const std::string& gateway) const {
  const auto other = parse_address(gateway, v6_);
  if (v6_ && other[0] == 0xfe && (other[1] & 0xc0) == 0x80) return false;
  const auto whole = static_cast<std::size_t>(prefix_ / 8);
  for (std::size_t i = 0; i < whole; ++i) {
    if (bytes_[i] != other[i]) return true;
  }
  const int rest = prefix_ % 8;
  return rest != 0 && ((bytes_[whole] ^ other[whole]) >> (8 - rest)) != 0;
}

bool is_static(std::string_view value) {
  return !value.empty() && value != "dhcp" && value != "auto" && value != "manual";
}

}  // namespace hutch::guest
