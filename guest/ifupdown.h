#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "guest/guest_root.h"
#include "guest/settings.h"

namespace hutch::guest {

// How static addresses are written: older ifupdown versions only know the separate form.
enum class AddressForm {
  cidr,     // address 10.0.0.2/24
  netmask,  // address 10.0.0.2, netmask 255.255.255.0 (IPv6: netmask 64)
};

// interfaces(5), re-read and rewritten. Only interfaces with a name and at least one of ip, gw, ip6, gw6 are
// managed:
//   * their "iface X inet|inet6 ..." stanzas are made anew in their places; static ones keep attributes that
//   are not
//     ours (address, netmask, gateway, broadcast; lines between our markers; the four unmarked route lines
//     that old versions wrote); missing stanzas are appended, sorted by name, IPv4 before IPv6;
//   * all else is copied; a marker outside a managed stanza vanishes;
//   * without an "auto ... lo" line, a loopback stanza is put in front.
// A second run over the result changes nothing. Without a managed interface the text is returned as it is.
std::string rewrite_interfaces(std::string_view content, const std::vector<NetworkInterface>& interfaces,
                               AddressForm form);

// The same for /etc/network/interfaces of the guest; creates the directory. Does nothing without a managed
// interface.
void write_interfaces(const GuestRoot& root, const std::vector<NetworkInterface>& interfaces,
                      AddressForm form);

}  // namespace hutch::guest
