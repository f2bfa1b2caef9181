#pragma once

#include "config/container_config.h"
#include "guest/settings.h"

namespace hutch::cli {

// What guest setup needs to know, from a container's options and this host; without password and SSH keys,
// which only create has.
guest::GuestSettings make_guest_settings(const config::Section& options, bool unprivileged);

}  // namespace hutch::cli
