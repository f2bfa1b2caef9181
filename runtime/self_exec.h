#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

// Processes beside a container that are this program once more, under another command.
namespace hutch {

// The numbers of descriptors below this one are free for the new program's.
inline constexpr int kFirstOwnDescriptor = 32;

// Forks; `execute` then prepares the process and executes the program, and comes back with the errno of what
// failed. Gives the pid, a child of this process, when the program runs. Throws Error: "<action>" with that
// errno; the process is reaped then.
pid_t start_self(const std::string& action, const std::function<int()>& execute);

}  // namespace hutch
