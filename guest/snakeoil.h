#pragma once

#include "guest/guest_root.h"
#include "guest/init_system.h"
#include "guest/report.h"

namespace hutch::guest {

// The private key that Debian's ssl-cert package made for the template is known to everyone who has the
// template: it is deleted, and a unit makes a new pair at the first boot. Without systemd a warning says that
// the guest has to do it.
void replace_snakeoil_key(const GuestRoot& root, const InitSystem& init, Report& report);

}  // namespace hutch::guest
