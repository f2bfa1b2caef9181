#pragma once

#include <string_view>

#include "guest/architecture.h"
#include "guest/guest_root.h"
#include "guest/init_system.h"
#include "guest/os_type.h"
#include "guest/report.h"

namespace hutch::guest {

struct DetectedOs {
  OsType type = OsType::unmanaged;
  OsVersion version;
  InitSystem init;  // left empty for unmanaged
};

// Which system the rootfs holds, by os-release and release files, and that its version is one we know to set
// up. `configured` is the option `ostype` ("" when not set): "unmanaged" is obeyed without looking; any other
// value that differs from what is found gives the warning "got unexpected ostype (found != configured)", and
// what is found counts. Throws "unable to detect OS distribution" when /etc/os-release exists but leads
// nowhere, and for releases outside the accepted range (os_version.h).
DetectedOs detect_os(const GuestRoot& root, std::string_view configured, Report& report);

}  // namespace hutch::guest
