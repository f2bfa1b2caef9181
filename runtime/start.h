#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/files.h"
#include "runtime/start_plan.h"

namespace hutch {

struct StartOptions {
  // Edits the guest's files, in the supervisor, before the container exists. `warn` collects lines for the
  // user.
  using Warn = std::function<void(const std::string& line)>;
  std::function<void(int rootfs_fd, Owner root, const Warn& warn)> set_up_guest;
  // Called first thing in the supervisor, a fork of the caller, to let go of what is the caller's alone.
  std::function<void()> after_fork;
  // Log every host step on standard error.
  bool debug = false;
  // What the supervisor becomes when the container asks for a reboot: argv of this very program. Empty: a
  // reboot from inside stops the container.
  std::vector<std::string> restart_command;
  // See ExecutorOptions::before_step.
  std::function<void(std::size_t index)> before_step;
};

// Starts the container: forks its supervisor, which runs the plan and stays, and waits until init has been
// executed. Returns the warnings that came up. When it throws, the supervisor has taken everything back and
// is gone. The caller must hold the container's lock and have no other threads.
std::vector<std::string> start_container(const StartPlan& plan, const StartOptions& options);

}  // namespace hutch
