#include "runtime/link_plug.h"

#include <net/if.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "netlink/link.h"
#include "netlink/stacked_link.h"
#include "netlink/traffic_limit.h"

namespace hutch {

namespace {

constexpr std::uint16_t kFirstVlan = 1;
constexpr std::uint16_t kLastVlan = 4094;
constexpr const char* kOpenVswitch = "ovs-vsctl";
// In seconds; without it the program waits for a daemon that does not run.
constexpr const char* kTimeout = "--timeout=10";

[[noreturn]] void refuse(const LinkSpec& link, std::string what, std::string hint) {
  throw Error(formatted("net{}: {}", link.index, what), 0, std::move(hint), link.origin);
}

bool names_vlans(const LinkSpec& link) {
  return link.tag || link.no_untagged || !link.trunks.empty();
}

// A port that carries exactly what the config says, whatever the bridge gives to new ones.
std::vector<netlink::PortVlan> own_vlans(const LinkSpec& link) {
  std::vector<netlink::PortVlan> changes = {{false, kFirstVlan, kLastVlan}};
  for (const auto& range : link.trunks) changes.push_back({true, range.first, range.last});
  if (link.trunks.empty() && !link.tag) changes.push_back({true, 2, kLastVlan});
  const std::uint16_t untagged = link.tag.value_or(kFirstVlan);
  changes.push_back({true, untagged, untagged, true});
  return changes;
}

// Changes to what the bridge gives to a new port.
std::vector<netlink::PortVlan> further_vlans(const LinkSpec& link, const BridgeFacts& bridge) {
  std::vector<netlink::PortVlan> changes;
  const bool replaced = link.no_untagged || (link.tag && *link.tag != bridge.default_vlan);
  if (replaced && bridge.default_vlan != 0) {
    changes.push_back({false, bridge.default_vlan, bridge.default_vlan});
  }
  if (link.tag) changes.push_back({true, *link.tag, *link.tag, true});
  for (const auto& range : link.trunks) changes.push_back({true, range.first, range.last});
  return changes;
}

void plan_vlans(const LinkSpec& link, const BridgeFacts& bridge, LinkPlug& plug) {
  if (bridge.open_vswitch) {
    if (link.no_untagged && link.trunks.empty()) {
      refuse(link, "a port of Open vSwitch without any VLAN would carry nothing", "name tagged VLANs too");
    }
    plug.tag = link.tag;
    plug.trunks = link.trunks;
  } else if (bridge.vlan_aware) {
    plug.vlans = link.own_vlans ? own_vlans(link) : further_vlans(link, bridge);
  } else if (!link.own_vlans && names_vlans(link)) {
    refuse(link, formatted("bridge '{}' does not tell VLANs apart", link.bridge),
           formatted("ip link set {} type bridge vlan_filtering 1", link.bridge));
  } else if (!link.trunks.empty()) {
    refuse(link, formatted("'trunks' needs a VLAN-aware bridge, which '{}' is not", link.bridge),
           "use 'tag', or make the bridge VLAN-aware");
  } else if (link.tag) {
    plug.vlan_of = link.bridge;
    plug.vlan = *link.tag;
    plug.bridge = formatted("{}v{}", link.bridge, *link.tag);
    if (plug.bridge.size() >= IFNAMSIZ) {
      refuse(link,
             formatted("the bridge for VLAN {} would be called '{}', more than {} characters", plug.vlan,
                       plug.bridge, IFNAMSIZ - 1),
             "give the bridge a shorter name, or make it VLAN-aware");
    }
  }
}

// The ports over which a bridge reaches other machines: hardware, bonds and VLANs of them, by what they are
// or by how they are called.
bool is_physical(const netlink::Link& port) {
  if (port.kind.empty() || port.kind == "bond" || port.kind == "vlan") return true;
  const std::string base = port.name.substr(0, port.name.find('.'));
  for (const std::string_view prefix : {"eth", "bond"}) {
    if (base.starts_with(prefix) && base.size() > prefix.size() && parse_unsigned(base.substr(prefix.size())))
      return true;
  }
  return base.starts_with("en") && base.size() > 2;
}

std::vector<std::string> ports_of(const std::string& bridge) {
  return list_directory(formatted("/sys/class/net/{}/brif", bridge));
}

// Makes a link unless it is there; whether it did. Two starts may come at the same time.
template <typename Make>
bool make_link(netlink::Socket& socket, const std::string& name, const PushUndo& undo, Make make) {
  if (netlink::find_link(socket, name)) return false;
  try {
    make();
  } catch (const Error& error) {
    if (error.error_number() != EEXIST) throw;
    return false;
  }
  undo("delete link " + name, [name] {
    // Somebody else may use it by now.
    netlink::Socket fresh;
    for (const auto& port : ports_of(name)) {
      const auto link = netlink::find_link(fresh, port);
      if (link && link->kind != "vlan") return;
    }
    netlink::delete_link(fresh, name);
  });
  return true;
}

// One physical port's share of the VLAN: its VLAN link, a port of the VLAN's bridge.
void add_vlan_port(netlink::Socket& socket, const LinkPlug& plug, const netlink::Link& port, int bridge_index,
                   const PushUndo& undo) {
  const std::string name = formatted("{}.{}", port.name, plug.vlan);
  make_link(socket, name, undo, [&] {
    netlink::StackedLinkRequest request;
    request.kind = netlink::StackedLinkRequest::Kind::vlan;
    request.name = name;
    request.lower_index = port.index;
    request.vlan_id = plug.vlan;
    netlink::create_stacked_link(socket, request);
  });
  const auto link = netlink::find_link(socket, name);
  if (!link) throw Error(formatted("link '{}' is gone again", name), ENODEV);
  if (link->master == bridge_index && link->is_up()) return;
  if (link->master != 0 && link->master != bridge_index) {
    throw Error(formatted("link '{}' is a port of another bridge", name), EBUSY);
  }
  netlink::LinkChange change;
  change.master = bridge_index;
  change.up = true;
  netlink::change_link(socket, link->index, change);
}

void make_vlan_bridge(netlink::Socket& socket, const LinkPlug& plug, const PushUndo& undo) {
  std::vector<netlink::Link> physical;
  for (const auto& name : ports_of(plug.vlan_of)) {
    const auto port = netlink::find_link(socket, name);
    if (port && is_physical(*port)) physical.push_back(*port);
  }
  if (physical.empty()) throw Error(formatted("no physical interface on bridge '{}'", plug.vlan_of));
  make_link(socket, plug.bridge, undo, [&] { netlink::create_bridge(socket, plug.bridge); });
  const auto bridge = netlink::find_bridge(socket, plug.bridge);
  for (const auto& port : physical) add_vlan_port(socket, plug, port, bridge.index, undo);
  if (bridge.is_up() && bridge.mtu == plug.bridge_mtu) return;
  netlink::disable_ipv6(plug.bridge);
  netlink::LinkChange change;
  change.mtu = plug.bridge_mtu;
  change.up = true;
  netlink::change_link(socket, bridge.index, change);
}

netlink::Link host_end(netlink::Socket& socket, const std::string& port) {
  const auto link = netlink::find_link(socket, port);
  if (!link) throw Error(formatted("link '{}' does not exist", port), ENODEV);
  return *link;
}

void join_bridge(netlink::Socket& socket, const LinkPlug& plug, int port_index) {
  netlink::LinkChange change;
  change.master = netlink::find_bridge(socket, plug.bridge).index;
  netlink::change_link(socket, port_index, change);
  netlink::disable_ipv6(plug.port);
  netlink::change_port_vlans(socket, port_index, plug.vlans);
  if (plug.static_mac.empty()) return;
  netlink::stop_port_learning(socket, port_index);
  const auto mac = netlink::parse_mac_address(plug.static_mac);
  if (!mac) throw Error(formatted("'{}' is not a MAC address", plug.static_mac), EINVAL);
  netlink::add_static_address(socket, port_index, *mac);
}

void run_open_vswitch(const std::vector<std::string>& command) {
  try {
    run_checked(command);
  } catch (const Error& error) {
    throw error.with_context("cannot work on a bridge of Open vSwitch");
  }
}

}  // namespace

bool needs_plug(const LinkSpec& link, const BridgeFacts* bridge) {
  if (link.kind != LinkSpec::Kind::veth) return false;
  if (link.rate != 0 && !link.link_down) return true;
  if (bridge == nullptr || link.link_down) return false;
  return names_vlans(link) || (link.own_vlans && bridge->vlan_aware) || !bridge->learning ||
         bridge->open_vswitch;
}

LinkPlug plan_plug(const LinkSpec& link, const BridgeFacts* bridge) {
  LinkPlug plug;
  plug.port = link.host_name;
  plug.up = !link.link_down;
  if (!plug.up) return plug;
  plug.rate = link.rate;
  if (bridge == nullptr) return plug;
  plug.bridge = link.bridge;
  plug.bridge_mtu = bridge->mtu;
  plug.mtu = link.mtu.value_or(bridge->mtu);
  plug.open_vswitch = bridge->open_vswitch;
  plan_vlans(link, *bridge, plug);
  if (!bridge->learning) {
    if (link.mac.empty()) {
      refuse(link,
             formatted("the ports of bridge '{}' learn no addresses, so it must be told this link's",
                       link.bridge),
             "set hwaddr");
    }
    plug.static_mac = link.mac;
  }
  return plug;
}

std::string plug_text(const LinkPlug& plug) {
  if (!plug.up) return "nowhere, down";
  std::string text =
      plug.bridge.empty() ? std::string("to no bridge") : formatted("into bridge {}", plug.bridge);
  if (!plug.vlan_of.empty()) text += formatted(", VLAN {} of bridge {}", plug.vlan, plug.vlan_of);
  if (plug.tag) text += formatted(", VLAN {} untagged", *plug.tag);
  const auto add_range = [&](bool add, unsigned first, unsigned last, bool untagged) {
    text += formatted(", {}VLAN {}", add ? "" : "without ", first);
    if (last != first) text += formatted("-{}", last);
    if (untagged) text += " untagged";
  };
  for (const auto& range : plug.trunks) add_range(true, range.first, range.last, false);
  for (const auto& change : plug.vlans) add_range(change.add, change.first, change.last, change.untagged);
  if (!plug.static_mac.empty()) text += ", without learning";
  if (plug.rate != 0) text += formatted(", at most {} bytes/s each way", plug.rate);
  return text;
}

std::vector<std::string> open_vswitch_command(const LinkPlug& plug) {
  std::vector<std::string> command = {kOpenVswitch, kTimeout,   "--if-exists", "del-port", plug.port,
                                      "--",         "add-port", plug.bridge,   plug.port};
  if (plug.tag) command.push_back(formatted("tag={}", *plug.tag));
  std::string trunks;
  for (const auto& range : plug.trunks) {
    for (unsigned id = range.first; id <= range.last; ++id) {
      trunks += formatted("{}{}", trunks.empty() ? "" : ",", id);
    }
  }
  if (!trunks.empty()) command.push_back("trunks=" + trunks);
  if (plug.tag && !trunks.empty()) command.emplace_back("vlan_mode=native-untagged");
  for (const auto& word : {std::string("--"), std::string("set"), std::string("Interface"), plug.port,
                           formatted("mtu_request={}", plug.mtu)}) {
    command.push_back(word);
  }
  return command;
}

void delete_open_vswitch_port(const std::string& port) {
  run_open_vswitch({kOpenVswitch, kTimeout, "--if-exists", "del-port", port});
}

void plug_link(netlink::Socket& socket, const LinkPlug& plug, const PushUndo& undo) {
  const int index = host_end(socket, plug.port).index;
  if (!plug.up) return;
  if (plug.open_vswitch) {
    run_open_vswitch(open_vswitch_command(plug));
    undo("take port " + plug.port + " from Open vSwitch",
         [port = plug.port] { delete_open_vswitch_port(port); });
    netlink::disable_ipv6(plug.port);
  } else if (!plug.bridge.empty()) {
    if (!plug.vlan_of.empty()) make_vlan_bridge(socket, plug, undo);
    join_bridge(socket, plug, index);
  }
  if (plug.rate != 0) netlink::set_traffic_limit(socket, index, plug.rate);
  netlink::LinkChange change;
  change.up = true;
  netlink::change_link(socket, index, change);
}

void unplug_link(netlink::Socket& socket, const LinkPlug& plug) {
  const netlink::Link link = host_end(socket, plug.port);
  if (plug.open_vswitch) delete_open_vswitch_port(plug.port);
  netlink::clear_traffic_limit(socket, link.index);
  netlink::LinkChange change;
  change.up = false;
  if (!plug.open_vswitch && link.master != 0) change.master = 0;
  netlink::change_link(socket, link.index, change);
}

void limit_link(netlink::Socket& socket, const std::string& port, std::uint64_t rate) {
  const int index = host_end(socket, port).index;
  netlink::clear_traffic_limit(socket, index);
  if (rate != 0) netlink::set_traffic_limit(socket, index, rate);
}

}  // namespace hutch
