#pragma once

#include <functional>
#include <memory>
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
  // Called once the container's state directory is there, before it has a first process.
  std::function<void()> state_directory_made;
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

// One start in two halves, so that the kernel's work on the namespaces goes on while the rest is planned. The
// caller must hold the container's lock and be alone in its memory: the container's supervisor shares it
// until the caller ends, and a caller may end with at most one container running that it has started. Between
// the halves the calling thread is in a private mount namespace, with the host's mounts.
class ContainerStart {
 public:
  // Makes the supervisor, which needs nothing but the vmid and the restart command.
  ContainerStart(const Sysroot& sysroot, std::uint32_t vmid, const StartOptions& options);
  // Gives up.
  ~ContainerStart();
  ContainerStart(const ContainerStart&) = delete;
  ContainerStart& operator=(const ContainerStart&) = delete;

  // What else has become known about the start: everything but the restart command and the trace. Before
  // `begin` or `finish`.
  void set_options(const StartOptions& options);
  // Runs the steps of begin_plan. May be left out. When it throws, everything has been taken back.
  void begin(const StartPlan& plan);
  // Starts the container and waits until init has been executed. Returns the warnings that came up. When it
  // throws, everything has been taken back. `plan` is the object that `begin` has got, and lives longer than
  // this one. At most once.
  std::vector<std::string> finish(const StartPlan& plan);
  // Takes everything back that was begun and not finished, and returns to the host's mounts and the working
  // directory. Nothing to do after a `begin` or `finish` that has thrown.
  void give_up();

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

// Both at once.
std::vector<std::string> start_container(const StartPlan& plan, const StartOptions& options);

}  // namespace hutch
