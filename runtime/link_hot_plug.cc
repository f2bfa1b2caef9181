#include "runtime/link_hot_plug.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/ignoring.h"
#include "base/text.h"
#include "netlink/link.h"
#include "runtime/link_plan.h"
#include "runtime/link_return.h"
#include "runtime/link_work.h"

namespace hutch {

namespace {

using Kind = LinkSpec::Kind;

HostFacts facts_about(const LinkSpec& link) {
  HostFacts facts;
  gather_link_facts({link}, facts);
  return facts;
}

LinkPlanContext context_of(const ContainerState& state) {
  LinkPlanContext context;
  context.container = std::to_string(state.vmid);
  context.hook_environment = state.hook_environment;
  const auto& environment = state.hook_environment;
  if (std::find(environment.begin(), environment.end(), "LXC_HOOK_VERSION=1") != environment.end()) {
    context.hook_version = 1;
  }
  return context;
}

// Changes the published record, which may have changed since `state` was read.
void update_record(const Sysroot& sysroot, const ContainerState& state,
                   const std::function<void(ContainerState&)>& change) {
  auto record = read_state(sysroot, state.vmid);
  if (!record || record->init != state.init) {
    throw Error(formatted("CT {} does not run any more", state.vmid), ESRCH);
  }
  const ContainerState before = *record;
  change(*record);
  if (*record != before) replace_state(sysroot, *record);
}

// The link of the host that `link` has taken: by any of its names, or as what "eth+" has found.
bool is_taken_by(const MovedLink& moved, const LinkSpec& link) {
  if (link.kind != Kind::phys) return false;
  const auto& names = moved.alternative_names;
  if (moved.name == link.lower || std::find(names.begin(), names.end(), link.lower) != names.end())
    return true;
  if (!link.lower.ends_with('+')) return false;
  const std::string_view prefix = std::string_view(link.lower).substr(0, link.lower.size() - 1);
  return moved.name.starts_with(prefix) &&
         moved.inside_name == (link.name == link.lower ? moved.name : link.name);
}

[[noreturn]] void throw_no_interface(const std::string& name) {
  throw Error(formatted("the container has no interface '{}'", name), ENODEV, "has it been renamed inside?");
}

// What the record says about one link of the container.
ContainerState share_of(const LinkSpec& link, const ContainerState& record) {
  ContainerState share;
  for (const auto& script : record.down_scripts) {
    if (script.index == link.index) share.down_scripts.push_back(script);
  }
  const auto moved = std::find_if(record.moved_links.begin(), record.moved_links.end(),
                                  [&](const MovedLink& known) { return is_taken_by(known, link); });
  if (moved != record.moved_links.end()) share.moved_links.push_back(*moved);
  ContainerState planned;
  record_proxies(link, planned);
  const auto keep_known = [](const auto& from, const auto& known, auto& into) {
    for (const auto& entry : from) {
      if (std::find(known.begin(), known.end(), entry) != known.end()) into.push_back(entry);
    }
  };
  keep_known(planned.proxies, record.proxies, share.proxies);
  keep_known(planned.loopback_routes, record.loopback_routes, share.loopback_routes);
  return share;
}

template <typename Entry>
void forget(std::vector<Entry>& entries, const std::vector<Entry>& gone) {
  for (const auto& entry : gone) {
    const auto found = std::find(entries.begin(), entries.end(), entry);
    if (found != entries.end()) entries.erase(found);
  }
}

void forget_link(const LinkSpec& link, const ContainerState& share, ContainerState& record) {
  std::erase(record.host_links, link.host_name);
  std::erase(record.open_vswitch_ports, link.host_name);
  std::erase_if(record.dhcp_clients, [&](const DhcpClient& client) { return client.interface == link.name; });
  forget(record.down_scripts, share.down_scripts);
  forget(record.moved_links, share.moved_links);
  forget(record.proxies, share.proxies);
  forget(record.loopback_routes, share.loopback_routes);
}

// One operation on a running container, with what takes it back.
class HotPlug {
 public:
  HotPlug(const Sysroot& sysroot, const ContainerState& state) : sysroot_(sysroot), state_(state) {
    work_.set_container(state.init.pid);
    // From here on the descriptor, not the number, names the container's network.
    work_.net_namespace();
    if (!is_alive(state.init)) throw Error(formatted("CT {} does not run any more", state.vmid), ESRCH);
  }

