#pragma once

#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/state.h"

// Links of a running container (pct-conf 8). The caller holds the container's lock and is in the host's
// network namespace. Each of these throws Error with the link's origin, and then everything is as before. The
// state record is kept up to date; `state` is the container's record as it was.
namespace hutch {

// Makes the link as a start would, and then, whoever manages its addresses, sets it up inside with them. The
// config has no such link: what the record has of it (somebody was killed in the middle of this) is taken
// away first.
void add_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link);

// Takes the link away. A host end that is not of this container's links stays. Nothing to do when it is gone
// already.
void remove_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& link);

// Turns one state of a link into another: another name or MAC address is a removal and a new link, another
// bridge, VLANs or link_down connects the host end anew, another rate replaces the limits, another address or
// gateway is set inside. A change of MTU, queues, scripts and who manages the addresses takes effect with the
// next start.
void change_link(const Sysroot& sysroot, const ContainerState& state, const LinkSpec& from,
                 const LinkSpec& to);

}  // namespace hutch
