#pragma once

#include <optional>

#include "guest/guest_root.h"
#include "guest/os_type.h"
#include "guest/report.h"

namespace hutch::guest {

// What /sbin/init leads to.
struct InitSystem {
  bool systemd = false;                // it ends in "/systemd"
  std::optional<int> systemd_version;  // from the linked library's name libsystemd-shared-<N>
};

InitSystem detect_init(const GuestRoot& root);

// Warns where systemd is newer than 241 and the container has no nesting (its sandboxed services then fail).
void check_nesting(const InitSystem& init, bool nesting, Report& report);
// Warns where the init is not known to work on cgroup v2 (systemd unknown or older than 232). alpine, devuan
// and unmanaged are exempt: their inits do not use cgroups.
void check_cgroup_v2(const InitSystem& init, OsType type, Report& report);

}  // namespace hutch::guest
