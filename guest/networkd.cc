#include "guest/networkd.h"

#include "base/format.h"
#include "guest/ip_network.h"

namespace hutch::guest {

namespace {

std::string addresses(const std::string& value, const std::string& gateway) {
  std::string text;
  if (is_static(value)) text += formatted("Address = {}\n", value);
  if (!gateway.empty()) text += formatted("Gateway = {}\n", gateway);
  return text;
}

std::string host_route(const std::string& value, const std::string& gateway, int bits) {
  if (!is_static(value) || gateway.empty() || !IpNetwork::parse(value).needs_route_to(gateway)) return "";
  return formatted("\n[Route]\nDestination = {}/{}\nScope = link\n", gateway, bits);
}

const char* dhcp_families(const NetworkInterface& interface) {
  const bool v4 = interface.ip == "dhcp";
  const bool v6 = interface.ip6 == "dhcp";
  if (v4 && v6) return "yes";
  if (v4) return "ipv4";
  return v6 ? "ipv6" : "no";
}

}  // namespace

std::string network_unit(const NetworkInterface& interface) {
  const bool accept_ra = (interface.ip6 == "dhcp" || interface.ip6 == "auto") && interface.gw6.empty();
  return formatted(
      "[Match]\nName = {0}\n\n[Network]\nDescription = Interface {0} autoconfigured by PVE\n{1}{2}DHCP = "
      "{3}\n"
      "IPv6AcceptRA = {4}\n{5}{6}",
      interface.name, addresses(interface.ip, interface.gw), addresses(interface.ip6, interface.gw6),
      dhcp_families(interface), accept_ra ? "true" : "false", host_route(interface.ip, interface.gw, 32),
      host_route(interface.ip6, interface.gw6, 128));
}

void write_network_units(const GuestRoot& root, const std::vector<NetworkInterface>& interfaces) {
  for (const auto& interface : interfaces) {
    if (interface.name.empty()) continue;
    root.make_directories("/etc/systemd/network");
    root.write(formatted("/etc/systemd/network/{}.network", interface.name), network_unit(interface));
  }
}

}  // namespace hutch::guest
