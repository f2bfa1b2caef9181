#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/trace.h"
#include "runtime/start_plan.h"

namespace hutch {

struct StartOptions {
  // Edits the guest's files, in the start's private mount namespace, before init runs. `warn` collects lines
  // for the user.
  using Warn = std::function<void(const std::string& line)>;
  std::function<void(int rootfs_fd, Owner root, const Warn& warn)> set_up_guest;
  // Gets the spans of the supervisor's steps and the child's, also when the start fails. Unset or switched
  // off: nothing is measured.
  Trace* trace = nullptr;
  // Log every host step on standard error.
  bool debug = false;
  // What the supervisor goes on as, after cleaning up, when the container asks for a reboot: argv of this
  // very program. Empty: a reboot from inside stops the container.
  std::vector<std::string> restart_command;
  // See ExecutorOptions::before_step.
  std::function<void(std::size_t index)> before_step;
};

// Starts the container and waits until init has been executed. Returns the warnings that came up. When it
// throws, everything has been taken back. The caller must hold the container's lock and be the only process
// in its memory but for supervisors of earlier starts: the container's supervisor shares it until the caller
// ends.
std::vector<std::string> start_container(const StartPlan& plan, const StartOptions& options);

}  // namespace hutch
