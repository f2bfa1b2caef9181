#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

// Walks over a group and everything below it. A container makes groups below its own as deep and as many as
// it likes, so the walks hold one descriptor and never a path: neither PATH_MAX nor the limit on open files
// can keep a group from being found or removed. Inside this room only.
namespace hutch::cgroupv2 {

// Removes the group at `directory` and all below it, leaves first. False when some group in the tree still
// holds processes (EBUSY); what could be removed before that is gone. A directory that does not exist is
// fine.
bool remove_group_tree(const std::string& directory);

// See freezer.h.
std::vector<pid_t> processes_below(const std::string& directory);

}  // namespace hutch::cgroupv2
