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

// What the user has to clean up is told beside what went wrong.
Error with_undo_failures(const Error& error, const std::vector<std::string>& failures) {
  if (failures.empty()) return error;
  return error.with_context(formatted("{} (after a failed start)", join(failures, "; ")));
}

}  // namespace

class ContainerStart::Run {
 public:
  Run(const Sysroot& sysroot, std::uint32_t vmid, const StartOptions& options)
      : sysroot_(sysroot), executor_(executor_options(options)) {
    executor_.make_supervisor(vmid);
  }

  void set_options(const StartOptions& options) { executor_.set_options(executor_options(options)); }

  void begin(const StartPlan& plan) {
    guarded([&] { executor_.run_ahead(plan); });
  }

  std::vector<std::string> finish(const StartPlan& plan) {
    guarded([&] { executor_.run(plan); });
    home_.go_back();
    return std::move(warnings_);
  }

  void give_up() {
    executor_.give_up();
    home_.go_back();
  }

 private:
  Sysroot sysroot_;
  MountNamespaceReturn home_;
  std::vector<std::string> warnings_;
  StartExecutor executor_;

  template <typename Action>
  void guarded(Action action) {
    try {
      action();
    } catch (const Error& error) {
      home_.go_back();
      throw with_undo_failures(error, executor_.undo_failures());
    } catch (...) {
      home_.go_back();
      throw;
    }
  }

  ExecutorOptions executor_options(const StartOptions& options) {
    ExecutorOptions result;
    result.before_step = options.before_step;
    result.trace = options.trace;
    result.restart_command = options.restart_command;
    result.state_directory_made = options.state_directory_made;
    result.host_mounts = home_.mounts();
    if (!sysroot_.prefix().empty()) result.supervisor_environment = {"HUTCH_ROOT=" + sysroot_.prefix()};
    if (options.debug) {
      result.log = [begin = std::chrono::steady_clock::now()](const std::string& line) {
        const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
        std::fprintf(stderr, "%8.3f ms  %s\n", passed.count(), line.c_str());
      };
    }
    if (options.set_up_guest) {
      result.set_up_guest = [this, edit = options.set_up_guest](int rootfs_fd, Owner root) {
        edit(rootfs_fd, root, [this](const std::string& line) { warnings_.push_back(line); });
      };
    }
    return result;
  }
};

ContainerStart::ContainerStart(const Sysroot& sysroot, std::uint32_t vmid, const StartOptions& options)
    : run_(std::make_unique<Run>(sysroot, vmid, options)) {}

ContainerStart::~ContainerStart() {
  give_up();
}

// What cannot be taken back is too late to be told: the next start of the container meets it.
void ContainerStart::give_up() {
  if (!run_) return;
  try {
    run_->give_up();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  run_.reset();
}

void ContainerStart::set_options(const StartOptions& options) {
  run_->set_options(options);
}

void ContainerStart::begin(const StartPlan& plan) {
  try {
    run_->begin(plan);
  } catch (...) {
    run_.reset();
    throw;
  }
}

std::vector<std::string> ContainerStart::finish(const StartPlan& plan) {
  const std::unique_ptr<Run> run = std::move(run_);
  return run->finish(plan);
}

std::vector<std::string> start_container(const StartPlan& plan, const StartOptions& options) {
  return ContainerStart(plan.sysroot, plan.spec.vmid, options).finish(plan);
}

}  // namespace hutch
