#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/undo.h"
#include "cgroupv2/group.h"
#include "cgroupv2/writes.h"

// Limits of a container that runs.
namespace hutch::cgroupv2 {

// Writes the limits into the live group, having put the way back to the values that hold now on `undo`; so a
// failure in the middle is taken back with it, too.
//
// On v1 hierarchies where the container has no group yet (nothing there was limited at its start) the group
// is made, and all of the container's processes are moved into it. It stays when the change is taken back,
// with the kernel's defaults.
//
// A memory limit below what the container cannot give back is EBUSY with a hint. v1 refuses it itself. On the
// cgroup2 tree the kernel would rather kill (cgroup-v2.rst, memory.max), so there the memory is first
// reclaimed through memory.high, and memory.max is not written if too much is left.
void change_limits(const Group& group, const std::vector<PlacedWrite>& writes, UndoStack& undo);

// Adjusts the group's set of CPUs to have `count` members; nothing: all that containers may use. A group
// whose set has the right size already is left alone. Throws when this host has no cpuset controller, and
// `count` is set. As above for `undo` and v1.
void change_cpu_count(const Group& group, std::optional<std::uint32_t> count, UndoStack& undo);

}  // namespace hutch::cgroupv2
