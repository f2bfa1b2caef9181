#pragma once

#include <map>
#include <string>

#include "guest/guest_root.h"
#include "guest/os_type.h"
#include "guest/report.h"

namespace hutch::guest {

// The release of a system whose type is known, from its own file (debian_version, lsb-release, redhat-release
// ...) or from os-release. 0.0 for the types that have none (alpine: the first two numbers, not checked).
// Throws for releases outside the accepted range and where the file is missing or unreadable; warns for ones
// newer than known.
OsVersion detect_version(const GuestRoot& root, OsType type,
                         const std::map<std::string, std::string>& os_release, Report& report);

}  // namespace hutch::guest
