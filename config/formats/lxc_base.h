#pragma once

#include "config/formats/lxc_options.h"

namespace hutch::config {

// Raw entries that take back what every CT has and a container of LXC's does not: dropped capabilities, a
// device policy, mounts, a seccomp policy, terminals. `ostype` is unmanaged.
void add_lxc_defaults(LxcDraft& draft);

// The last step of every reader whose lines are LXC's: options from lines, and an `arch`.
void finish_import(LxcDraft& draft);

}  // namespace hutch::config
