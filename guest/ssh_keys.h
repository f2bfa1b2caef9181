#pragma once

#include <string>
#include <string_view>

#include "guest/guest_root.h"
#include "guest/report.h"

namespace hutch::guest {

// Checks that every line (blank lines and "#" comments aside) is a public key, with `ssh-keygen -l`. Meant
// for the command line's argument, before anything is made. Throws naming the first bad line. Without
// ssh-keygen on the host: a warning, nothing checked.
void validate_ssh_public_keys(std::string_view keys, Report& report);

// Puts `keys` into the marked section of root's ~/.ssh/authorized_keys (home from the guest's passwd). Warns
// where root has no home directory there. Empty `keys` do nothing.
void write_authorized_keys(const GuestRoot& root, std::string_view keys, Report& report);

}  // namespace hutch::guest
