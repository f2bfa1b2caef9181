#include "runtime/link_work.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/ignoring.h"
#include "base/text.h"
#include "netlink/link.h"
#include "netlink/stacked_link.h"
#include "netlink/veth.h"
#include "runtime/link_return.h"

namespace hutch {

namespace {

using Kind = LinkSpec::Kind;

std::optional<netlink::MacAddress> mac_of(const LinkSpec& link) {
  if (link.mac.empty()) return std::nullopt;
  const auto mac = netlink::fill_mac_pattern(link.mac);
  if (!mac) {
    throw Error(formatted("'{}' is not the MAC address of one interface", link.mac), EINVAL);
  }
  return mac;
}

// "10.0.0.5" of "10.0.0.5/24 10.0.0.255"
netlink::IpAddress address_of(const std::string& text) {
  const auto address = netlink::parse_ip_address(std::string_view(text).substr(0, text.find('/')));
  if (!address) throw Error(formatted("'{}' is not an address", text), EINVAL);
  return *address;
}

std::string family_directory(int family) {
  return family == AF_INET ? "/proc/sys/net/ipv4" : "/proc/sys/net/ipv6";
}

void require_setting(const std::string& path, const std::string& link, std::string_view why) {
  const auto value = read_file_if_exists(AT_FDCWD, path);
  if (value && trim(*value) == "1") return;
  throw Error(formatted("'{}' has to be 1 for {} of link '{}'", path, why, link), 0,
              formatted("echo 1 > {}", path));
}

}  // namespace

netlink::Socket& LinkWork::socket() {
  if (!socket_) socket_.emplace();
  return *socket_;
}

int LinkWork::net_namespace() {
  if (!net_namespace_) net_namespace_ = open_file(AT_FDCWD, formatted("/proc/{}/ns/net", init_), O_RDONLY);
  return net_namespace_.get();
}

int LinkWork::host_index(const std::string& name) {
  const auto link = netlink::find_link(socket(), name);
  if (!link) throw Error(formatted("link '{}' does not exist", name), ENODEV);
  return link->index;
}

void LinkWork::perform(const host::CreateLink& step) {
  if (step.link->kind == Kind::veth) return create_veth(step);
  create_stacked(step);
}

void LinkWork::create_veth(const host::CreateLink& step) {
  netlink::VethRequest request;
  request.host_name = step.link->host_name;
  request.host_mac = netlink::random_host_mac();
  request.peer_name = step.link->name;
  request.peer_mac = mac_of(*step.link);
  request.rx_queues = step.link->rx_queues;
  request.tx_queues = step.link->tx_queues;
  request.mtu = step.mtu;
  request.peer_netns_fd = net_namespace();
  request.master_index = step.bridge_index;
  request.host_up = !step.link->link_down && !step.plugged;
  netlink::create_veth(socket(), request);
  push_undo_("delete link " + request.host_name, [this, name = request.host_name] {
    // ENODEV: it went with the container's network namespace.
    ignoring(ENODEV, [&] { netlink::delete_link(socket(), name); });
  });
}

void LinkWork::perform(const host::DisableIpv6& step) {
  netlink::disable_ipv6(step.link);
}

void LinkWork::create_stacked(const host::CreateLink& step) {
  netlink::StackedLinkRequest request;
  const LinkSpec& link = *step.link;
  using Stacked = netlink::StackedLinkRequest::Kind;
  request.kind = link.kind == Kind::macvlan  ? Stacked::macvlan
                 : link.kind == Kind::ipvlan ? Stacked::ipvlan
                                             : Stacked::vlan;
  request.name = link.name;
  request.lower_index = step.lower_index;
  request.netns_fd = net_namespace();
  request.mac = mac_of(link);
  if (step.mtu != 0) request.mtu = step.mtu;
  request.mode = link.mode;
  request.ipvlan_flags = link.isolation;
  request.vlan_id = link.vlan_id;
  netlink::create_stacked_link(socket(), request);
  push_undo_("delete link " + link.name + " inside", [this, name = link.name] {
    netlink::Socket inside = netlink::Socket::in_namespace(net_namespace());
    ignoring(ENODEV, [&] { netlink::delete_link(inside, name); });
  });
}

void LinkWork::perform(const host::PlugLink& step) {
  plug_link(socket(), *step.plug, push_undo_);
}

void LinkWork::perform(const host::RouteLink& step) {
  const LinkSpec& link = *step.link;
  const int index = host_index(link.host_name);
  const auto use_gateway = [&](int family, const std::string& text) {
    const auto gateway = netlink::parse_ip_address(text);
    if (!gateway) return;  // none, or "dev"
    const std::string directory = family_directory(family);
    if (family == AF_INET6) {
      require_setting(directory + "/conf/all/forwarding", link.host_name, "the routes");
      write_kernel_file(AT_FDCWD, formatted("{}/conf/{}/proxy_ndp", directory, link.host_name), "1");
    }
    write_kernel_file(AT_FDCWD, formatted("{}/conf/{}/forwarding", directory, link.host_name), "1");
    netlink::add_neighbour_proxy(socket(), index, *gateway);
  };
  // All of it goes with the host end.
  if (link.router) {
    use_gateway(AF_INET, link.gateway4);
    use_gateway(AF_INET6, link.gateway6);
    for (const auto& text : link.addresses) {
      const auto address = address_of(text);
      netlink::add_link_route(socket(), index, {address, address.family == AF_INET ? 32U : 128U});
    }
  }
  for (const auto& text : link.routes) {
    const auto route = netlink::parse_cidr(text);
    if (!route) throw Error(formatted("'{}' is not a subnet with its prefix length", text), EINVAL);
    netlink::add_link_route(socket(), index, *route);
  }
}

void LinkWork::perform(const host::ProxyLink& step) {
  const int index = host_index(step.answering);
  bool families[2] = {};
  for (const auto& text : step.link->addresses) families[address_of(text).family == AF_INET6] = true;
  const std::string own = formatted("/conf/{}/", step.answering);
  if (families[0]) require_setting(family_directory(AF_INET) + own + "forwarding", step.answering, "proxies");
  if (families[1]) {
    require_setting(family_directory(AF_INET6) + own + "proxy_ndp", step.answering, "proxies");
    require_setting(family_directory(AF_INET6) + own + "forwarding", step.answering, "proxies");
  }
  for (const auto& text : step.link->addresses) {
    const auto address = address_of(text);
    netlink::add_neighbour_proxy(socket(), index, address);
    push_undo_(
        "let " + step.answering + " answer no more for " + address.text(),
        [this, answering = step.answering, address] { delete_proxy(socket(), answering, address.text()); });
    if (step.link->kind != Kind::ipvlan) continue;
    const netlink::Cidr route{address, address.family == AF_INET ? 32U : 128U};
    constexpr int kLoopback = 1;
    netlink::add_link_route(socket(), kLoopback, route);
    push_undo_("delete the route to " + address.text(),
               [this, route] { delete_loopback_route(socket(), route.text()); });
  }
}

void LinkWork::perform(const host::MoveLink& step) {
  const int netns = net_namespace();
  push_undo_("give link " + step.moved.name + " back",
             [this, netns, moved = step.moved] { give_link_back(socket(), netns, moved); });
  for (const auto& name : step.moved.alternative_names) {
    netlink::delete_alternative_name(socket(), step.moved.index, name);
  }
  netlink::LinkMove move;
  move.netns_fd = netns;
  move.name = step.moved.inside_name;
  if (step.link->mtu) move.mtu = *step.link->mtu;
  move.mac = mac_of(*step.link);
  netlink::move_link(socket(), step.moved.index, move);
  netlink::Socket inside = netlink::Socket::in_namespace(netns);
  const auto found = netlink::find_link(inside, step.moved.inside_name);
  if (!found) throw Error(formatted("link '{}' did not arrive inside", step.moved.inside_name), ENODEV);
  moved_.push_back(step.moved);
  moved_.back().inside_index = found->index;
}

void LinkWork::perform(const host::RunLinkScripts& step) {
  std::vector<std::string> environment = step.environment;
  environment.push_back(formatted("LXC_PID={}", init_));
  if (step.down) {
    push_undo_("run " + (*step.down)->command, [down = **step.down, container = step.container, environment] {
      run_hook(link_script_run(down, false, container, environment));
    });
  }
  if (!step.up) return;
  HookCommand hook = link_script_run(**step.up, true, step.container, environment);
  hook.signals = signals_;
  run_hook(hook);
}

netlink::InterfaceSetup interface_setup(const LinkSpec& link) {
  netlink::InterfaceSetup setup;
  setup.name = link.name;
  setup.up = link.up;
  for (const auto& text : link.addresses) {
    const auto words = split_blanks(text);
    const auto address = netlink::parse_cidr(words.empty() ? "" : words[0]);
    if (!address) throw Error(formatted("'{}' is not an address with a prefix length", text), EINVAL);
    if (words.size() < 2) {
      setup.addresses.push_back(*address);
      continue;
    }
    const auto broadcast = netlink::parse_ip_address(words[1]);
    if (!broadcast) throw Error(formatted("'{}' is not a broadcast address", words[1]), EINVAL);
    setup.addresses_with_broadcast.emplace_back(*address, *broadcast);
  }
  const auto gateway = [](const std::string& text, bool& over_link) -> std::optional<netlink::IpAddress> {
    over_link = text == "dev";
    if (text.empty() || over_link) return std::nullopt;
    const auto address = netlink::parse_ip_address(text);
    if (!address) throw Error(formatted("'{}' is not an IP address", text), EINVAL);
    return address;
  };
  setup.gateway4 = gateway(link.gateway4, setup.default_route4);
  setup.gateway6 = gateway(link.gateway6, setup.default_route6);
  return setup;
}

void LinkWork::perform(const host::ConfigureLink& step) {
  const netlink::InterfaceSetup setup = interface_setup(*step.link);
  netlink::Socket inside = netlink::Socket::in_namespace(net_namespace());
  if (step.link->up) netlink::set_loopback_up(inside);
  if (step.link->kind != Kind::empty) netlink::configure_interface(inside, setup);
}

}  // namespace hutch
