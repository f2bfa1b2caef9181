#pragma once

#include <string>
#include <vector>

namespace hutch::guest {

// One netN of the container as the guest's network files need it. Interfaces that the host configures
// (host-managed) are written like all others, so there is no mark for them here.
struct NetworkInterface {
  int index = 0;     // the N of netN; net0's address goes into /etc/hosts
  std::string name;  // inside the container ("eth0"); an interface without a name is skipped
  std::string ip;    // "", "dhcp", "manual" or IPv4 in CIDR form
  std::string gw;    // "" or an IPv4 address
  std::string ip6;   // "", "auto", "dhcp", "manual" or IPv6 in CIDR form
  std::string gw6;   // "" or an IPv6 address
  bool operator==(const NetworkInterface&) const = default;
};

// Everything that guest setup takes from the container's config and from the host. Values are those of the
// config, already validated there.
struct GuestSettings {
  std::string hostname;  // as configured, possibly with a domain; "" means "localhost"
  std::string ostype;    // as configured; "" when not set. Only "unmanaged" is obeyed, the rest is compared
  std::vector<NetworkInterface> interfaces;
  std::vector<std::string> nameservers;     // empty: the host's
  std::vector<std::string> search_domains;  // empty: the host's
  std::string host_resolv_conf;             // text of the host's resolv.conf, see read_host_settings()
  std::string timezone;                     // "", "host", or a name such as "Europe/Vienna"
  std::string host_localtime;               // real path of the host's /etc/localtime; only read for "host"
  int tty_count = 2;                        // 0..6, the option `tty`
  std::string password;                     // create only: plain text or a crypt(5) hash; "" locks root's
  std::string ssh_public_keys;              // create only: lines for authorized_keys; "" for none
  bool unprivileged = true;                 // the container has an id map
  bool nesting = false;                     // feature nesting
  bool operator==(const GuestSettings&) const = default;
};

// Fills `host_resolv_conf` and, where the time zone is "host", `host_localtime` from the host below
// `sysroot` ("" or "/" for the real one). A missing resolv.conf counts as empty. Throws on read errors.
void read_host_settings(const std::string& sysroot, GuestSettings& settings);

}  // namespace hutch::guest
