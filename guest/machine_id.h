#pragma once

#include "guest/guest_root.h"
#include "guest/init_system.h"

namespace hutch::guest {

// machine-id(5) after extraction: removes /etc/machine-id, so that systemd takes the next boot for the first
// one and applies presets, and D-Bus' own copy where it is a file of its own.
void clear_machine_id(const GuestRoot& root, const InitSystem& init);

// After a clone: /etc/machine-id becomes one newline (a new id, but no first boot) where systemd is used and
// it is there and is not "uninitialized"; D-Bus' copy goes as above.
void renew_machine_id(const GuestRoot& root, const InitSystem& init);

}  // namespace hutch::guest
