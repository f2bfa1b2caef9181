#include "guest/hostname.h"

#include "base/format.h"
#include "base/text.h"
#include "guest/ip_network.h"
#include "guest/marked_section.h"
#include "guest/resolv_conf.h"

namespace hutch::guest {

namespace {

std::string full_hostname(std::string_view hostname) {
  return hostname.empty() ? "localhost" : std::string(hostname);
}

// Sets HOSTNAME= in a shell-style file, or appends it.
std::string with_hostname_variable(std::string_view content, const std::string& hostname) {
  std::string text;
  bool found = false;
  if (content.ends_with('\n')) content.remove_suffix(1);
  for (const auto line : split(content, '\n')) {
    if (!line.starts_with("HOSTNAME=")) {
      if (!content.empty()) text.append(line).append("\n");
    } else if (!found) {
      text += formatted("HOSTNAME={}\n", hostname);
      found = true;
    }
  }
  return found ? text : text + formatted("HOSTNAME={}\n", hostname);
}

// The static address of net0, IPv4 first; "" without one.
std::string first_address(const GuestSettings& settings) {
  for (const auto& net : settings.interfaces) {
    if (net.index != 0 || net.name.empty()) continue;
    if (is_static(net.ip)) return IpNetwork::parse(net.ip).address();
    if (is_static(net.ip6)) return IpNetwork::parse(net.ip6).address();
  }
  return "";
}

std::string names_of(const std::string& hostname, const std::vector<std::string>& search_domains) {
  if (hostname.find('.') != std::string::npos) return hostname + " " + short_hostname(hostname);
  std::string names;
  for (const auto& domain : search_domains) names += formatted("{}.{} ", hostname, domain);
  return names + hostname;
}

}  // namespace

std::string short_hostname(std::string_view hostname) {
  const auto name = hostname.substr(0, hostname.find('.'));
  return name.empty() ? "localhost" : std::string(name);
}

void write_hostname(const GuestRoot& root, std::string_view hostname, HostnameStyle style) {
  static const std::string kNetwork = "/etc/sysconfig/network";
  switch (style) {
    case HostnameStyle::short_name: root.write("/etc/hostname", short_hostname(hostname) + "\n"); return;
    case HostnameStyle::gentoo:
      root.write("/etc/conf.d/hostname", formatted("hostname=\"{}\"\n", short_hostname(hostname)));
      return;
    case HostnameStyle::full_name:
      root.write("/etc/hostname", full_hostname(hostname) + "\n");
      if (const auto content = root.read(kNetwork)) {
        root.write(kNetwork, with_hostname_variable(*content, full_hostname(hostname)));
      }
      return;
  }
}

std::string hosts_section(std::string_view outside, const GuestSettings& settings,
                          const std::vector<std::string>& search_domains) {
  bool v4 = false;
  bool v6 = false;
  for (const auto line : split(outside, '\n')) {
    const auto words = split_blanks(line);
    v4 = v4 || (!words.empty() && words[0] == "127.0.0.1");
    v6 = v6 || (!words.empty() && words[0] == "::1");
  }
  std::string text;
  if (!v4) text += "127.0.0.1 localhost.localnet localhost\n";
  if (!v6) text += "::1 localhost.localnet localhost\n";
  const std::string address = first_address(settings);
  const std::string hostname = full_hostname(settings.hostname);
  if (address.empty() && short_hostname(hostname) == "localhost") return text + "127.0.1.1 localhost\n";
  return text +
         formatted("{} {}\n", address.empty() ? "127.0.1.1" : address, names_of(hostname, search_domains));
}

void write_hosts(const GuestRoot& root, const GuestSettings& settings) {
  static const std::string kHosts = "/etc/hosts";
  const auto content = root.read(kHosts);
  const std::string outside = content ? outside_section(*content) : "";
  write_section(root, kHosts, hosts_section(outside, settings, effective_dns(settings).search_domains),
                SectionPlace::append);
}

void remove_template_host(const GuestRoot& root) {
  static const std::string kHosts = "/etc/hosts";
  const auto content = root.read(kHosts);
  if (!content) return;
  std::string kept;
  bool dropped = false;
  for (const auto line : split(*content, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 2 && words[0] == "127.0.1.1" && words[1] == "LXC_NAME")
      dropped = true;
    else
      kept.append(line).append("\n");
  }
  if (!dropped) return;
  kept.pop_back();  // split gives one part more than there are newlines
  root.write(kHosts, kept);
}

}  // namespace hutch::guest
