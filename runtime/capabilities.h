#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/container_spec.h"

// Capability names (capabilities(7)) as config files have them: lower case, without "CAP_".
namespace hutch {

// The kernel's highest capability, 40 since Linux 5.9, as libcap has found it (cap_max_bits(3)). Throws.
unsigned last_capability();

// The number of a name ("sys_time"); nothing when libcap does not know it.
std::optional<unsigned> capability_number(std::string_view name);
// The name of a number ("sys_time"); the number in decimal when libcap has no name for it.
std::string capability_name(unsigned number);

// Bits of what a process needs on its way into a container, whatever the container itself may have: mounts,
// sysctls, ids, the bounding set, the seccomp filter. What else the container is not to have it gives up (not
// only from the bounding set, which counts from the next exec on) before processes of the container's see it:
// in a privileged container they have CAP_SYS_PTRACE over it.
std::uint64_t needed_on_the_way_in();

// Bit n set: capability n (0..last_cap) goes from the bounding set (prctl(PR_CAPBSET_DROP)).
// `drop`: the listed ones. `keep`: all but the listed ones; the word "none" in it keeps nothing.
// A plain decimal number 0..last_cap serves as a name. A known name beyond last_cap is a capability that
// the kernel does not have: nothing to drop and nothing to keep. Throws Error with the entry's origin for an
// unknown name, for a number beyond last_cap, and for last_cap > 63.
std::uint64_t bounding_set_to_drop(const CapabilitySpec& spec, unsigned last_cap);

}  // namespace hutch
