#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "guest/guest_root.h"
#include "guest/settings.h"

namespace hutch::guest {

struct DnsValues {
  std::vector<std::string> search_domains;
  std::vector<std::string> nameservers;
};

// What a resolv.conf(5) text says as far as a guest inherits it: the first three nameservers, and the first
// word of the last search or domain line.
DnsValues parse_resolv_conf(std::string_view text);

// The config's values, each missing one taken from the host.
DnsValues effective_dns(const GuestSettings& settings);

// The section in /etc/resolv.conf; a file without a section is replaced as a whole.
void write_resolv_conf(const GuestRoot& root, const DnsValues& dns);

}  // namespace hutch::guest
