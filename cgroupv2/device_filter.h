#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "cgroupv2/resources.h"

// Which device nodes a group's processes may open or make, as an eBPF program of type
// BPF_PROG_TYPE_CGROUP_DEVICE (cgroup-v2.rst: device controller).
namespace hutch::cgroupv2 {

// False when everything is allowed: no program is needed. An allowlist without rules does need one.
bool needs_device_filter(const DevicePolicy& policy);

// What the program answers to an open for reading and writing.
bool allows_read_and_write(const DevicePolicy& policy, char type, std::uint32_t major, std::uint32_t minor);

// The program: the newest rule is asked first. A deny rule refuses an access that asks for any of its bits,
// an allow rule permits one that asks for no other bits than its own. No rule matches: the default. (LXC
// leaves deny rules out of an allowlist and allow rules out of a denylist; here the line that was written
// last counts in both, so that a deny is never lost.)
// A rule without any of r, w, m matches nothing.
// Throws with the rule's origin on a type other than 'a', 'b', 'c'.
std::vector<bpf_insn> device_program(const DevicePolicy& policy);

// Loads the program (bpf(2), CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN). On failure the error carries the
// verifier's last words.
UniqueFd load_device_program(const std::vector<bpf_insn>& program);

// Attaches a loaded program to the cgroup2 directory `group_fd` with BPF_F_ALLOW_MULTI; programs of parents
// stay in force. The kernel keeps the program until the group is removed; `program_fd` may be closed.
void attach_device_program(int group_fd, int program_fd);

// Live change: puts the program in the place of the one attached to this very group, in one step, so that no
// access slips through in between; attaches it when there is none; more than one is an error (EBUSY).
void replace_device_program(int group_fd, int program_fd);

// Takes the group's own device programs away (a policy that allows everything now).
void detach_device_programs(int group_fd);

}  // namespace hutch::cgroupv2
