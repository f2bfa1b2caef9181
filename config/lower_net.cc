#include <arpa/inet.h>
#include <linux/if_link.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/text.h"
#include "config/lowering.h"

// The raw entries lxc.net.[i].* (lxc-keys 2.10).
namespace hutch::config {

namespace {

using Kind = LinkSpec::Kind;

constexpr std::uint64_t kLastVlan = 4094;

struct Word {
  std::string_view text;
  std::uint32_t value;
};

constexpr Word kMacvlanModes[] = {{"private", MACVLAN_MODE_PRIVATE},
                                  {"vepa", MACVLAN_MODE_VEPA},
                                  {"bridge", MACVLAN_MODE_BRIDGE},
                                  {"passthru", MACVLAN_MODE_PASSTHRU}};
constexpr Word kIpvlanModes[] = {{"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {"l2", IPVLAN_MODE_L2}};
constexpr Word kIpvlanIsolations[] = {{"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}};
constexpr Word kVethModes[] = {{"bridge", 0}, {"router", 1}};
constexpr Word kKinds[] = {{"veth", static_cast<std::uint32_t>(Kind::veth)},
                           {"macvlan", static_cast<std::uint32_t>(Kind::macvlan)},
                           {"ipvlan", static_cast<std::uint32_t>(Kind::ipvlan)},
                           {"vlan", static_cast<std::uint32_t>(Kind::vlan)},
                           {"phys", static_cast<std::uint32_t>(Kind::phys)},
                           {"empty", static_cast<std::uint32_t>(Kind::empty)}};

// The word's value; the first one's when the entry is empty.
template <std::size_t count>
std::uint32_t word_of(const RawEntry& entry, const Word (&words)[count]) {
  if (entry.value.empty()) return words[0].value;
  std::string expected;
  for (const auto& word : words) {
    if (word.text == entry.value) return word.value;
    expected += formatted("{}'{}'", expected.empty() ? "" : ", ", word.text);
  }
  bad_value(entry, "one of " + expected);
}

std::string_view text_of(Kind kind) {
  return kKinds[static_cast<std::size_t>(kind)].text;
}

void check_interface_name(const RawEntry& entry) {
  const auto& name = entry.value;
  const auto bad = [](char c) { return c == '/' || c == ':' || is_blank(c); };
  if (name.size() > kMaxInterfaceName || name == "." || name == ".." ||
      std::any_of(name.begin(), name.end(), bad)) {
    bad_value(entry, formatted("the name of a network interface (at most {} characters)", kMaxInterfaceName));
  }
}

bool is_ip(int family, const std::string& text) {
  in6_addr address;
  return ::inet_pton(family, text.c_str(), &address) == 1;
}

// Of an address without one: by its class (RFC 791), the whole address outside of A, B and C.
unsigned class_length(const std::string& address) {
  in_addr binary{};
  ::inet_pton(AF_INET, address.c_str(), &binary);
  const unsigned first = ntohl(binary.s_addr) >> 24;
  if (first < 128) return 8;
  if (first < 192) return 16;
  return first < 224 ? 24 : 32;
}

// "10.0.0.5/24" from what is there of it.
std::string cidr_of(const RawEntry& entry, int family, std::string_view text, bool length_required) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  const char* expected = family == AF_INET ? "an IPv4 address with a prefix length up to 32"
                                           : "an IPv6 address with a prefix length up to 128";
  if (!is_ip(family, address)) bad_value(entry, expected);
  if (slash == std::string_view::npos) {
    if (length_required) bad_value(entry, "a subnet with its prefix length");
    return formatted("{}/{}", address, family == AF_INET ? class_length(address) : 64);
  }
  const auto length = parse_unsigned(text.substr(slash + 1));
  if (!length || *length > (family == AF_INET ? 32U : 128U)) bad_value(entry, expected);
  return formatted("{}/{}", address, *length);
}

// Addresses of net[n] that the guest sets by itself are no part of what LXC would have been told.
void own_addresses(NetworkLines& lines) {
  if (!lines.own_addresses) {
    lines.link.addresses.clear();
    lines.link.gateway4.clear();
    lines.link.gateway6.clear();
    lines.link.up = false;
  }
  lines.own_addresses = lines.link.configure = true;
}

bool is_ipv6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

void clear_addresses(NetworkLines& lines, int family) {
  std::erase_if(lines.link.addresses,
                [family](const std::string& address) { return is_ipv6(address) == (family == AF_INET6); });
}

void set_ipv4_address(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  own_addresses(lines);
  const auto words = split_blanks(entry.value);
  if (words.empty()) return clear_addresses(lines, AF_INET);
  std::string text = cidr_of(entry, AF_INET, words[0], false);
  if (words.size() > 2) bad_value(entry, "of the form 'address[/length] [broadcast address]'");
  if (words.size() == 2) {
    const std::string broadcast(words[1]);
    if (!is_ip(AF_INET, broadcast)) bad_value(entry, "of the form 'address[/length] [broadcast address]'");
    text += " " + broadcast;
  }
  lines.link.addresses.push_back(std::move(text));
}

void set_ipv6_address(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  own_addresses(lines);
  if (entry.value.empty()) return clear_addresses(lines, AF_INET6);
  lines.link.addresses.push_back(cidr_of(entry, AF_INET6, entry.value, false));
}

template <int family>
void set_gateway(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  own_addresses(lines);
  const auto& value = entry.value;
  if (!value.empty() && value != "auto" && value != "dev" && !is_ip(family, value)) {
    bad_value(entry,
              family == AF_INET ? "an IPv4 address, 'auto' or 'dev'" : "an IPv6 address, 'auto' or 'dev'");
  }
  (family == AF_INET ? lines.link.gateway4 : lines.link.gateway6) = value;
}

template <int family>
void add_route(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  auto& routes = lines.link.routes;
  if (entry.value.empty()) {
    std::erase_if(routes, [](const std::string& route) { return is_ipv6(route) == (family == AF_INET6); });
    return;
  }
  routes.push_back(cidr_of(entry, family, entry.value, true));
}

void set_name(Lowering& lowering, NetworkLines& lines, const RawEntry& entry) {
  RawEntry shortened = entry;
  if (entry.value.size() > kMaxInterfaceName) {
    shortened.value.resize(kMaxInterfaceName);
    lowering.warn(entry.origin, formatted("'{}': '{}' has more than {} characters; '{}' is taken", entry.key,
                                          entry.value, kMaxInterfaceName, shortened.value));
  }
  check_interface_name(shortened);
  lines.link.name = shortened.value;
}

void set_mac(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  const auto octets = split(entry.value, ':');
  const auto is_octet = [](std::string_view octet) {
    return octet.size() == 2 && std::all_of(octet.begin(), octet.end(), [](char c) {
             return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == 'x' || c == 'X';
           });
  };
  if (!entry.value.empty() && (octets.size() != 6 || !std::all_of(octets.begin(), octets.end(), is_octet))) {
    bad_value(entry, "a MAC address (an 'x' stands for a random digit)");
  }
  lines.link.mac = entry.value;
}

void set_mtu(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  const auto mtu = static_cast<std::uint32_t>(c_number(entry, 65535));
  lines.link.mtu = mtu == 0 ? std::nullopt : std::optional(mtu);
}

// net[n] leaves the bridge to a script of its own, which the line replaces.
void set_script_up(Lowering& lowering, NetworkLines& lines, const RawEntry& entry) {
  lines.link.script_up = {entry.value, entry.origin};
  auto& link = lines.link;
  if (!lines.generated || link.bridge.empty()) return;
  lowering.warn(entry.origin,
                formatted("'{}' replaces what net{} says about bridge '{}', tag, trunks and rate", entry.key,
                          link.index, link.bridge));
  link.bridge.clear();
  link.own_vlans = false;
  link.tag.reset();
  link.trunks.clear();
  link.rate = 0;
}

void set_vlan_id(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  auto& link = lines.link;
  link.tag.reset();
  link.no_untagged = entry.value == "none";
  if (entry.value.empty() || link.no_untagged) return;
  link.tag = static_cast<std::uint16_t>(c_number(entry, kLastVlan));
}

void add_tagged_vlan_id(Lowering&, NetworkLines& lines, const RawEntry& entry) {
  if (entry.value.empty()) return lines.link.trunks.clear();
  const auto id = static_cast<std::uint16_t>(c_number(entry, kLastVlan));
  lines.link.trunks.push_back({id, id});
}

std::uint32_t queues(const RawEntry& entry) {
  if (entry.value.empty()) return 0;
  const auto count = static_cast<std::uint32_t>(c_number(entry, 4096));
  if (count == 0) bad_value(entry, "a number of at least 1");
  return count;
}

using SubkeyFunction = void (*)(Lowering& lowering, NetworkLines& lines, const RawEntry& entry);

struct Subkey {
  std::string_view name;
  std::optional<Kind> kind;  // the only type that has it
  SubkeyFunction apply;
};

constexpr Subkey kSubkeys[] = {
    {"flags",
     {},
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       own_addresses(lines);
       lines.link.up = !entry.value.empty();
     }},
    {"hwaddr", {}, set_mac},
    {"ipv4.address", {}, set_ipv4_address},
    {"ipv4.gateway", {}, set_gateway<AF_INET>},
    {"ipv6.address", {}, set_ipv6_address},
    {"ipv6.gateway", {}, set_gateway<AF_INET6>},
    {"ipvlan.isolation", Kind::ipvlan,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.isolation = static_cast<std::uint16_t>(word_of(entry, kIpvlanIsolations));
     }},
    {"ipvlan.mode", Kind::ipvlan,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.mode = word_of(entry, kIpvlanModes);
     }},
    {"l2proxy",
     {},
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.proxy_neighbours = c_boolean(entry);
     }},
    {"link",
     {},
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       check_interface_name(entry);
       lines.host_link = entry.value;
       if (lines.generated) lines.link.bridge.clear();
     }},
    {"macvlan.mode", Kind::macvlan,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.mode = word_of(entry, kMacvlanModes);
     }},
    {"mtu", {}, set_mtu},
    {"name", {}, set_name},
    {"script.down",
     {},
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.script_down = {entry.value, entry.origin};
     }},
    {"script.up", {}, set_script_up},
    {"veth.ipv4.route", Kind::veth, add_route<AF_INET>},
    {"veth.ipv6.route", Kind::veth, add_route<AF_INET6>},
    {"veth.mode", Kind::veth,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.router = word_of(entry, kVethModes) == 1;
     }},
    {"veth.n_rxqueues", Kind::veth,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) { lines.link.rx_queues = queues(entry); }},
    {"veth.n_txqueues", Kind::veth,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) { lines.link.tx_queues = queues(entry); }},
    {"veth.pair", Kind::veth,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       check_interface_name(entry);
       lines.link.host_name = entry.value;
     }},
    {"veth.vlan.id", Kind::veth, set_vlan_id},
    {"veth.vlan.tagged.id", Kind::veth, add_tagged_vlan_id},
    {"vlan.id", Kind::vlan,
     [](Lowering&, NetworkLines& lines, const RawEntry& entry) {
       lines.link.vlan_id = static_cast<std::uint16_t>(c_number(entry, UINT16_MAX));
     }},
};

