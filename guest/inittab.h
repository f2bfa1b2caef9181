#pragma once

#include <string>
#include <string_view>

#include "guest/guest_root.h"

namespace hutch::guest {

// One family's way to write its inittab(5).
enum class InittabStyle {
  sysvinit,      // debian, devuan: N:<levels>:respawn:/sbin/getty --noclear 38400 ttyN, and halting at power
                 // failure
  sysvinit_old,  // before Debian 7: -L instead of --noclear
  busybox,       // alpine: ttyN::respawn:/sbin/getty 38400 ttyN
  agetty,        // gentoo: N::respawn:/sbin/agetty 38400 ttyN
};

// The text with the family's getty lines removed and those for tty1 ... tty<tty_count> added at the end.
std::string rewrite_inittab(std::string_view content, InittabStyle style, int tty_count);

// The same for the guest's /etc/inittab; nothing without that file.
void write_inittab(const GuestRoot& root, InittabStyle style, int tty_count);

}  // namespace hutch::guest
