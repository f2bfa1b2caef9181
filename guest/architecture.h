#pragma once

#include <string>

#include "guest/guest_root.h"
#include "guest/os_type.h"
#include "guest/report.h"

namespace hutch::guest {

// The container's architecture by the ELF header of /bin/sh (nixos: of the interpreter in the "#!" line of
// /sbin/init): "amd64", "i386", "arm64", "armhf", "riscv32" or "riscv64". Prints "Detected container
// architecture: X"; where it cannot tell, warns why with "Falling back to amd64." and returns that.
std::string detect_architecture(const GuestRoot& root, OsType type, Report& report);

}  // namespace hutch::guest