// Wipes what earlier lines said.
void set_type(Lowering& lowering, unsigned index, const RawEntry& entry) {
  NetworkLines lines;
  lines.origin = entry.origin;
  lines.link.index = index;
  lines.link.origin = entry.origin;
  lines.link.up = false;
  if (entry.value == "none") {
    lines.type = NetworkLines::Type::none;
  } else if (!entry.value.empty()) {
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&entry](const Word& word) { return word.text == entry.value; });
    if (kind == std::end(kKinds)) {
      bad_value(entry, "a network type (veth, macvlan, ipvlan, vlan, phys, empty, none)");
    }
    lines.type = NetworkLines::Type::link;
    lines.link.kind = static_cast<Kind>(kind->value);
    if (lines.link.kind == Kind::macvlan) lines.link.mode = MACVLAN_MODE_PRIVATE;
    if (lines.link.kind == Kind::ipvlan) lines.link.mode = IPVLAN_MODE_L3;
  }
  lowering.networks[index] = std::move(lines);
}

void set_subkey(Lowering& lowering, unsigned index, std::string_view name, const RawEntry& entry) {
  const auto* subkey = std::find_if(std::begin(kSubkeys), std::end(kSubkeys),
                                    [name](const Subkey& candidate) { return candidate.name == name; });
  if (subkey == std::end(kSubkeys)) {
    throw Error(formatted("'{}' is no key of a network", entry.key), 0, {}, entry.origin);
  }
  auto [place, fresh] = lowering.networks.try_emplace(index);
  NetworkLines& lines = place->second;
  if (fresh) {
    lines.origin = lines.link.origin = entry.origin;
    lines.link.index = index;
  }
  const bool right_type = lines.type == NetworkLines::Type::link && lines.link.kind == subkey->kind;
  if (subkey->kind && !right_type) {
    throw Error(formatted("'{}' needs the type '{}'", entry.key, text_of(*subkey->kind)), 0,
                formatted("put lxc.net.{}.type: {} before it", index, text_of(*subkey->kind)), entry.origin);
  }
  subkey->apply(lowering, lines, entry);
}

