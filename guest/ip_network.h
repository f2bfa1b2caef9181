#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hutch::guest {

// An address with its prefix length, IPv4 or IPv6, as the options ip= and ip6= give it.
class IpNetwork {
 public:
  // "10.0.0.2/24" or "fd00::2/64"; throws naming the text.
  static IpNetwork parse(const std::string& cidr);

  const std::string& address() const { return address_; }  // as written
  int prefix() const { return prefix_; }
  // "255.255.255.0"; IPv4 only.
  std::string netmask() const;
  // Whether `gateway` lies outside the subnet, so that it needs a host route. IPv6 link-local gateways
  // (fe80::/10) never do. Throws when `gateway` is no address of this family.
  bool needs_route_to(const std::string& gateway) const;

 private:
  bool v6_ = false;
  std::string address_;
  std::array<std::uint8_t, 16> bytes_{};
  int prefix_ = 0;
};

// Whether a value of ip= or ip6= is an address (and not empty, "dhcp", "auto" or "manual").
bool is_static(std::string_view value);

}  // namespace hutch::guest
