#include "config/lowering.h"

// net[n] -> a veth pair (lxc-mapping 5).
namespace hutch::config {

namespace {

// IFNAMSIZ without the terminating zero (netdevice(7)).
constexpr std::size_t kMaxInterfaceName = 15;

void check_name(std::string_view key, const std::string& name, const Origin& origin, std::string_view hint) {
  if (name.size() <= kMaxInterfaceName) return;
  throw Error(formatted("option '{}': the interface name '{}' has more than {} characters", key, name,
                        kMaxInterfaceName),
              0, std::string(hint), origin);
}

bool is_address(const std::string& setting) {
  return setting.find('/') != std::string::npos;
}

void configure(Lowering& lowering, std::string_view key, const NetOption& net, LinkSpec& link) {
  if (net.ip6 == "auto") {
    throw Error(formatted("option '{}': ip6=auto cannot be combined with host-managed", key), 0,
                "give an address, or use ip6=manual", link.origin);
  }
  link.configure = true;
  for (const auto* setting : {&net.ip, &net.ip6}) {
    if (is_address(*setting)) link.addresses.push_back(*setting);
    if (*setting == "dhcp") {
      lowering.warn(link.origin,
                    formatted("option '{}': DHCP on behalf of the container (host-managed) is not "
                              "honoured by this version; the interface gets no address from it",
                              key));
    }
  }
  if (is_address(net.ip)) link.gateway4 = net.gw;
  if (is_address(net.ip6)) link.gateway6 = net.gw6;
}

void report_unused(Lowering& lowering, std::string_view key, const NetOption& net, const Origin& origin) {
  const auto not_honoured = [&](bool set, std::string_view name, std::string_view why) {
    if (set) {
      lowering.refuse(origin,
                      formatted("option '{}': '{}' is not honoured by this version, and {}", key, name, why));
    }
  };
  not_honoured(net.tag.has_value(), "tag", "without it the interface would be in the wrong network");
  not_honoured(!net.trunks.empty(), "trunks", "without it the interface would see the wrong networks");
  not_honoured(!net.rate.empty(), "rate", "without it the traffic would not be limited");
  if (net.firewall.value_or(false)) {
    lowering.warn(origin,
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
  check_name(key, link.name, link.origin, "choose a shorter name");
  check_name(key, link.host_name, link.origin, "use net0 to net9, or a container id with fewer digits");
  if (!link.link_down) {
    if (net.host_managed.value_or(false)) configure(lowering, key, net, link);
    report_unused(lowering, key, net, link.origin);
  }
  return link;
}

}  // namespace

void lower_links(Lowering& lowering) {
  for (const auto& key : lowering.section.indexed_keys("net")) {
    const auto index = static_cast<unsigned>(std::stoul(key.substr(3)));
    lowering.spec.links.push_back(lower_link(lowering, key, index));
  }
}

}  // namespace hutch::config
