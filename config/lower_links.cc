#include "base/text.h"
#include "config/lowering.h"

// net[n] -> a veth pair (lxc-mapping 5).
namespace hutch::config {

namespace {

constexpr double kBytesPerMebibyte = 1048576;
constexpr unsigned kLastVlan = 4094;

void check_name(std::string_view key, const std::string& name, const Origin& origin, std::string_view hint) {
  if (name.size() <= kMaxInterfaceName) return;
  throw Error(formatted("option '{}': the interface name '{}' has more than {} characters", key, name,
                        kMaxInterfaceName),
              0, std::string(hint), origin);
}

bool is_address(const std::string& setting) {
  return setting.find('/') != std::string::npos;
}

void configure(std::string_view key, const NetOption& net, LinkSpec& link) {
  if (net.ip6 == "auto") {
    throw Error(formatted("option '{}': ip6=auto cannot be combined with host-managed", key), 0,
                "give an address, or use ip6=manual", link.origin);
  }
  link.configure = true;
  link.dhcp4 = net.ip == "dhcp";
  link.dhcp6 = net.ip6 == "dhcp";
}

// "10;20-30"
std::vector<VlanRange> trunks_of(std::string_view key, const NetOption& net, const Origin& origin) {
  std::vector<VlanRange> ranges;
  for (const auto part : split(net.trunks, ';')) {
    if (part.empty()) continue;
    const auto dash = part.find('-');
    const auto first = parse_unsigned(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_unsigned(part.substr(dash + 1));
    if (!first || !last || *first == 0 || *first > *last || *last > kLastVlan) {
      throw Error(formatted("option '{}': '{}' in 'trunks' is no VLAN id and no range of them", key, part), 0,
                  "use ids from 1 to 4094, for example trunks=10;20-30", origin);
    }
    ranges.push_back({static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)});
  }
  return ranges;
}

std::uint64_t rate_of(std::string_view key, const NetOption& net, const Origin& origin) {
  if (net.rate.empty()) return 0;
  const auto rate = parse_double(net.rate);
  if (!rate || *rate < 0 || *rate > 1e9) {
    throw Error(formatted("option '{}': 'rate' '{}' is no number of MiB a second", key, net.rate), 0, {},
                origin);
  }
  return static_cast<std::uint64_t>(*rate * kBytesPerMebibyte);
}

void lower_traffic(Lowering& lowering, std::string_view key, const NetOption& net, LinkSpec& link) {
  link.own_vlans = true;
  if (net.tag) link.tag = static_cast<std::uint16_t>(*net.tag);
  link.trunks = trunks_of(key, net, link.origin);
  link.rate = rate_of(key, net, link.origin);
  if (net.firewall.value_or(false) && !link.link_down) {
    lowering.warn(link.origin,
                  formatted("option '{}': 'firewall' is not honoured by this version: there is no firewall "
                            "and traffic is not filtered",
                            key));
  }
}

LinkSpec lower_link(Lowering& lowering, const std::string& key, unsigned index) {
  const auto net = parse_option(lowering.section, key, parse_net);
  LinkSpec link;
  link.origin = lowering.section.origin_of(key);
  link.index = index;
  link.name = net.name;
  link.host_name = formatted("veth{}i{}", lowering.context.vmid, index);
  link.bridge = net.bridge;
  link.mac = net.hwaddr;
  link.mtu = net.mtu;
  link.link_down = net.link_down.value_or(false);
  if (is_address(net.ip)) {
    link.addresses.push_back(net.ip);
    link.gateway4 = net.gw;
  }
  if (is_address(net.ip6)) {
    link.addresses.push_back(net.ip6);
    link.gateway6 = net.gw6;
  }
  check_name(key, link.name, link.origin, "choose a shorter name");
  check_name(key, link.host_name, link.origin, "use net0 to net9, or a container id with fewer digits");
  if (!link.link_down && net.host_managed.value_or(false)) configure(key, net, link);
  lower_traffic(lowering, key, net, link);
  return link;
}

}  // namespace

void lower_links(Lowering& lowering) {
  for (const auto& key : lowering.section.indexed_keys("net")) {
    const auto index = static_cast<unsigned>(std::stoul(key.substr(3)));
    NetworkLines lines;
    lines.type = NetworkLines::Type::link;
    lines.generated = true;
    lines.link = lower_link(lowering, key, index);
    lines.own_addresses = lines.link.configure;
    lines.origin = lines.link.origin;
    lowering.networks[index] = std::move(lines);
  }
}

}  // namespace hutch::config
