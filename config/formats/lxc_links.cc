#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/formats/lxc_options.h"
#include "config/property_formats.h"
#include "config/value_types.h"

// lxc.net.<n>.* of a veth pair as net[n].
namespace hutch::config {

namespace {

constexpr std::string_view kPrefix = "lxc.net.";
constexpr unsigned kMaxIndex = 31;

// The lines of one interface, by their names after the index; lists have several.
struct Interface {
  std::vector<std::pair<std::string, RawEntry>> lines;

  const RawEntry* last(std::string_view name) const {
    const auto found =
        std::find_if(lines.rbegin(), lines.rend(), [name](const auto& line) { return line.first == name; });
    return found == lines.rend() ? nullptr : &found->second;
  }
  std::string value(std::string_view name) const {
    const auto* entry = last(name);
    return entry == nullptr ? std::string() : entry->value;
  }
  // Values of a list; an empty one clears it.
  std::vector<std::string> values(std::string_view name) const {
    std::vector<std::string> list;
    for (const auto& [key, entry] : lines) {
      if (key != name) continue;
      if (entry.value.empty()) {
        list.clear();
      } else {
        list.push_back(entry.value);
      }
    }
    return list;
  }
};

// Keys that the option says itself.
constexpr std::string_view kInOption[] = {"flags",        "hwaddr",       "ipv4.address", "ipv4.gateway",
                                          "ipv6.address", "ipv6.gateway", "link",         "mtu",
                                          "name",         "type"};
// Keys that a raw line beside the option adds to it.
constexpr std::string_view kBeside[] = {"script.down", "script.up", "veth.n_rxqueues", "veth.n_txqueues",
                                        "veth.pair"};

template <typename Table>
bool contains(const Table& table, std::string_view word) {
  return std::find(std::begin(table), std::end(table), word) != std::end(table);
}

std::map<unsigned, Interface> interfaces(const std::vector<RawEntry>& entries) {
  std::map<unsigned, Interface> found;
  for (const auto& entry : entries) {
    if (!entry.key.starts_with(kPrefix)) continue;
    const auto rest = std::string_view(entry.key).substr(kPrefix.size());
    const auto dot = rest.find('.');
    const auto index = parse_unsigned(rest.substr(0, dot));
    if (!index || *index > kMaxIndex || dot == std::string_view::npos) continue;
    auto& lines = found[static_cast<unsigned>(*index)].lines;
    const auto name = rest.substr(dot + 1);
    // A type begins anew (lxc-keys 2.10).
    if (name == "type") lines.clear();
    lines.emplace_back(name, entry);
  }
  return found;
}

// "10.0.0.5" gets the prefix of its class, as LXC does. Nothing for what an option cannot say (a broadcast
// address).
std::optional<std::string> with_prefix(const std::string& address) {
  if (address.find_first_of(" \t") != std::string::npos) return std::nullopt;
  if (address.find('/') != std::string::npos) return address;
  if (address.find(':') != std::string::npos) return address + "/64";
  const auto first = parse_unsigned(std::string_view(address).substr(0, address.find('.')));
  if (!first) return std::nullopt;
  return address + (*first < 128 ? "/8" : *first < 192 ? "/16" : *first < 224 ? "/24" : "/32");
}

// At most one address; false when it has no place in the option.
bool take_address(const Interface& link, const std::string& family, std::string& address,
                  std::string& gateway) {
  const auto addresses = link.values(family + ".address");
  if (addresses.size() > 1) return false;
  gateway = link.value(family + ".gateway");
  if (addresses.empty()) return gateway.empty();
  const auto text = with_prefix(addresses.front());
  if (!text) return false;
  address = *text;
  return true;
}

std::optional<NetOption> option_of(const Interface& link, const std::string& default_name) {
  if (link.value("type") != "veth") return std::nullopt;
  for (const auto& [name, entry] : link.lines) {
    if (!contains(kInOption, name) && !contains(kBeside, name)) return std::nullopt;
  }
  NetOption net;
  net.type = "veth";
  net.name = link.value("name").empty() ? default_name : link.value("name");
  net.bridge = link.value("link");
  net.hwaddr = link.value("hwaddr");
  std::transform(net.hwaddr.begin(), net.hwaddr.end(), net.hwaddr.begin(),
                 [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; });
  if (const auto mtu = link.value("mtu"); !mtu.empty()) {
    const auto number = parse_unsigned(mtu);
    if (!number || *number > 65535) return std::nullopt;
    net.mtu = static_cast<std::uint32_t>(*number);
  }
  if (!take_address(link, "ipv4", net.ip, net.gw) || !take_address(link, "ipv6", net.ip6, net.gw6)) {
    return std::nullopt;
  }
  if (!link.value("flags").empty()) {
    net.host_managed = true;
  } else if (!net.ip.empty() || !net.ip6.empty()) {
    return std::nullopt;
  }
  try {
    if (parse_net(print_net(net)) != net) return std::nullopt;
  } catch (const Error&) {
    // A name or an address that the option's format does not take.
    return std::nullopt;
  }
  return net;
}

bool belongs_to(const RawEntry& entry, unsigned index) {
  return entry.key.starts_with(formatted("lxc.net.{}.", index));
}

void use_option(LxcDraft& draft, unsigned index, const Interface& link, const NetOption& net) {
  draft.section.set(formatted("net{}", index), print_net(net), link.last("type")->origin);
  const auto prefix = formatted("lxc.net.{}.", index);
  std::erase_if(draft.entries, [&](const RawEntry& entry) {
    return belongs_to(entry, index) && !contains(kBeside, std::string_view(entry.key).substr(prefix.size()));
  });
}

}  // namespace

void links_to_options(LxcDraft& draft) {
  const auto links = interfaces(draft.entries);
  std::vector<std::string> names;
  for (const auto& [index, link] : links) names.push_back(link.value("name"));
  unsigned next = 0;
  for (const auto& [index, link] : links) {
    // The kernel gives the first free name.
    std::string name = link.value("name");
    const auto type = link.value("type");
    if (name.empty() && type != "none" && type != "empty") {
      do {
        name = formatted("eth{}", next++);
      } while (contains(names, name));
    }
    if (const auto net = option_of(link, name)) use_option(draft, index, link, *net);
  }
}

}  // namespace hutch::config
