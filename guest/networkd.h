#pragma once

#include <string>
#include <vector>

#include "guest/guest_root.h"
#include "guest/settings.h"

namespace hutch::guest {

// The systemd.network(5) file of one interface.
std::string network_unit(const NetworkInterface& interface);

// /etc/systemd/network/<name>.network for every interface with a name.
void write_network_units(const GuestRoot& root, const std::vector<NetworkInterface>& interfaces);

}  // namespace hutch::guest
