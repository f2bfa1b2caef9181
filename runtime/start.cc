#include "runtime/start.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/undo.h"
#include "runtime/executor.h"

namespace hutch {

namespace {

// The way back from the private mount namespace of a start; entering one ends at its root directory.
class MountNamespaceReturn {
 public:
  MountNamespaceReturn()
      : mounts_(open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY)),
        directory_(open_file(AT_FDCWD, ".", O_PATH | O_DIRECTORY)) {}
  MountNamespaceReturn(const MountNamespaceReturn&) = delete;
  MountNamespaceReturn& operator=(const MountNamespaceReturn&) = delete;

  int mounts() const { return mounts_.get(); }

  void go_back() const {
    check(::setns(mounts_.get(), CLONE_NEWNS), "cannot return to the host's mounts");
    check(::fchdir(directory_.get()), "cannot return to the working directory");
  }

 private:
  UniqueFd mounts_;
  UniqueFd directory_;
};

ExecutorOptions executor_options(const StartPlan& plan, const StartOptions& options,
                                 const MountNamespaceReturn& home, std::vector<std::string>& warnings) {
  ExecutorOptions result;
  result.before_step = options.before_step;
  result.trace = options.trace;
  result.restart_command = options.restart_command;
  result.host_mounts = home.mounts();
  if (!plan.sysroot.prefix().empty()) result.supervisor_environment = {"HUTCH_ROOT=" + plan.sysroot.prefix()};
  if (options.debug) {
    result.log = [begin = std::chrono::steady_clock::now()](const std::string& line) {
      const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
      std::fprintf(stderr, "%8.3f ms  %s\n", passed.count(), line.c_str());
    };
  }
  if (options.set_up_guest) {
    result.set_up_guest = [&](int rootfs_fd, Owner root) {
      options.set_up_guest(rootfs_fd, root, [&](const std::string& line) { warnings.push_back(line); });
    };
  }
  return result;
}

// What the user has to clean up is told beside what went wrong.
Error with_undo_failures(const Error& error, const std::vector<std::string>& failures) {
  if (failures.empty()) return error;
  return error.with_context(formatted("{} (after a failed start)", join(failures, "; ")));
}

}  // namespace

std::vector<std::string> start_container(const StartPlan& plan, const StartOptions& options) {
  const MountNamespaceReturn home;
  std::vector<std::string> warnings;
  StartExecutor executor(plan, executor_options(plan, options, home, warnings));
  try {
    executor.run();
  } catch (const Error& error) {
    home.go_back();
    throw with_undo_failures(error, executor.undo_failures());
  }
  home.go_back();
  return warnings;
}

}  // namespace hutch
