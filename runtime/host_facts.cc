#include "runtime/host_facts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "cgroupv2/cpuset.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "runtime/capabilities.h"
#include "runtime/dhcp_client.h"

namespace hutch {

namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) throw_errno("cannot get random bytes");
  return seed;
}

// A file of sysfs, whole in one read(2); without the newline at its end. Nothing when it does not exist.
std::optional<std::string> read_short_file(const std::string& path) {
  const auto file = open_if_exists(AT_FDCWD, path, O_RDONLY | O_NOCTTY);
  if (!file) return std::nullopt;
  char buffer[16384];
  const ssize_t size = check(::read(file->get(), buffer, sizeof buffer), formatted("cannot read '{}'", path));
  return std::string(trim({buffer, static_cast<std::size_t>(size)}));
}

bool has_line(std::string_view text, std::string_view line) {
  const auto lines = split(text, '\n');
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

// By ioctl and sysfs, which need no more than RCU where a netlink request waits for the RTNL lock: behind the
// kernel's clean-up after other containers, say. Nothing when it does not look like a bridge from here; sysfs
// may be that of another network namespace.
std::optional<BridgeFacts> glance_at_bridge(const std::string& name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  if (!socket || name.size() >= sizeof request.ifr_name) return std::nullopt;
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(socket.get(), SIOCGIFINDEX, &request) < 0) return std::nullopt;
  const int index = request.ifr_ifindex;
  if (::ioctl(socket.get(), SIOCGIFMTU, &request) < 0) return std::nullopt;
  const std::string directory = formatted("/sys/class/net/{}", name);
  const auto event = read_short_file(directory + "/uevent");
  if (!event || !has_line(*event, formatted("IFINDEX={}", index)) || !has_line(*event, "DEVTYPE=bridge")) {
    return std::nullopt;
  }
  BridgeFacts facts{.index = index, .mtu = static_cast<std::uint32_t>(request.ifr_mtu)};
  // Missing where bridges cannot filter by VLAN.
  facts.vlan_aware = read_short_file(directory + "/bridge/vlan_filtering").value_or("0") != "0";
  return facts;
}

std::optional<BridgeFacts> ask_about_bridge(netlink::Socket& socket, const std::string& name) {
  const auto found = netlink::find_link(socket, name);
  if (!found) return std::nullopt;
  BridgeFacts facts{.index = found->index, .mtu = found->mtu, .is_bridge = found->is_bridge()};
  facts.vlan_aware = found->vlan_filtering.value_or(false);
  facts.default_vlan = found->default_vlan.value_or(1);
  facts.open_vswitch = found->kind == "openvswitch";
  return facts;
}

// `bridge-disable-mac-learning` in the bridge's paragraph of the host's network settings (interfaces(5)); the
// kernel has such a switch only for ports.
bool learning_is_disabled(const std::string& interfaces, const std::string& bridge) {
  bool inside = false;
  for (const auto line : split(interfaces, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() < 2) continue;
    if (words[0] == "iface" || words[0] == "auto" || words[0].starts_with("allow-")) {
      inside = words[0] == "iface" && words[1] == bridge;
    } else if (inside &&
               (words[0] == "bridge-disable-mac-learning" || words[0] == "bridge_disable_mac_learning")) {
      return words[1] == "1" || words[1] == "yes" || words[1] == "on";
    }
  }
  return false;
}

// The last link whose name begins like the one before the '+', else the one of that name.
std::optional<netlink::Link> find_lower_link(netlink::Socket& socket, const std::string& wanted) {
  if (wanted.empty() || wanted.back() != '+') return netlink::find_link(socket, wanted);
  const std::string prefix = wanted.substr(0, wanted.size() - 1);
  struct if_nameindex* all = ::if_nameindex();
  if (all == nullptr) throw_errno("cannot list the host's links");
  std::string name;
  for (const auto* entry = all; entry->if_index != 0; ++entry) {
    if (std::string_view(entry->if_name).starts_with(prefix)) name = entry->if_name;
  }
  ::if_freenameindex(all);
  if (name.empty()) return std::nullopt;
  return netlink::find_link(socket, name);
}

void look_at_lower_link(netlink::Socket& socket, const std::string& wanted, HostFacts& facts) {
  if (wanted.empty() || facts.lower_links.contains(wanted)) return;
  const auto found = find_lower_link(socket, wanted);
  if (!found) return;
  LowerLinkFacts& link = facts.lower_links[wanted];
  link.index = found->index;
  link.name = found->name;
  link.mtu = found->mtu;
  link.kind = found->kind;
  link.permanent_mac = found->permanent_mac;
  link.alternative_names = found->alternative_names;
  link.wireless = path_exists(AT_FDCWD, formatted("/sys/class/net/{}/phy80211", found->name));
}

