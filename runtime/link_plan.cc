#include "runtime/link_plan.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/container_hooks.h"

namespace hutch {

namespace {

using Kind = LinkSpec::Kind;

[[noreturn]] void refuse(const LinkSpec& link, std::string what, std::string hint) {
  throw Error(std::move(what), 0, std::move(hint), link.origin);
}

void check_names(const LinkSpec& link) {
  std::vector<const std::string*> names;
  if (link.kind != Kind::empty) names.push_back(&link.name);
  if (link.kind == Kind::veth) names.push_back(&link.host_name);
  for (const auto* name : names) {
    if (name->empty() || name->size() >= IFNAMSIZ) {
      refuse(link, formatted("'{}' cannot be the name of a network interface", *name),
             formatted("a name has 1 to {} characters", IFNAMSIZ - 1));
    }
  }
}

void check_bridge(const LinkSpec& link, const HostFacts& facts) {
  const auto bridge = facts.bridges.find(link.bridge);
  if (bridge == facts.bridges.end()) {
    refuse(link, formatted("bridge '{}' does not exist", link.bridge),
           formatted("create it ('ip link add {} type bridge') or change net{}", link.bridge, link.index));
  }
  if (!bridge->second.is_bridge && !bridge->second.open_vswitch) {
    refuse(link, formatted("'{}' is not a bridge", link.bridge),
           formatted("name a bridge in net{}", link.index));
  }
  if (link.mtu && *link.mtu > bridge->second.mtu) {
    refuse(link,
           formatted("net{}: the MTU {} is larger than that of bridge '{}', {}", link.index, *link.mtu,
                     link.bridge, bridge->second.mtu),
           "lower it or raise the bridge's");
  }
}

void check_lower(const LinkSpec& link, const HostFacts& facts) {
  const auto lower = facts.lower_links.find(link.lower);
  if (lower == facts.lower_links.end()) {
    refuse(link, formatted("network {}: the host has no link '{}'", link.index, link.lower),
           formatted("change lxc.net.{}.link", link.index));
  }
  if (link.kind == Kind::phys && lower->second.wireless) {
    refuse(link,
           formatted("network {}: '{}' is wireless, and such a link moves only with its whole radio",
                     link.index, lower->second.name),
           "use a wired link");
  }
}

// The link whose address "auto" means.
const std::string& gateway_link(const LinkSpec& link) {
  return link.bridge.empty() ? link.lower : link.bridge;
}

void check_gateways(const LinkSpec& link, const HostFacts& facts) {
  const std::pair<int, const std::string*> gateways[] = {{AF_INET, &link.gateway4},
                                                         {AF_INET6, &link.gateway6}};
  for (const auto& [family, gateway] : gateways) {
    if (*gateway != "auto" || facts.gateways.contains({family, gateway_link(link)})) continue;
    refuse(link,
           formatted("network {}: the gateway is to be the address of '{}', which has none", link.index,
                     gateway_link(link)),
           "give the gateway's address");
  }
}

const BridgeFacts* bridge_of(const LinkSpec& link, const HostFacts& facts) {
  return link.bridge.empty() ? nullptr : &facts.bridges.at(link.bridge);
}

HostStep step(const LinkSpec& link, HostAction action, std::string text, std::string undo = {}) {
  return {std::move(action), HostLane::side, std::move(text), std::move(undo), link.origin, {}};
}

std::uint32_t mtu_of(const LinkSpec& link, const HostFacts& facts) {
  if (link.mtu) return *link.mtu;
  if (const auto* bridge = bridge_of(link, facts)) return bridge->mtu;
  const auto lower = facts.lower_links.find(link.lower);
  return lower == facts.lower_links.end() ? 1500 : lower->second.mtu;
}

HostStep create_veth(const LinkSpec& link, const HostFacts& facts) {
  host::CreateLink create{link, 0, mtu_of(link, facts)};
  const auto* bridge = bridge_of(link, facts);
  create.plugged = needs_plug(link, bridge);
  std::string text = formatted("create veth {} with {} inside", link.host_name, link.name);
  if (bridge != nullptr && !link.link_down && !create.plugged) {
    create.bridge_index = bridge->index;
    text += formatted(", into bridge {}", link.bridge);
  }
  text += formatted(", mtu {}", create.mtu);
  if (!link.mac.empty()) text += formatted(", mac {}", link.mac);
  if (link.rx_queues != 0) text += formatted(", {} receive queues", link.rx_queues);
  if (link.tx_queues != 0) text += formatted(", {} transmit queues", link.tx_queues);
  if (link.link_down) text += ", down";
  return step(link, std::move(create), std::move(text), "delete");
}

struct ModeName {
  Kind kind;
  std::uint32_t mode;  // LinkSpec::mode, LinkSpec::isolation
  std::string_view name;
};
constexpr ModeName kModes[] = {{Kind::macvlan, MACVLAN_MODE_PRIVATE, "private"},
                               {Kind::macvlan, MACVLAN_MODE_VEPA, "vepa"},
                               {Kind::macvlan, MACVLAN_MODE_BRIDGE, "bridge"},
                               {Kind::macvlan, MACVLAN_MODE_PASSTHRU, "passthru"},
                               {Kind::ipvlan, IPVLAN_MODE_L2, "l2"},
                               {Kind::ipvlan, IPVLAN_MODE_L3, "l3"},
                               {Kind::ipvlan, IPVLAN_MODE_L3S, "l3s"}};

std::string mode_text(const LinkSpec& link) {
  const auto* found = std::find_if(std::begin(kModes), std::end(kModes), [&link](const ModeName& row) {
    return row.kind == link.kind && row.mode == link.mode;
  });
  std::string text = found == std::end(kModes) ? "" : formatted(", mode {}", found->name);
  if (link.kind != Kind::ipvlan || link.isolation == 0) return text;
  return text + (link.isolation == IPVLAN_F_VEPA ? ", vepa" : ", private");
}

HostStep create_stacked(const LinkSpec& link, const HostFacts& facts) {
  const auto& lower = facts.lower_links.at(link.lower);
  host::CreateLink create{link, 0, link.mtu.value_or(0), lower.index};
  const char* kind = link.kind == Kind::macvlan ? "macvlan" : link.kind == Kind::ipvlan ? "ipvlan" : "vlan";
  std::string text = formatted("create {} {} inside on {}", kind, link.name, lower.name);
  if (link.kind == Kind::vlan) text += formatted(", VLAN {}", link.vlan_id);
  text += mode_text(link);
  if (link.mtu) text += formatted(", mtu {}", *link.mtu);
  if (!link.mac.empty()) text += formatted(", mac {}", link.mac);
  return step(link, std::move(create), std::move(text), "delete");
}

MovedLink moved_link(const LinkSpec& link, const HostFacts& facts) {
  const auto& lower = facts.lower_links.at(link.lower);
  // Of "eth+" the name inside is that of what was found.
  const std::string& inside = link.name == link.lower ? lower.name : link.name;
  return {lower.name, lower.index,        inside, 0, lower.mtu, lower.alternative_names,
          lower.kind, lower.permanent_mac};
}

void plan_routes(const LinkSpec& link, std::vector<HostStep>& steps) {
  if (!link.router && link.routes.empty()) return;
  std::string text = formatted("route to {}:", link.host_name);
  if (link.router) {
    for (const auto& address : link.addresses) text += " " + address.substr(0, address.find('/'));
  }
  for (const auto& route : link.routes) text += " " + route;
  steps.push_back(step(link, host::RouteLink{link}, std::move(text)));
}

// With the name of the link that "eth+" has found.
LinkScript script_of(const LinkSpec& link, const HostFacts& facts, const LinkPlanContext& context,
                     const Located<std::string>& script) {
  LinkScript result = link_script(link, context.hook_version, script);
  if (link.kind == Kind::phys) result.parent = facts.lower_links.at(link.lower).name;
  return result;
}

bool has_scripts(const LinkSpec& link) {
  return !link.script_up.value.empty() || !link.script_down.value.empty();
}

void plan_scripts(const LinkSpec& link, const HostFacts& facts, const LinkPlanContext& context,
                  std::vector<HostStep>& steps) {
  if (!has_scripts(link)) return;
  host::RunLinkScripts scripts;
  scripts.container = context.container;
  scripts.environment = context.hook_environment;
  std::string text;
  std::string undo;
  Origin origin = link.script_down.origin;
  if (!link.script_down.value.empty()) {
    scripts.down = script_of(link, facts, context, link.script_down);
    text = "have " + link.script_down.value + " run at the end";
    undo = "run " + link.script_down.value;
  }
  if (!link.script_up.value.empty()) {
    scripts.up = script_of(link, facts, context, link.script_up);
    text = "run " + link.script_up.value;
    origin = link.script_up.origin;
  }
  steps.push_back(
      {std::move(scripts), HostLane::side, std::move(text), std::move(undo), std::move(origin), {}});
}

void plan_configuration(const LinkSpec& link, const HostFacts& facts, std::vector<HostStep>& steps) {
  const bool any = link.up || !link.addresses.empty();
  if (!link.configure || link.link_down || !any) return;
  host::ConfigureLink configure{link};
  LinkSpec& set_up = *configure.link;
  if (set_up.kind == Kind::phys) set_up.name = moved_link(link, facts).inside_name;
  if (set_up.gateway4 == "auto") set_up.gateway4 = facts.gateways.at({AF_INET, gateway_link(link)});
  if (set_up.gateway6 == "auto") set_up.gateway6 = facts.gateways.at({AF_INET6, gateway_link(link)});
  std::vector<std::string> parts;
  if (!link.addresses.empty()) parts.push_back(join(link.addresses, " "));
  for (const auto* gateway : {&set_up.gateway4, &set_up.gateway6}) {
    if (gateway->empty()) continue;
    parts.push_back(*gateway == "dev" ? "default route over it" : "gateway " + *gateway);
  }
  if (!set_up.up) parts.emplace_back("down");
  std::string text = formatted("set up {} inside", set_up.kind == Kind::empty ? "lo" : set_up.name);
  if (!parts.empty()) text += ": " + join(parts, ", ");
  steps.push_back(step(link, std::move(configure), std::move(text)));
}

}  // namespace

LinkPlanContext link_plan_context(const ContainerSpec& spec, const Sysroot& sysroot) {
  LinkPlanContext context{std::to_string(spec.vmid), {}, spec.hook_version};
  if (std::any_of(spec.links.begin(), spec.links.end(), has_scripts)) {
    context.hook_environment =
        common_hook_environment(hook_container(spec, rootfs_mount_path(sysroot, spec)));
  }
  return context;
}

void check_link(const LinkSpec& link, const HostFacts& facts) {
  check_names(link);
  if (!link.bridge.empty()) check_bridge(link, facts);
  if (!link.lower.empty() && link.kind != Kind::empty) check_lower(link, facts);
  if (link.kind == Kind::veth) {
    const auto* bridge = bridge_of(link, facts);
    if (needs_plug(link, bridge)) plan_plug(link, bridge);
  }
  if (link.configure) check_gateways(link, facts);
  if ((link.dhcp4 || link.dhcp6) && !facts.dhcp_client) {
    refuse(link, formatted("net{}: DHCP on behalf of the container needs the program 'dhclient'", link.index),
           "install isc-dhcp-client, or leave it to the guest (without host-managed)");
  }
}

std::vector<HostStep> plan_link(const LinkSpec& link, const HostFacts& facts,
                                const LinkPlanContext& context) {
  std::vector<HostStep> steps;
  switch (link.kind) {
    case Kind::veth: {
      steps.push_back(create_veth(link, facts));
      const auto* bridge = bridge_of(link, facts);
      if (!needs_plug(link, bridge)) {
        if (bridge == nullptr || link.link_down) break;
        steps.push_back(
            step(link, host::DisableIpv6{link.host_name}, formatted("turn IPv6 off on {}", link.host_name)));
        break;
      }
      const LinkPlug plug = plan_plug(link, bridge);
      steps.push_back(step(link, host::PlugLink{plug}, formatted("connect {} {}", plug.port, plug_text(plug)),
                           plug.open_vswitch ? "take the port back" : ""));
      break;
    }
    case Kind::macvlan:
    case Kind::ipvlan:
    case Kind::vlan: steps.push_back(create_stacked(link, facts)); break;
    case Kind::phys:
    case Kind::empty: break;
  }
  plan_routes(link, steps);
  const std::string& answering = gateway_link(link);
  if (link.proxy_neighbours && !answering.empty() && !link.addresses.empty()) {
    steps.push_back(step(link, host::ProxyLink{answering, link},
                         formatted("let {} answer for the addresses of {}", answering, link.name),
                         "take back"));
  }
  plan_scripts(link, facts, context, steps);
  if (link.kind == Kind::phys) {
    const MovedLink moved = moved_link(link, facts);
    steps.push_back(step(link, host::MoveLink{link, moved},
                         formatted("move link {} inside as {}", moved.name, moved.inside_name), "move back"));
  }
  plan_configuration(link, facts, steps);
  return steps;
}

void record_link(const LinkSpec& link, const HostFacts& facts, const LinkPlanContext& context,
                 ContainerState& state) {
  if (link.kind == Kind::phys) state.moved_links.push_back(moved_link(link, facts));
  if (!link.script_down.value.empty()) {
    state.down_scripts.push_back(script_of(link, facts, context, link.script_down));
    state.hook_environment = context.hook_environment;
  }
  if (link.dhcp4) state.dhcp_clients.push_back({AF_INET, link.name});
  if (link.dhcp6) state.dhcp_clients.push_back({AF_INET6, link.name});
  const auto* bridge = bridge_of(link, facts);
  if (bridge != nullptr && bridge->open_vswitch && !link.link_down)
    state.open_vswitch_ports.push_back(link.host_name);
  record_proxies(link, state);
}

void record_proxies(const LinkSpec& link, ContainerState& state) {
  const std::string& answering = gateway_link(link);
  if (!link.proxy_neighbours || answering.empty()) return;
  for (const auto& text : link.addresses) {
    const std::string address = text.substr(0, text.find('/'));
    state.proxies.emplace_back(answering, address);
    if (link.kind != Kind::ipvlan) continue;
    state.loopback_routes.push_back(address + (address.find(':') == std::string::npos ? "/32" : "/128"));
  }
}

}  // namespace hutch
