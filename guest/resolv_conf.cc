#include "guest/resolv_conf.h"

#include "base/text.h"
#include "guest/marked_section.h"

namespace hutch::guest {

DnsValues parse_resolv_conf(std::string_view text) {
  constexpr std::size_t kNameservers = 3;
  DnsValues dns;
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() < 2) continue;
    if (words[0] == "nameserver" && dns.nameservers.size() < kNameservers)
      dns.nameservers.emplace_back(words[1]);
    if (words[0] == "search" || words[0] == "domain") dns.search_domains = {std::string(words[1])};
  }
  return dns;
}

DnsValues effective_dns(const GuestSettings& settings) {
  DnsValues dns = parse_resolv_conf(settings.host_resolv_conf);
  if (!settings.search_domains.empty()) dns.search_domains = settings.search_domains;
  if (!settings.nameservers.empty()) dns.nameservers = settings.nameservers;
  return dns;
}

void write_resolv_conf(const GuestRoot& root, const DnsValues& dns) {
  std::string text;
  if (!dns.search_domains.empty()) text += "search " + join(dns.search_domains, " ") + "\n";
  for (const auto& server : dns.nameservers) text += "nameserver " + server + "\n";
  write_section(root, "/etc/resolv.conf", text, SectionPlace::replace);
}

}  // namespace hutch::guest
