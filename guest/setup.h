#pragma once

#include <string_view>

#include "guest/detect.h"
#include "guest/guest_root.h"
#include "guest/report.h"
#include "guest/settings.h"
#include "guest/ssh_host_keys.h"

// The edits inside a container's rootfs. Each function detects the system first; for `unmanaged` it does
// nothing. A step that fails throws Error "error in setup task <step>: ..."; the steps before it have been
// done, and doing all of them again is harmless. Warnings and output are in `report` then, too. A type whose
// init or network files are not known to us gives a warning that names it; the steps common to all types are
// done.
namespace hutch::guest {

// After the template was extracted. `host_keys` are made and used where the guest has /etc/ssh; they may have
// been begun before, and are the caller's to drop. Returns what was found, for
// the config's `ostype`. Order: machine-id, snakeoil, template fixup, crontab, root password, root SSH keys,
// init and getty, network, hostname and hosts, DNS, time zone, SSH host keys, nesting check.
DetectedOs setup_on_create(const GuestRoot& root, const GuestSettings& settings, SshHostKeys& host_keys,
                           Report& report);

// Before every start. Runs no program, and writes nothing where nothing changed. Order: /fastboot, init and
// getty, network, hostname and hosts, DNS, time zone, nesting check, cgroup v2 check.
DetectedOs setup_on_start(const GuestRoot& root, const GuestSettings& settings, Report& report);

// Network files only, also of a running container.
DetectedOs setup_network(const GuestRoot& root, const GuestSettings& settings, Report& report);

// After a clone: a new machine-id at the next boot (host keys stay), nesting check.
DetectedOs setup_on_clone(const GuestRoot& root, const GuestSettings& settings, Report& report);

// After a restore: the template fixup; the next start does the rest.
DetectedOs setup_on_restore(const GuestRoot& root, const GuestSettings& settings, Report& report);

}  // namespace hutch::guest