// The steps of finish_networks.

[[noreturn]] void refuse(const NetworkLines& lines, std::string_view what, std::string hint = {}) {
  throw Error(formatted("network {}: {}", lines.link.index, what), 0, std::move(hint), lines.origin);
}

void place_host_link(NetworkLines& lines) {
  auto& link = lines.link;
  if (link.kind == Kind::veth && !link.router) {
    if (!lines.host_link.empty()) link.bridge = lines.host_link;
    return;
  }
  link.lower = lines.host_link;
  if (link.kind == Kind::veth) {
    link.bridge.clear();
  } else if (link.kind != Kind::empty && link.lower.empty()) {
    refuse(lines, formatted("the type '{}' needs a link of the host", text_of(link.kind)),
           formatted("set lxc.net.{}.link", link.index));
  }
}

void name_host_end(const Lowering& lowering, NetworkLines& lines) {
  auto& link = lines.link;
  if (link.kind != Kind::veth || !link.host_name.empty()) return;
  link.host_name = formatted("veth{}i{}", lowering.context.vmid, link.index);
  if (link.host_name.size() <= kMaxInterfaceName) return;
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  std::uint64_t number = fnv1a(link.host_name);
  link.host_name = "veth";
  for (int i = 0; i < 6; ++i, number /= kLetters.size()) link.host_name += kLetters[number % kLetters.size()];
}

