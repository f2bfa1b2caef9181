#pragma once

#include <string>

#include "guest/guest_root.h"
#include "guest/report.h"

namespace hutch::guest {

// Makes /etc/localtime a symlink to /usr/share/zoneinfo/<zone> unless it leads there already, and writes the
// zone's name to /etc/timezone where that exists. `zone` "host": the zone that `host_localtime` (real path of
// the host's /etc/localtime) names. Empty: nothing. A zone that the guest (or, for "host", the host) does not
// have gives a warning and changes nothing.
void write_timezone(const GuestRoot& root, const std::string& zone, const std::string& host_localtime,
                    Report& report);

}  // namespace hutch::guest
