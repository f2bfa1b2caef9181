#pragma once

#include <map>
#include <string>

#include "guest/guest_root.h"

namespace hutch::guest {

// container-getty@.service on tty1 ... tty<tty_count>: the unit's device becomes "<tty_directory>tty%I", the
// unit is wanted by getty.target once per tty, the plain getty@tty<i>.service is not, and a mask of
// getty.target goes. Does nothing where the guest has no container-getty@.service. `tty_directory`: "" or
// "lxc/".
void set_up_container_getty(const GuestRoot& root, int tty_count, const std::string& tty_directory);

// systemd.preset(5), read by systemd at the first boot only: true enables, false disables.
using Presets = std::map<std::string, bool>;
// /etc/systemd/system-preset/00-pve.preset: container-getty on, plain getty and the kernel's configuration
// and debug file systems off, then what `more` says.
void write_presets(const GuestRoot& root, const Presets& more);

// Masks the units that work on the host's kernel (configuration and debug file systems, loading of modules),
// unless the guest has units of its own for them: an unprivileged container may do none of it, which leaves
// systemd "degraded", and a privileged one must not.
void mask_kernel_units(const GuestRoot& root);

// /etc/securetty, where it exists, allows root on the console, tty1 ... tty4 (below `tty_directory`) and
// `more` lines.
void allow_root_on_ttys(const GuestRoot& root, const std::string& tty_directory,
                        const std::string& more = "");

}  // namespace hutch::guest
