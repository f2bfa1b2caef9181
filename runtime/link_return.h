#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "netlink/socket.h"
#include "runtime/state.h"

// What the host gets back when a container has ended, besides the deletion of host links
// (runtime/link_removal.h): its own links, and what scripts, proxies and Open vSwitch know.
namespace hutch {

// Moves a link back to the network namespace of the calling thread and of `host`, with its old name, MTU and
// alternative names. `net_namespace` is the container's, -1 when it cannot be had any more: the kernel has
// then given hardware back by itself, to the initial network namespace and under another name. Nothing to do
// when it is back already. Throws ENODEV when it is nowhere: a link inside that is not of the recorded kind
// and permanent address is another one, whatever its name and index.
void give_link_back(netlink::Socket& host, int net_namespace, const MovedLink& link);

// Runs a script.down of the record; `net_namespace` as above. Throws when the script fails.
void run_down_script(const ContainerState& state, int net_namespace, const LinkScript& script);
// Take back what the record names: that `link` answers for `address` (ContainerState::proxies), and a route
// over the loopback (ContainerState::loopback_routes). Nothing to do when somebody has done it already.
void delete_proxy(netlink::Socket& host, const std::string& link, const std::string& address);
void delete_loopback_route(netlink::Socket& host, const std::string& route);

// Whether the end of this container needs return_links; and its network namespace while init dies
// (HeldNamespaces, runtime/stop_hooks.h).
bool has_links_to_return(const ContainerState& state);

// Everything that the record names, in this order: DHCP clients, scripts, links, Open vSwitch, proxies,
// routes. Init has ended; `net_namespace` as above. What fails does not stop the rest; gives a line about
// each failure.
std::vector<std::string> return_links(const Sysroot& sysroot, const ContainerState& state, int net_namespace);

}  // namespace hutch
