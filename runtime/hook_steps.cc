// What the steps of a plan that only few containers have do on the host, and their undo
// (StartExecutor::perform): hooks, what is written about init, the console's output.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "runtime/container_hooks.h"
#include "runtime/executor.h"

namespace hutch {

// Everything that was made after this is gone by the time of its undo, so the stop hooks of a start that
// failed before there was anything to stop run there too.
void StartExecutor::perform(const host::PromiseHooks& step) {
  if (!stop_hooks_) stop_hooks_.emplace(plan_->sysroot, plan_->state, HeldNamespaces(), false);
  if (step.phase == HookPhase::stop) {
    push_undo("run the stop hooks", [this] {
      if (stop_hooks_) stop_hooks_->run_stop();
    });
  } else {
    push_undo("run the post-stop hooks", [this] {
      if (!stop_hooks_) return;
      stop_hooks_->run_stop();
      stop_hooks_->run_post_stop();
    });
  }
}

// For stop hooks: those of a first process that is about to be killed.
void StartExecutor::hold_namespaces() {
  if (stop_hooks_ && init_pid_ > 0) stop_hooks_->namespaces(HeldNamespaces::of_process(init_pid_));
}

void StartExecutor::perform(const host::RunHook& step) {
  const auto& spec = plan_->spec;
  HookCommand hook = hook_command(step.phase, step.command, spec.hook_version, spec.vmid,
                                  common_hook_environment(hook_container(spec, rootfs_path())));
  if (step.phase != HookPhase::pre_start) hook.environment.push_back(formatted("LXC_PID={}", init_pid_));
  signals_->check();
  hook.signals = signals_->fd();
  log_.write(LogLevel::info, "start", formatted("running the {} hook '{}'", hook.type, hook.command));
  const std::string out = run_hook(hook);
  if (!wants_debug()) return;
  for (const auto line : split(out, '\n')) {
    if (!line.empty()) debug(formatted("{} hook: {}", hook.type, line));
  }
}

namespace {

// A file that holds as much as is kept of the output of hooks, for us and, in `copy`, for the first process:
// a terminal of ours would be within reach of the guest there (proc(5), /proc/<pid>/fd).
UniqueFd output_file(UniqueFd& copy) {
  constexpr const char* kAction = "cannot make a file for the output of hooks";
  UniqueFd file(check(::memfd_create("hooks", MFD_CLOEXEC | MFD_ALLOW_SEALING), kAction));
  check(::ftruncate(file.get(), static_cast<off_t>(kHookLogLimit)), kAction);
  check(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), kAction);
  copy.reset(check(::fcntl(file.get(), F_DUPFD_CLOEXEC, 3), "cannot copy a descriptor"));
  return file;
}

// The copy shares the offset, which is where the writing has ended.
std::string written_output(UniqueFd file) {
  if (!file) return {};
  const off_t end = ::lseek(file.get(), 0, SEEK_CUR);
  std::string text(end < 0 ? 0 : static_cast<std::size_t>(end), '\0');
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return text;
}

}  // namespace

void StartExecutor::perform(const host::OpenHookOutput& step) {
  hook_errors_ = output_file(slots_[step.errors]);
  if (wants_debug()) hook_log_ = output_file(slots_[step.log]);
}

void StartExecutor::log_hook_output() {
  const std::string errors = written_output(std::move(hook_errors_));
  // Whose standard error is closed has no wish to read it.
  std::fwrite(errors.data(), 1, errors.size(), stderr);
  const std::string log = written_output(std::move(hook_log_));
  for (const auto line : split(log, '\n')) {
    if (!line.empty()) debug(formatted("hook inside: {}", line));
  }
}

void StartExecutor::perform(const host::AwaitReady&) {
  for (;;) {
    const auto message = receive();
    if (!message) throw_child_death();
    if (message->type == SyncMessage::Type::ready) return;
  }
}

void StartExecutor::perform(const host::WriteProcessFile& step) {
  write_kernel_file(AT_FDCWD, formatted("/proc/{}/{}", init_pid_, step.name), step.value);
}

void StartExecutor::perform(const host::OpenConsoleFiles&) {
  console_files_ = open_console_files(plan_->spec.console_output);
}

void StartExecutor::perform(const host::StartConsoleWatch&) {
  if (terminals_.empty() || !terminals_.front()) throw Error("the container has sent no console", EPROTO);
  ConsoleWatchSetup setup;
  setup.vmid = plan_->spec.vmid;
  setup.spec = plan_->spec.console_output;
  setup.master = terminals_.front().get();
  setup.init_pidfd = init_pidfd_.get();
  setup.mounts = options_.host_mounts;
  setup.buffer_path = console_buffer_path(plan_->sysroot, plan_->spec.vmid);
  record_.console_watch = start_console_watch(setup, console_files_);
  console_files_ = {};
  if (record_.console_watch.pid == 0) return;
  push_undo("end the process that watches the console", [pid = record_.console_watch.pid] {
    ::kill(pid, SIGKILL);  // our child, so its number is its own until we have collected it
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  });
  write_unpublished_state(plan_->sysroot, record_);
}

}  // namespace hutch