void check_gateway(const NetworkLines& lines, int family, const std::string& gateway) {
  if (gateway.empty()) return;
  const auto& link = lines.link;
  const char* key = family == AF_INET ? "ipv4.gateway" : "ipv6.gateway";
  if (!link.up) {
    refuse(lines, formatted("'{}' needs an interface that is up", key),
           formatted("set lxc.net.{}.flags: up", link.index));
  }
  if (gateway == "dev") return;
  if (gateway == "auto") {
    const bool known = link.kind == Kind::veth || link.kind == Kind::macvlan;
    if (!known || (link.bridge.empty() && link.lower.empty())) {
      refuse(lines, formatted("'{}' = auto needs the type veth or macvlan with a link", key));
    }
  }
  in6_addr binary{};
  const bool link_local = family == AF_INET6 && ::inet_pton(AF_INET6, gateway.c_str(), &binary) == 1 &&
                          binary.s6_addr[0] == 0xfe && (binary.s6_addr[1] & 0xc0) == 0x80;
  const bool any = std::any_of(link.addresses.begin(), link.addresses.end(), [family](const auto& address) {
    return is_ipv6(address) == (family == AF_INET6);
  });
  if (!any && !link_local) refuse(lines, formatted("'{}' needs an address of its family", key));
}

void check_vlans(const NetworkLines& lines) {
  const auto& link = lines.link;
  if (link.own_vlans || (!link.tag && !link.no_untagged && link.trunks.empty())) return;
  if (link.router || link.bridge.empty()) refuse(lines, "VLAN ids need a bridge to be a port of");
  for (const auto& range : link.trunks) {
    if (link.tag == range.first) {
      refuse(lines, formatted("VLAN {} cannot be both untagged and tagged", range.first));
    }
  }
}

