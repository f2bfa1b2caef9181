#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/libvirt_reader.h"
#include "config/lowering.h"
#include "config/property_formats.h"

// <interface>: a bridge or a network as net[n], a lower device as lxc.net.<n> of type macvlan.
namespace hutch::config {

namespace {

// The bridge of one of libvirt's networks, as its own file says.
std::string bridge_of_network(LibvirtDraft& draft, const pugi::xml_node& node, const std::string& network) {
  if (network.empty() || network.find('/') != std::string::npos) {
    draft.not_carried(node,
                      formatted("'{}' is not the name of a network; the interface is in no bridge", network));
    return {};
  }
  const std::string path = formatted("/etc/libvirt/qemu/networks/{}.xml", network);
  try {
    if (!draft.lxc.sources.read_file) throw Error(formatted("cannot open '{}'", path), ENOENT);
    const XmlDocument document(draft.lxc.sources.read_file(path), path);
    if (const auto bridge = attribute(document.root().child("bridge"), "name"); !bridge.empty())
      return bridge;
    draft.not_carried(node, formatted("'{}' names no bridge; the interface is in no bridge", path));
    return {};
  } catch (const Error& error) {
    if (error.error_number() != ENOENT) {
      draft.not_carried(node, formatted("{}; the interface is in no bridge", reason_of(error)));
      return {};
    }
  }
  if (network != "default") {
    draft.not_carried(
        node,
        formatted("'{}' is not here to say which bridge is meant; the interface is in no bridge", path));
    return {};
  }
  draft.lxc.remark(draft.origin(node), "libvirt's network 'default' is taken to be its bridge virbr0");
  return "virbr0";
}

// Sets one of its fields, unless the option would not take the value: then that is told.
template <typename Value>
void take(LibvirtDraft& draft, const pugi::xml_node& node, NetOption& net, Value NetOption::*field,
          const Value& value) {
  NetOption with = net;
  with.*field = value;
  if (const auto complaint = net_complaint(with)) return draft.not_carried(node, *complaint);
  net = std::move(with);
}

// At most one address of each family fits the option.
void read_addresses(LibvirtDraft& draft, const pugi::xml_node& node, NetOption& net) {
  for (const auto& ip : node.children("ip")) {
    const auto address = attribute(ip, "address");
    const bool v6 = attribute(ip, "family") == "ipv6" || address.find(':') != std::string::npos;
    const auto prefix = attribute(ip, "prefix");
    const auto field = v6 ? &NetOption::ip6 : &NetOption::ip;
    if (!(net.*field).empty()) {
      draft.not_carried(ip, "net[n] has one address of each family");
      continue;
    }
    take(draft, ip, net, field, formatted("{}/{}", address, prefix.empty() ? (v6 ? "64" : "24") : prefix));
  }
  for (const auto& route : node.children("route")) {
    const auto gateway = attribute(route, "gateway");
    const auto address = attribute(route, "address");
    const bool v6 = attribute(route, "family") == "ipv6" || gateway.find(':') != std::string::npos;
    const auto field = v6 ? &NetOption::gw6 : &NetOption::gw;
    const bool is_default = address == "0.0.0.0" || address == "::";
    if (!is_default || !(net.*field).empty() || (v6 ? net.ip6 : net.ip).empty()) {
      draft.not_carried(route, "only one default route of each family is taken, beside an address");
      continue;
    }
    take(draft, route, net, field, gateway);
  }
}

void report_rest(LibvirtDraft& draft, const pugi::xml_node& node) {
  constexpr std::string_view kRead[] = {"address", "alias", "guest", "ip",     "link",   "mac",
                                        "model",   "mtu",   "route", "source", "target", "vlan"};
  for (const auto& child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    if (std::find(std::begin(kRead), std::end(kRead), std::string_view(child.name())) == std::end(kRead)) {
      draft.not_carried(child, "it has no counterpart in a CT config");
    }
  }
}

void read_vlan(LibvirtDraft& draft, const pugi::xml_node& node, NetOption& net) {
  const auto vlan = node.child("vlan");
  if (!vlan) return;
  const auto tags = vlan.children("tag");
  const bool is_one = std::distance(tags.begin(), tags.end()) == 1 && attribute(vlan, "trunk") != "yes";
  const auto id = is_one ? parse_unsigned(attribute(*tags.begin(), "id")) : std::nullopt;
  if (id && *id >= 1 && *id <= 4094) {
    net.tag = static_cast<std::uint32_t>(*id);
    return;
  }
  // Without its tag it would be in a network that it was kept out of.
  net.bridge.clear();
  draft.not_carried(vlan, is_one ? "a VLAN tag is a number from 1 to 4094; the interface is in no bridge"
                                 : "only one VLAN tag is taken; the interface is in no bridge");
}

std::string guest_name(const pugi::xml_node& node, unsigned index) {
  const auto name = attribute(node.child("guest"), "dev");
  return name.empty() ? formatted("eth{}", index) : name;
}

// macvtap of virtual machines is macvlan of containers.
void read_direct(LibvirtDraft& draft, const pugi::xml_node& node, unsigned index) {
  const auto source = node.child("source");
  auto mode = attribute(source, "mode");
  if (mode == "passthrough") mode = "passthru";
  const auto put = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) draft.put(formatted("lxc.net.{}.{}", index, name), value, node);
  };
  put("type", "macvlan");
  put("macvlan.mode", mode.empty() ? "vepa" : mode);
  put("link", attribute(source, "dev"));
  put("name", guest_name(node, index));
  put("hwaddr", attribute(node.child("mac"), "address"));
  put("mtu", attribute(node.child("mtu"), "size"));
  if (attribute(node.child("link"), "state") != "down") put("flags", "up");
  NetOption net;
  read_addresses(draft, node, net);
  put("ipv4.address", net.ip);
  put("ipv4.gateway", net.gw);
  put("ipv6.address", net.ip6);
  put("ipv6.gateway", net.gw6);
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

void read_veth(LibvirtDraft& draft, const pugi::xml_node& node, const std::string& type, unsigned index) {
  NetOption net;
  net.type = "veth";
  net.name = formatted("eth{}", index);
  take(draft, node.child("guest"), net, &NetOption::name, guest_name(node, index));
  const auto source = node.child("source");
  std::string bridge;
  if (type == "bridge") bridge = attribute(source, "bridge");
  if (type == "network") bridge = bridge_of_network(draft, node, attribute(source, "network"));
  take(draft, source, net, &NetOption::bridge, bridge);
  take(draft, node.child("mac"), net, &NetOption::hwaddr, upper(attribute(node.child("mac"), "address")));
  if (const auto mtu = node.child("mtu")) {
    draft.attempt(mtu, [&] {
      const auto size = std::min<std::uint64_t>(draft.number(mtu, attribute(mtu, "size")), UINT32_MAX);
      take(draft, mtu, net, &NetOption::mtu, std::optional(static_cast<std::uint32_t>(size)));
    });
  }
  if (attribute(node.child("link"), "state") == "down") {
    net.link_down = true;
  } else {
    // libvirt brings every interface up.
    net.host_managed = true;
  }
  read_vlan(draft, node, net);
  read_addresses(draft, node, net);
  draft.set(formatted("net{}", index), print_net(net), node);
  // libvirt writes down names that it made up itself.
  const auto host_name = attribute(node.child("target"), "dev");
  if (!host_name.empty() && !host_name.starts_with("vnet") && !host_name.starts_with("veth")) {
    draft.put(formatted("lxc.net.{}.veth.pair", index), host_name, node.child("target"));
  }
}

}  // namespace

void read_interface(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto type = attribute(node, "type");
  if (type != "bridge" && type != "network" && type != "direct" && type != "ethernet") {
    return draft.not_carried(node, formatted("an interface of type '{}' has no counterpart", type));
  }
  const auto index = draft.interfaces++;
  report_rest(draft, node);
  if (index > 31) return draft.not_carried(node, "a CT has net0 to net31");
  if (type == "direct") {
    read_direct(draft, node, index);
  } else {
    read_veth(draft, node, type, index);
  }
}

}  // namespace hutch::config
