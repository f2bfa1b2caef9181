#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

// Freezing, killing and looking at the processes of a cgroup2 group and everything below it
// (cgroup-v2.rst: core interface files). `directory` is absolute (Group::directory()). All throw Error;
// a group that does not exist is ENOENT unless said otherwise.
namespace hutch::cgroupv2 {

// Stops every process and returns when the kernel reports all of them stopped. After `timeout` without that
// (a process in uninterruptible sleep), thaws again and throws ETIMEDOUT.
void freeze(const std::string& directory, std::chrono::milliseconds timeout);
void thaw(const std::string& directory);
// Whether the group is frozen now, by itself or by a parent.
bool frozen(const std::string& directory);

// SIGKILL to every process, frozen ones and ones being forked included (cgroup.kill, Linux 5.14). Does not
// wait; see wait_empty(). A group that does not exist is fine: it has no processes.
void kill_all(const std::string& directory);

// Whether any live process is in the group or below it. False when the group does not exist.
bool populated(const std::string& directory);
// Waits until the group is not populated; false when it still is after `timeout`.
bool wait_empty(const std::string& directory, std::chrono::milliseconds timeout);

// Process ids in the group and below, sorted, as our pid namespace numbers them (processes of other pid
// namespaces, shown as 0, are left out). Empty when the group does not exist. Works on v1 groups, too.
std::vector<pid_t> processes(const std::string& directory);

}  // namespace hutch::cgroupv2
