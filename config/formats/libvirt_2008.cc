#include <arpa/inet.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/libvirt_reader.h"
#include "config/property_formats.h"

// The container XML that was proposed for libvirt in 2008: <domain type='linuxcontainer'>.
namespace hutch::config {

namespace {

void ignore(LibvirtDraft&, const pugi::xml_node&) {}

// "255.255.255.0" -> 24; nothing for a mask with holes.
std::optional<unsigned> prefix_of(const std::string& netmask) {
  in_addr address{};
  if (::inet_pton(AF_INET, netmask.c_str(), &address) != 1) return std::nullopt;
  const std::uint32_t mask = ntohl(address.s_addr);
  unsigned prefix = 0;
  while (prefix < 32 && (mask >> (31 - prefix) & 1) != 0) ++prefix;
  const std::uint32_t rest = prefix == 32 ? 0 : mask << prefix;
  if (rest != 0) return std::nullopt;
  return prefix;
}

// An element's address, as attribute or as text.
std::string address_of(const pugi::xml_node& node) {
  const auto address = attribute(node, "address");
  return address.empty() ? text_of(node) : address;
}

// <gateway> and <nameserver> beside <ip>, or inside it.
std::vector<pugi::xml_node> descendants(const pugi::xml_node& network, const char* name) {
  std::vector<pugi::xml_node> found;
  for (const auto& child : network.children()) {
    if (std::string_view(child.name()) == name) found.push_back(child);
    for (const auto& inner : child.children(name)) found.push_back(inner);
  }
  return found;
}

void read_network(LibvirtDraft& draft, const pugi::xml_node& node) {
  if (const auto name = attribute(node, "hostname"); !name.empty()) draft.put("lxc.uts.name", name, node);
  std::vector<std::string> servers;
  const auto server_nodes = descendants(node, "nameserver");
  for (const auto& server : server_nodes) servers.push_back(address_of(server));
  if (!servers.empty()) draft.set("nameserver", join(servers, " "), server_nodes.front());
  const auto ip = node.child("ip");
  if (!ip) return;
  const auto prefix = prefix_of(attribute(ip, "netmask"));
  if (!prefix) draft.bad(ip, attribute(ip, "netmask"), "a netmask");
  const auto index = draft.interfaces++;
  NetOption net;
  net.type = "veth";
  net.name = formatted("eth{}", index);
  net.host_managed = true;
  net.ip = formatted("{}/{}", attribute(ip, "address"), *prefix);
  if (const auto complaint = net_complaint(net)) return draft.not_carried(ip, *complaint);
  for (const auto& gateway : descendants(node, "gateway")) {
    NetOption with = net;
    with.gw = address_of(gateway);
    if (const auto complaint = net_complaint(with)) {
      draft.not_carried(gateway, *complaint);
    } else {
      net = std::move(with);
    }
  }
  draft.set(formatted("net{}", index), print_net(net), node);
  draft.lxc.remark(draft.origin(node),
                   formatted("the proposal named no bridge: add bridge=<name> to net{}", index));
}

void read_shares(LibvirtDraft& draft, const pugi::xml_node& node) {
  draft.put("lxc.cgroup2.cpu.weight", std::to_string(weight_of_shares(draft.number(node, text_of(node)))),
            node);
}

void read_memory(LibvirtDraft& draft, const pugi::xml_node& node) {
  const auto bytes = libvirt_bytes(draft, node, text_of(node), attribute(node, "unit"));
  draft.put("lxc.cgroup2.memory.max", bytes ? std::to_string(*bytes) : "max", node);
}

void read_container(LibvirtDraft& draft, const pugi::xml_node& node);

constexpr ElementRow kElements[] = {
    {"application",
     [](LibvirtDraft& draft, const pugi::xml_node& node) { draft.put("lxc.init.cmd", text_of(node), node); }},
    // The terminal of whoever started it.
    {"console", [](LibvirtDraft& draft, const pugi::xml_node& node) { draft.set("tty", "1", node); }},
    {"container", read_container},
    {"cpushare", read_shares},
    {"filesystem", read_filesystem},
    {"memory", read_memory},
    {"name",
     [](LibvirtDraft& draft, const pugi::xml_node& node) {
       // The host name is an attribute of the network.
       auto& description = draft.lxc.section.description;
       description += text_of(node);
       description += '\n';
     }},
    {"network", read_network},
    {"uuid", ignore},
};

// The settings may stand in an element of their own.
void read_container(LibvirtDraft& draft, const pugi::xml_node& node) {
  for (const auto& child : node.children()) {
    if (std::string_view(child.name()) == "container") {
      return draft.not_carried(node, "a <container> inside another is not allowed");
    }
  }
  read_children(draft, node, kElements, std::size(kElements));
}

}  // namespace

void read_domain_of_2008(LibvirtDraft& draft, const pugi::xml_node& domain) {
  read_children(draft, domain, kElements, std::size(kElements));
}

}  // namespace hutch::config
