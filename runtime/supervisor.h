#pragma once

#include <string>
#include <vector>

#include "runtime/executor.h"

namespace hutch {

// Why a container ended, read from init's wait status (reboot(2): inside a pid namespace the call ends in a
// signal to init).
enum class ExitReason { halted, rebooting };
ExitReason exit_reason(int wait_status);

// The life of a supervisor after its container runs: keeps the console drained, passes signals it gets on to
// init (SIGHUP as SIGTERM), and when init ends takes the start back (StartExecutor::tear_down). Returns why.
// Blocks all signals of the process.
ExitReason supervise(StartExecutor& executor);

}  // namespace hutch
