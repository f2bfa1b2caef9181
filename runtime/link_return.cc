#include "runtime/link_return.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/ignoring.h"
#include "base/text.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "runtime/link_plug.h"
#include "runtime/link_script.h"

namespace hutch {

namespace {

bool is_that_link(const netlink::Link& found, const MovedLink& link) {
  return found.kind == link.kind && (link.permanent_mac.empty() || found.permanent_mac == link.permanent_mac);
}

// Inside, the container's root may have renamed it, and given its name and its index to a link of his own.
std::optional<netlink::Link> find_inside(netlink::Socket& inside, const MovedLink& link) {
  if (link.inside_index != 0) {
    const auto found = netlink::find_link(inside, link.inside_index);
    if (found && is_that_link(*found, link)) return found;
  }
  for (const auto* name : {&link.inside_name, &link.name}) {
    const auto found = netlink::find_link(inside, *name);
    if (found && is_that_link(*found, link)) return found;
  }
  return std::nullopt;
}

// Whether it was there.
bool move_out(int net_namespace, const MovedLink& link) {
  netlink::Socket inside = netlink::Socket::in_namespace(net_namespace);
  const auto found = find_inside(inside, link);
  if (!found) return false;
  const UniqueFd home = open_file(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
  netlink::LinkMove move;
  move.netns_fd = home.get();
  move.name = link.name;
  move.mtu = link.mtu;
  netlink::move_link(inside, found->index, move);
  return true;
}

// With its old index or else under its old name. Only hardware comes back under another name, when the kernel
// gives it back by itself.
netlink::Link find_at_home(netlink::Socket& host, const MovedLink& link) {
  if (const auto found = netlink::find_link(host, link.index);
      found && is_that_link(*found, link) && (link.kind.empty() || found->name == link.name)) {
    return *found;
  }
  const auto found = netlink::find_link(host, link.name);
  if (found && is_that_link(*found, link)) return *found;
  throw Error(
      formatted("link '{}' did not come back from the container", link.name), ENODEV,
      link.kind.empty() ? "the kernel gives it back when nothing has the container's network any more" : "");
}

void use_old_name(netlink::Socket& host, const netlink::Link& found, const MovedLink& link) {
  if (found.name == link.name) return;
  netlink::LinkChange change;
  change.up = false;
  netlink::change_link(host, found.index, change);
  netlink::LinkChange rename;
  rename.name = link.name;
  netlink::change_link(host, found.index, rename);
}

void restore(netlink::Socket& host, const netlink::Link& found, const MovedLink& link) {
  if (link.mtu != 0 && found.mtu != link.mtu) {
    netlink::LinkChange change;
    change.mtu = link.mtu;
    netlink::change_link(host, found.index, change);
  }
  const auto& present = found.alternative_names;
  for (const auto& name : link.alternative_names) {
    if (std::find(present.begin(), present.end(), name) != present.end()) continue;
    netlink::add_alternative_name(host, found.index, name);
  }
}

class Returns {
 public:
  Returns(const Sysroot& sysroot, const ContainerState& state, int net_namespace)
      : sysroot_(sysroot), state_(state), net_namespace_(net_namespace) {}

  std::vector<std::string> run() {
    for (const auto& client : state_.dhcp_clients) {
      attempt([&] { kill_dhcp_client(sysroot_, state_.vmid, client); });
    }
    for (const auto& script : state_.down_scripts)
      attempt([&] { run_down_script(state_, net_namespace_, script); });
    for (const auto& link : state_.moved_links) {
      attempt([&] { give_link_back(socket(), net_namespace_, link); });
    }
    for (const auto& port : state_.open_vswitch_ports) attempt([&] { delete_open_vswitch_port(port); });
    for (const auto& [link, address] : state_.proxies)
      attempt([&] { delete_proxy(socket(), link, address); });
    for (const auto& route : state_.loopback_routes) attempt([&] { delete_loopback_route(socket(), route); });
    return std::move(failures_);
  }

 private:
  const Sysroot& sysroot_;
  const ContainerState& state_;
  int net_namespace_;
  std::optional<netlink::Socket> socket_;
  std::vector<std::string> failures_;

  netlink::Socket& socket() { return socket_ ? *socket_ : socket_.emplace(); }

  void attempt(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      failures_.emplace_back(error.what());
    }
  }
};

}  // namespace

void give_link_back(netlink::Socket& host, int net_namespace, const MovedLink& link) {
  if (net_namespace >= 0) move_out(net_namespace, link);
  const netlink::Link found = find_at_home(host, link);
  use_old_name(host, found, link);
  restore(host, found, link);
}

void run_down_script(const ContainerState& state, int net_namespace, const LinkScript& script) {
  std::vector<std::string> environment = state.hook_environment;
  if (state.init.pid > 0) environment.push_back(formatted("LXC_PID={}", state.init.pid));
  if (net_namespace >= 0) {
    environment.push_back(formatted("LXC_NET_NS=/proc/{}/fd/{}", ::getpid(), net_namespace));
  }
  run_hook(link_script_run(script, false, std::to_string(state.vmid), std::move(environment)));
}

void delete_proxy(netlink::Socket& host, const std::string& name, const std::string& text) {
  const auto link = netlink::find_link(host, name);
  const auto address = netlink::parse_ip_address(text);
  if (!link || !address) return;
  ignoring(ENOENT, [&] { netlink::delete_neighbour_proxy(host, link->index, *address); });
}

void delete_loopback_route(netlink::Socket& host, const std::string& text) {
  const auto route = netlink::parse_cidr(text);
  if (!route) return;
  constexpr int kLoopback = 1;
  ignoring(ESRCH, [&] { netlink::delete_link_route(host, kLoopback, *route); });
}

bool has_links_to_return(const ContainerState& state) {
  return !state.moved_links.empty() || !state.down_scripts.empty() || !state.open_vswitch_ports.empty() ||
         !state.proxies.empty() || !state.loopback_routes.empty() || !state.dhcp_clients.empty();
}

std::vector<std::string> return_links(const Sysroot& sysroot, const ContainerState& state,
                                      int net_namespace) {
  return Returns(sysroot, state, net_namespace).run();
}

}  // namespace hutch