std::optional<std::string> first_ipv4_address(const std::string& link) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  link.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(socket.get(), SIOCGIFADDR, &request) < 0) return std::nullopt;
  const void* address = &request.ifr_addr;
  char text[INET_ADDRSTRLEN];
  const char* printed =
      ::inet_ntop(AF_INET, &static_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  return printed == nullptr ? std::nullopt : std::optional<std::string>(printed);
}

// /proc/net/if_inet6 (proc(5)): address, index, prefix length, scope, flags in hexadecimal, and the name. One
// of global scope, where there is one.
std::optional<std::string> first_ipv6_address(const std::string& link) {
  const std::string table = read_file_if_exists(AT_FDCWD, "/proc/thread-self/net/if_inet6").value_or("");
  std::optional<std::string> found;
  for (const auto line : split(table, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() != 6 || words[5] != link || words[0].size() != 32) continue;
    std::string text;
    for (std::size_t at = 0; at < 32; at += 4) {
      text += formatted("{}{}", at == 0 ? "" : ":", words[0].substr(at, 4));
    }
    const bool global = words[3] == "00";
    if (global || !found) found = netlink::parse_ip_address(text)->text();
    if (global) return found;
  }
  return found;
}

void look_for_gateways(const LinkSpec& link, HostFacts& facts) {
  const std::string& wanted = link.bridge.empty() ? link.lower : link.bridge;
  if (link.gateway4 == "auto") {
    if (const auto address = first_ipv4_address(wanted)) facts.gateways[{AF_INET, wanted}] = *address;
  }
  if (link.gateway6 == "auto") {
    if (const auto address = first_ipv6_address(wanted)) facts.gateways[{AF_INET6, wanted}] = *address;
  }
}

// What all of the container's links together need to know about a bridge.
void look_at_bridge(const std::string& name, const std::vector<LinkSpec>& links,
                    const std::function<netlink::Socket&()>& socket, HostFacts& facts) {
  bool vlans = false;
  bool ports = false;
  for (const auto& link : links) {
    if (link.bridge != name) continue;
    vlans = vlans || link.tag || link.no_untagged || !link.trunks.empty();
    ports = ports || (link.kind == LinkSpec::Kind::veth && !link.link_down);
  }
  auto seen = glance_at_bridge(name);
  if (!seen || (vlans && seen->vlan_aware)) seen = ask_about_bridge(socket(), name);
  if (!seen) return;
  // Stands nowhere but in the host's network settings.
  if (ports && seen->is_bridge) {
    const auto interfaces = read_file_if_exists(AT_FDCWD, "/etc/network/interfaces");
    seen->learning = !interfaces || !learning_is_disabled(*interfaces, name);
  }
  facts.bridges[name] = *seen;
}

}  // namespace

void gather_link_facts(const std::vector<LinkSpec>& links, HostFacts& facts) {
  std::optional<netlink::Socket> socket;
  const auto netlink_socket = [&]() -> netlink::Socket& { return socket ? *socket : socket.emplace(); };
  for (const auto& link : links) {
    if (!link.lower.empty()) look_at_lower_link(netlink_socket(), link.lower, facts);
    if (link.dhcp4 || link.dhcp6) facts.dhcp_client = has_dhcp_client();
    if (link.gateway4 == "auto" || link.gateway6 == "auto") look_for_gateways(link, facts);
    if (link.bridge.empty() || facts.bridges.contains(link.bridge)) continue;
    look_at_bridge(link.bridge, links, netlink_socket, facts);
  }
}

HostFacts gather_host_facts(const ContainerSpec& spec, cgroupv2::Layout cgroups) {
  HostFacts facts;
  facts.cgroups = std::move(cgroups);
  if (spec.resources.cpu_count) facts.cpus = cgroupv2::effective_cpus(facts.cgroups);
  facts.seed = random_seed();
  gather_link_facts(spec.links, facts);
  if (apparmor_enabled()) facts.apparmor = apparmor_features();
  if (spec.core_scheduling) {
    // Kernels for processors without SMT have no such file.
    const auto active = read_file_if_exists(AT_FDCWD, "/sys/devices/system/cpu/smt/active");
    facts.smt = active && trim(*active) == "1";
  }
  if (!spec.selinux.context.empty() || !spec.selinux.keyring_context.empty()) {
    facts.selinux = path_exists(AT_FDCWD, "/sys/fs/selinux/enforce");
  }
  facts.last_capability = last_capability();
  struct stat status {};
  const VolumeSpec& rootfs = spec.rootfs;
  const std::string* top = nullptr;
  if (rootfs.kind == VolumeSpec::Kind::directory) top = &rootfs.source;
  if (rootfs.kind == VolumeSpec::Kind::overlay) top = &rootfs.lower.front();
  if (top != nullptr && ::stat(top->c_str(), &status) == 0) facts.rootfs_owner = status.st_uid;
  return facts;
}

}  // namespace hutch