void check_proxy(const NetworkLines& lines) {
  const auto& link = lines.link;
  const bool alone = link.mode == IPVLAN_MODE_L3S && link.isolation == 0;
  if (link.proxy_neighbours && link.kind == Kind::ipvlan && !alone) {
    refuse(lines, "'l2proxy' with ipvlan needs the mode l3s and the isolation bridge");
  }
}

// "eth%d" becomes the first free one, after all names that are written out.
void name_interfaces(std::vector<LinkSpec>& links) {
  std::set<std::string> taken;
  const auto is_pattern = [](const LinkSpec& link) { return link.name.find("%d") != std::string::npos; };
  for (auto& link : links) {
    if (link.kind == Kind::empty) continue;
    if (link.name.empty()) link.name = link.kind == Kind::phys ? link.lower : "eth%d";
    if (!is_pattern(link)) taken.insert(link.name);
  }
  for (auto& link : links) {
    const auto mark = link.name.find("%d");
    if (mark == std::string::npos) continue;
    std::string name;
    unsigned number = 0;
    do {
      name = link.name.substr(0, mark) + std::to_string(number++) + link.name.substr(mark + 2);
    } while (!taken.insert(name).second);
    link.name = name;
  }
}

}  // namespace

void clear_networks(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) bad_value(entry, "empty (which removes all networks)");
  lowering.networks.clear();
}

void set_network(Lowering& lowering, const RawEntry& entry) {
  constexpr std::string_view kPrefix = "lxc.net.";
  const std::string_view rest = std::string_view(entry.key).substr(kPrefix.size());
  const auto dot = rest.find('.');
  const auto number = parse_unsigned(rest.substr(0, dot));
  if (rest.starts_with("<n>")) {  // the old names without a number
    return lowering.warn(entry.origin,
                         formatted("'{}' is not honoured by this version and has no effect", entry.key));
  }
  if (!number || *number > INT32_MAX) {
    throw Error(formatted("'{}': a network has a number", entry.key), 0, "for example lxc.net.0.type",
                entry.origin);
  }
  const auto index = static_cast<unsigned>(*number);
  if (dot == std::string_view::npos) {
    if (!entry.value.empty()) bad_value(entry, "empty (which removes the network)");
    lowering.networks.erase(index);
  } else if (rest.substr(dot + 1) == "type") {
    set_type(lowering, index, entry);
  } else {
    set_subkey(lowering, index, rest.substr(dot + 1), entry);
  }
}

void finish_networks(Lowering& lowering) {
  auto& spec = lowering.spec;
  bool host_network = !lowering.networks.empty();
  for (auto& [index, lines] : lowering.networks) {
    if (lines.type == NetworkLines::Type::unset) {
      refuse(lines, "it has no type", formatted("put lxc.net.{}.type first", index));
    }
    if (lines.type == NetworkLines::Type::none) continue;
    host_network = false;
    if (!lines.generated || !lines.host_link.empty()) place_host_link(lines);
    name_host_end(lowering, lines);
    if (lines.link.configure) {
      check_gateway(lines, AF_INET, lines.link.gateway4);
      check_gateway(lines, AF_INET6, lines.link.gateway6);
    }
    check_vlans(lines);
    check_proxy(lines);
    spec.links.push_back(lines.link);
  }
  name_interfaces(spec.links);
  if (host_network) spec.namespaces.net = false;
}

}  // namespace hutch::config