  void add(LinkSpec link);
  void remove(const LinkSpec& link);
  void connect(const LinkSpec& from, const LinkSpec& to);
  void limit(const LinkSpec& from, const LinkSpec& to);
  void readdress(const LinkSpec& from, const LinkSpec& to, int family);
  void change_clients(const LinkSpec& from, const LinkSpec& to);
  void commit() { undo_.dismiss(); }

 private:
  const Sysroot& sysroot_;
  const ContainerState& state_;
  LinkWork work_{
      [this](std::string name, UndoStack::Action action) { undo_.push(std::move(name), std::move(action)); }};
  UndoStack undo_;  // its actions use the members above

  netlink::Socket inside() { return netlink::Socket::in_namespace(work_.net_namespace()); }
  void set_record(const std::function<void(ContainerState&)>& change);
  void remove_left_over(const LinkSpec& link);
  static std::vector<DhcpClient> clients_of(const LinkSpec& link);
  void start_client(const DhcpClient& client);
  void delete_inside(const std::string& name);
  void delete_one_address(int index, const std::string& name, const netlink::Cidr& address);
};

void HotPlug::set_record(const std::function<void(ContainerState&)>& change) {
  const auto before = read_state(sysroot_, state_.vmid);
  update_record(sysroot_, state_, change);
  undo_.push("restore the state record", [this, before] {
    if (before) replace_state(sysroot_, *before);
  });
}

// The config has no such link: what the record has of it was left by somebody who was killed before the
// config could be written.
void HotPlug::remove_left_over(const LinkSpec& link) {
  const auto record = read_state(sysroot_, state_.vmid).value_or(state_);
  const auto& ours = record.host_links;
  const bool veth =
      link.kind == Kind::veth && std::find(ours.begin(), ours.end(), link.host_name) != ours.end();
  if (veth || !share_of(link, record).moved_links.empty()) remove(link);
}

void HotPlug::add(LinkSpec link) {
  remove_left_over(link);
  const HostFacts facts = facts_about(link);
  check_link(link, facts);
  const LinkPlanContext context = context_of(state_);
  // The record first: should we be killed now, the container's end cleans up.
  set_record([&](ContainerState& record) {
    if (link.kind == Kind::veth) record.host_links.push_back(link.host_name);
    record_link(link, facts, context, record);
  });
  link.configure = link.up = true;
  bool configured = false;
  for (const auto& step : plan_link(link, facts, context)) {
    std::visit(
        [this, &configured](const auto& action) {
          using Action = std::decay_t<decltype(action)>;
          if constexpr (requires(LinkWork & work) { work.perform(action); }) {
            work_.perform(action);
            configured = configured || std::is_same_v<Action, host::ConfigureLink>;
          }
        },
        step.action);
  }
  for (const auto& client : clients_of(link)) start_client(client);
  // A link whose host end is down is set up inside all the same.
  if (!configured && link.kind != Kind::empty) work_.perform(host::ConfigureLink{link});
  if (work_.moved_links().empty()) return;
  update_record(sysroot_, state_, [&](ContainerState& record) {
    for (const auto& moved : work_.moved_links()) {
      for (auto& known : record.moved_links) {
        if (known.name == moved.name) known = moved;
      }
    }
  });
}

std::vector<DhcpClient> HotPlug::clients_of(const LinkSpec& link) {
  std::vector<DhcpClient> clients;
  if (link.dhcp4) clients.push_back({AF_INET, link.name});
  if (link.dhcp6) clients.push_back({AF_INET6, link.name});
  return clients;
}

void HotPlug::start_client(const DhcpClient& client) {
  undo_.push("end the DHCP client of " + client.interface,
             [this, client] { kill_dhcp_client(sysroot_, state_.vmid, client); });
  start_dhcp_client(sysroot_, state_.vmid, state_.init, client);
}

// A client that is no longer wanted gives its lease back; a new one begins.
void HotPlug::change_clients(const LinkSpec& from, const LinkSpec& to) {
  const auto old = clients_of(from);
  const auto wanted = clients_of(to);
  if (old == wanted) return;
  check_link(to, facts_about(to));
  set_record([&](ContainerState& record) {
    std::erase_if(record.dhcp_clients, [&](const DhcpClient& client) { return client.interface == to.name; });
    record.dhcp_clients.insert(record.dhcp_clients.end(), wanted.begin(), wanted.end());
  });
  const auto has = [](const std::vector<DhcpClient>& list, const DhcpClient& client) {
    return std::find(list.begin(), list.end(), client) != list.end();
  };
  for (const auto& client : wanted) {
    if (!has(old, client)) start_client(client);
  }
  for (const auto& client : old) {
    if (has(wanted, client)) continue;
    release_dhcp_client(sysroot_, state_.vmid, state_.init, client);
    undo_.push("start the DHCP client of " + client.interface,
               [this, client] { start_dhcp_client(sysroot_, state_.vmid, state_.init, client); });
  }
}

void HotPlug::delete_inside(const std::string& name) {
  netlink::Socket socket = inside();
  if (!netlink::find_link(socket, name)) throw_no_interface(name);
  netlink::delete_link(socket, name);
}

void HotPlug::remove(const LinkSpec& link) {
  const auto record = read_state(sysroot_, state_.vmid).value_or(state_);
  const auto& ours = record.host_links;
  if (link.kind == Kind::veth && std::find(ours.begin(), ours.end(), link.host_name) == ours.end()) return;
  const ContainerState share = share_of(link, record);
  for (const auto& script : share.down_scripts) run_down_script(record, work_.net_namespace(), script);
  for (const auto& client : clients_of(link)) kill_dhcp_client(sysroot_, state_.vmid, client);
  switch (link.kind) {
    case Kind::veth:
      if (std::find(record.open_vswitch_ports.begin(), record.open_vswitch_ports.end(), link.host_name) !=
          record.open_vswitch_ports.end()) {
        delete_open_vswitch_port(link.host_name);
      }
      ignoring(ENODEV, [&] { netlink::delete_link(work_.socket(), link.host_name); });
      break;
    case Kind::macvlan:
    case Kind::ipvlan:
    case Kind::vlan: delete_inside(link.name); break;
    case Kind::phys:
      for (const auto& moved : share.moved_links) {
        give_link_back(work_.socket(), work_.net_namespace(), moved);
      }
      break;
    case Kind::empty: break;
  }
  for (const auto& [answering, address] : share.proxies) delete_proxy(work_.socket(), answering, address);
  for (const auto& route : share.loopback_routes) delete_loopback_route(work_.socket(), route);
  update_record(sysroot_, state_, [&](ContainerState& changed) { forget_link(link, share, changed); });
}

LinkPlug plug_of(const LinkSpec& link) {
  const HostFacts facts = facts_about(link);
  check_link(link, facts);
  return plan_plug(link, link.bridge.empty() ? nullptr : &facts.bridges.at(link.bridge));
}

// The way back. To a bridge that is gone there is none, and the link then stays without.
LinkPlug old_plug_of(const LinkSpec& link) {
  if (link.bridge.empty()) return plan_plug(link, nullptr);
  const HostFacts facts = facts_about(link);
  const auto bridge = facts.bridges.find(link.bridge);
  if (bridge != facts.bridges.end()) return plan_plug(link, &bridge->second);
  LinkPlug nowhere;
  nowhere.port = link.host_name;
  nowhere.up = false;
  return nowhere;
}

// The way of a link that is connected already: also where a start would have taken a shorter one.
void HotPlug::connect(const LinkSpec& from, const LinkSpec& to) {
  const LinkPlug wanted = plug_of(to);
  const LinkPlug old = old_plug_of(from);
  netlink::Socket& host = work_.socket();
  // First, as what disconnects it may fail half-way.
  undo_.push("connect link " + old.port + " as before", [this, old] {
    const PushUndo ignore = [](const std::string&, const UndoStack::Action&) {};
    limit_link(work_.socket(), old.port, 0);
    plug_link(work_.socket(), old, ignore);
  });
  unplug_link(host, old);
  undo_.push("disconnect link " + old.port, [this, wanted] { unplug_link(work_.socket(), wanted); });
  plug_link(host, wanted, [this](std::string name, UndoStack::Action action) {
    undo_.push(std::move(name), std::move(action));
  });
  if (old.open_vswitch == wanted.open_vswitch) return;
  set_record([&](ContainerState& record) {
    std::erase(record.open_vswitch_ports, to.host_name);
    if (wanted.open_vswitch) record.open_vswitch_ports.push_back(to.host_name);
  });
}

void HotPlug::limit(const LinkSpec& from, const LinkSpec& to) {
  undo_.push("limit link " + to.host_name + " as before",
             [this, from] { limit_link(work_.socket(), from.host_name, from.rate); });
  limit_link(work_.socket(), to.host_name, to.rate);
}

std::optional<netlink::Cidr> address_of(const LinkSpec& link, int family) {
  for (const auto& text : link.addresses) {
    const auto address = netlink::parse_cidr(std::string_view(text).substr(0, text.find(' ')));
    if (!address) throw Error(formatted("'{}' is not an address with a prefix length", text), EINVAL);
    if (address->address.family == family) return address;
  }
  return std::nullopt;
}

std::optional<netlink::IpAddress> gateway_of(const LinkSpec& link, int family) {
  const std::string& text = family == AF_INET ? link.gateway4 : link.gateway6;
  if (text.empty()) return std::nullopt;
  const auto gateway = netlink::parse_ip_address(text);
  if (!gateway) throw Error(formatted("'{}' is not an IP address", text), EINVAL);
  return gateway;
}

// The sysctls of a network namespace are seen by whoever is in it.
void in_network(int net_namespace, const std::function<void()>& action) {
  const UniqueFd home = open_file(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
  check(::setns(net_namespace, CLONE_NEWNET), "cannot enter the container's network namespace");
  std::exception_ptr failure;
  try {
    action();
  } catch (...) {
    failure = std::current_exception();
  }
  check(::setns(home.get(), CLONE_NEWNET), "cannot return to the host's network namespace");
  if (failure) std::rethrow_exception(failure);
}

// Without promote_secondaries the kernel deletes the other addresses of the subnet along with its first one
// (ip-sysctl.rst), the new one among them.
void HotPlug::delete_one_address(int index, const std::string& name, const netlink::Cidr& address) {
  netlink::Socket socket = inside();
  const auto forget = [&] {
    ignoring(EADDRNOTAVAIL, [&] { netlink::delete_address(socket, index, address); });
  };
  if (address.address.family != AF_INET) return forget();
  const std::string setting = formatted("/proc/sys/net/ipv4/conf/{}/promote_secondaries", name);
  std::string before;
  in_network(work_.net_namespace(), [&] {
    before = trim(read_file(AT_FDCWD, setting));
    write_kernel_file(AT_FDCWD, setting, "1");
  });
  const auto restore = [&] {
    in_network(work_.net_namespace(), [&] { write_kernel_file(AT_FDCWD, setting, before); });
  };
  try {
    forget();
  } catch (...) {
    restore();
    throw;
  }
  restore();
}

void HotPlug::readdress(const LinkSpec& from, const LinkSpec& to, int family) {
  const auto old_address = address_of(from, family);
  const auto new_address = address_of(to, family);
  const auto old_gateway = gateway_of(from, family);
  const auto new_gateway = gateway_of(to, family);
  if (old_address == new_address && old_gateway == new_gateway) return;
  netlink::Socket socket = inside();
  const auto link = netlink::find_link(socket, to.name);
  if (!link) {
    throw_no_interface(to.name);
  }
  const int index = link->index;
  if (new_address && new_address != old_address) {
    bool added = true;
    try {
      netlink::add_address(socket, index, *new_address);
    } catch (const Error& error) {
      if (error.error_number() != EEXIST) throw;
      added = false;
    }
    if (added) {
      undo_.push("delete address " + new_address->text(),
                 [this, index, name = to.name, address = *new_address] {
                   delete_one_address(index, name, address);
                 });
    }
  }
  if (new_gateway) {
    netlink::replace_default_route(socket, index, *new_gateway);
  } else if (old_gateway) {
    ignoring(ESRCH, [&] { netlink::delete_default_route(socket, index, family); });
  }
  if (new_gateway != old_gateway) {
    undo_.push("restore the default route", [this, index, family, old_gateway] {
      netlink::Socket back = inside();
      if (old_gateway) return netlink::replace_default_route(back, index, *old_gateway);
      ignoring(ESRCH, [&] { netlink::delete_default_route(back, index, family); });
    });
  }
  if (!old_address || old_address == new_address) return;
  delete_one_address(index, to.name, *old_address);
  undo_.push("add address " + old_address->text(), [this, index, address = *old_address] {
    netlink::Socket back = inside();
    netlink::add_address(back, index, address);
  });
}

bool is_another_link(const LinkSpec& from, const LinkSpec& to) {
  return from.kind != to.kind || from.name != to.name || to_lower(from.mac) != to_lower(to.mac) ||
         from.host_name != to.host_name || from.lower != to.lower || from.router != to.router;
}

bool is_connected_alike(const LinkSpec& from, const LinkSpec& to) {
  return from.bridge == to.bridge && from.link_down == to.link_down && from.own_vlans == to.own_vlans &&
         from.tag == to.tag && from.no_untagged == to.no_untagged && from.trunks == to.trunks;
}

// Errors say which line of the config they are about.
template <typename Action>
void guarded(const LinkSpec& link, Action action) {
  try {
    action();
  } catch (const Error& error) {
    throw error.with_context(formatted("net{}", link.index)).with_origin(link.origin);
  }
}

// After the failure of its successor, of which the user is to hear also when this fails, too.
void put_back(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link,
              const Error& failure) {
  try {
    add_link(sysroot, state, link);
  } catch (const Error& second) {
    const std::string hint =
        formatted("the link that was there could not be restored either: {}", second.what());
    throw Error(failure.action(), failure.error_number(),
                failure.hint().empty() ? hint : formatted("{}; {}", failure.hint(), hint), failure.origin());
  }
}

}  // namespace

void add_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link) {
  guarded(link, [&] {
    HotPlug plug(sysroot, state);
    plug.add(link);
    plug.commit();
  });
}

void remove_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link) {
  guarded(link, [&] { HotPlug(sysroot, state).remove(link); });
}

void change_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& from,
                 const LinkSpec& to) {
  if (is_another_link(from, to)) {
    guarded(to, [&] { check_link(to, facts_about(to)); });
    remove_link(sysroot, state, from);
    try {
      add_link(sysroot, state, to);
    } catch (const Error& error) {
      put_back(sysroot, state, from, error);
      throw;
    }
    return;
  }
  guarded(to, [&] {
    HotPlug plug(sysroot, state);
    const bool veth = to.kind == Kind::veth;
    if (veth && !is_connected_alike(from, to)) {
      plug.connect(from, to);
    } else if (veth && from.rate != to.rate && !to.link_down) {
      plug.limit(from, to);
    }
    for (const int family : {AF_INET, AF_INET6}) plug.readdress(from, to, family);
    plug.change_clients(from, to);
    plug.commit();
  });
}

}  // namespace hutch
