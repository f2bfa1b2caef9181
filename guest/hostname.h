#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "guest/guest_root.h"
#include "guest/settings.h"

namespace hutch::guest {

// Where a system keeps its name.
enum class HostnameStyle {
  short_name,  // /etc/hostname, up to the first dot
  full_name,   // /etc/hostname in full, and HOSTNAME= in /etc/sysconfig/network where that exists
  gentoo,      // hostname="<short>" in /etc/conf.d/hostname
};

// Up to the first dot; "localhost" for an empty name.
std::string short_hostname(std::string_view hostname);

void write_hostname(const GuestRoot& root, std::string_view hostname, HostnameStyle style);

// The lines of our section in a hosts(5) file whose other lines are `outside` ("" for a missing file).
std::string hosts_section(std::string_view outside, const GuestSettings& settings,
                          const std::vector<std::string>& search_domains);

void write_hosts(const GuestRoot& root, const GuestSettings& settings);

// Drops the line "127.0.1.1 LXC_NAME" that some templates bring along.
void remove_template_host(const GuestRoot& root);

}  // namespace hutch::guest
