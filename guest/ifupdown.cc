#include "guest/ifupdown.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "guest/ip_network.h"
#include "guest/marked_section.h"

namespace hutch::guest {

namespace {

using Managed = std::map<std::string, const NetworkInterface*>;

Managed managed_interfaces(const std::vector<NetworkInterface>& interfaces) {
  Managed managed;
  for (const auto& net : interfaces) {
    const bool configured = !net.ip.empty() || !net.gw.empty() || !net.ip6.empty() || !net.gw6.empty();
    if (configured && !net.name.empty()) managed.emplace(net.name, &net);
  }
  return managed;
}

// The host and default route to a gateway outside the subnet: ours since always, marked since there are
// markers.
std::array<std::string, 4> route_lines(const std::string& gateway, const std::string& interface) {
  return {formatted("post-up ip route add {} dev {}", gateway, interface),
          formatted("post-up ip route add default via {} dev {}", gateway, interface),
          formatted("pre-down ip route del default via {} dev {}", gateway, interface),
          formatted("pre-down ip route del {} dev {}", gateway, interface)};
}

struct Stanza {
  const NetworkInterface* net = nullptr;
  bool v6 = false;
  bool in_markers = false;
  std::vector<std::string> attributes;
};

// Old versions wrote the route lines without markers, perhaps for a gateway that has changed since.
void drop_unmarked_routes(Stanza& stanza) {
  auto& lines = stanza.attributes;
  for (std::size_t at = 0; at + 4 <= lines.size(); ++at) {
    const auto words = split_blanks(lines[at]);
    if (words.size() != 7 || words[0] != "post-up" || words[6] != stanza.net->name) continue;
    const auto expected = route_lines(std::string(words[4]), stanza.net->name);
    const auto same = [](const std::string& line, const std::string& wanted) {
      return split_blanks(line) == split_blanks(wanted);
    };
    const auto first = lines.begin() + static_cast<std::ptrdiff_t>(at);
    if (!std::equal(expected.begin(), expected.end(), first,
                    [&](const auto& w, const auto& l) { return same(l, w); })) {
      continue;
    }
    lines.erase(first, first + 4);
    return;
  }
}

class InterfacesRewriter {
 public:
  InterfacesRewriter(Managed managed, AddressForm form, std::string_view content)
      : managed_(std::move(managed)),
        form_(form),
        content_(content),
        file_has_markers_(has_markers(content)) {
    for (const auto line : split(content, '\n')) {
      const auto words = split_blanks(line);
      if (words.size() > 1 && (words[0] == "auto" || words[0] == "allow-auto"))
        auto_.insert(words.begin() + 1, words.end());
    }
  }

  std::string run() {
    const bool has_loopback = auto_.contains("lo");
    auto text = content_;
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (!text.empty()) {
      for (const auto line : split(text, '\n')) read_line(line);
    }
    finish_stanza();
    append_missing();
    return (has_loopback ? "" : "auto lo\niface lo inet loopback\niface lo inet6 loopback\n\n") + out_;
  }

 private:
  static bool has_markers(std::string_view content) {
    const auto lines = split(content, '\n');
    return std::any_of(lines.begin(), lines.end(), is_section_begin);
  }

  static bool ends_stanza(std::string_view keyword) {
    return keyword == "auto" || keyword == "mapping" || keyword == "iface" || keyword.starts_with("allow-") ||
           keyword.starts_with("source") || keyword == "no-auto-down" || keyword == "no-scripts" ||
           keyword == "rename" || keyword == "template";
  }

  void copy(std::string_view line) { out_.append(line).append("\n"); }

  void read_line(std::string_view line) {
    if (is_section_begin(line) || is_section_end(line)) {
      if (stanza_) stanza_->in_markers = is_section_begin(line);
      return;
    }
    const auto words = split_blanks(line);
    if (words.empty()) {
      // The stanza writes its own empty line.
      if (stanza_)
        finish_stanza();
      else
        copy(line);
    } else if (ends_stanza(words[0])) {
      finish_stanza();
      if (!start_stanza(words)) copy(line);
    } else if (!stanza_ || words[0].starts_with('#')) {
      copy(line);
    } else if (!stanza_->in_markers && words[0] != "address" && words[0] != "netmask" &&
               words[0] != "gateway" && words[0] != "broadcast") {
      stanza_->attributes.emplace_back(trim(line));
    }
  }

  bool start_stanza(const std::vector<std::string_view>& words) {
    if (words.size() != 4 || words[0] != "iface" || (words[2] != "inet" && words[2] != "inet6")) return false;
    const auto found = managed_.find(std::string(words[1]));
    if (found == managed_.end()) return false;
    stanza_ = Stanza{.net = found->second, .v6 = words[2] == "inet6"};
    return true;
  }

  void finish_stanza() {
    if (!stanza_) return;
    if (!file_has_markers_) drop_unmarked_routes(*stanza_);
    write_stanza(*stanza_);
    stanza_.reset();
  }

  void write_stanza(const Stanza& stanza) {
    const NetworkInterface& net = *stanza.net;
    done_.insert({net.name, stanza.v6});
    if (auto_.insert(net.name).second) copy(formatted("auto {}", net.name));
    const std::string& value = stanza.v6 ? net.ip6 : net.ip;
    if (value.empty()) return;
    const bool fixed = is_static(value);
    copy(formatted("iface {} {} {}", net.name, stanza.v6 ? "inet6" : "inet", fixed ? "static" : value));
    if (fixed) {
      write_address(value, stanza.v6);
      write_gateway(net.name, value, stanza.v6 ? net.gw6 : net.gw);
      for (const auto& attribute : stanza.attributes) copy("\t" + attribute);
    }
    copy("");
  }

  void write_address(const std::string& cidr, bool v6) {
    const auto network = IpNetwork::parse(cidr);
    if (form_ == AddressForm::cidr) {
      copy("\taddress " + cidr);
      return;
    }
    copy("\taddress " + network.address());
    copy("\tnetmask " + (v6 ? std::to_string(network.prefix()) : network.netmask()));
  }

  void write_gateway(const std::string& name, const std::string& cidr, const std::string& gateway) {
    if (gateway.empty()) return;
    if (!IpNetwork::parse(cidr).needs_route_to(gateway)) {
      copy("\tgateway " + gateway);
      return;
    }
    copy(kSectionBegin);
    for (const auto& line : route_lines(gateway, name)) copy("\t" + line);
    copy(kSectionEnd);
  }

  void append_missing() {
    for (const auto& [name, net] : managed_) {
      for (const bool v6 : {false, true}) {
        if (done_.contains({name, v6})) continue;
        const bool writes = !(v6 ? net->ip6 : net->ip).empty() || !auto_.contains(name);
        if (writes && !out_.empty() && !out_.ends_with("\n\n") && !out_.ends_with("auto " + name + "\n"))
          copy("");
        write_stanza(Stanza{.net = net, .v6 = v6});
      }
    }
  }

  Managed managed_;
  AddressForm form_;
  std::string_view content_;
  bool file_has_markers_;
  std::set<std::string, std::less<>> auto_;
  std::set<std::pair<std::string, bool>> done_;
  std::optional<Stanza> stanza_;
  std::string out_;
};

}  // namespace

std::string rewrite_interfaces(std::string_view content, const std::vector<NetworkInterface>& interfaces,
                               AddressForm form) {
  auto managed = managed_interfaces(interfaces);
  if (managed.empty()) return std::string(content);
  return InterfacesRewriter(std::move(managed), form, content).run();
}

void write_interfaces(const GuestRoot& root, const std::vector<NetworkInterface>& interfaces,
                      AddressForm form) {
  static const std::string kFile = "/etc/network/interfaces";
  if (managed_interfaces(interfaces).empty()) return;
  const auto content = root.read(kFile);
  if (!content) root.make_directories("/etc/network");
  root.write(kFile, rewrite_interfaces(content.value_or(""), interfaces, form));
}

}  // namespace hutch::guest
