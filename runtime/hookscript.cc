#include "runtime/hookscript.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "runtime/state.h"

namespace hutch {

namespace {

constexpr std::chrono::seconds kLongestWait{5};

std::string turn_path(const Sysroot& sysroot, std::uint32_t vmid) {
  return state_directory(sysroot, vmid) + "/hookscript";
}

// Of the process (lockf(3)), not of the descriptor: no child has it, and the start's own clean-up does not
// wait for itself.
bool try_lock(int file) {
  if (::lockf(file, F_TLOCK, 0) == 0) return true;
  if (errno != EACCES && errno != EAGAIN) throw_errno("cannot take the hookscript's turn");
  return false;
}

}  // namespace

void run_hookscript(const std::string& script, std::uint32_t vmid, const char* phase) {
  ProgramOptions options;
  options.keep_environment = true;
  options.inherit_in = true;
  options.inherit_out = true;
  options.inherit_err = true;
  options.until_exit = true;
  options.before_exec = [] {
    sigset_t none;
    ::sigemptyset(&none);
    check(::sigprocmask(SIG_SETMASK, &none, nullptr), "cannot unblock signals");
    check(::chdir("/"), "cannot change to '/'");
  };
  const std::string what = formatted("hookscript error for {} on {}", vmid, phase);
  ProgramResult result;
  try {
    result = run_program({script, std::to_string(vmid), phase}, options);
  } catch (const Error& error) {
    throw error.with_context(what);
  }
  if (!result.succeeded()) throw Error(formatted("{}: '{}' {}", what, script, result.status_text()));
}

HookscriptTurn::HookscriptTurn(const Sysroot& sysroot, std::uint32_t vmid, std::string script)
    : vmid_(vmid),
      script_(std::move(script)),
      file_(open_file(AT_FDCWD, turn_path(sysroot, vmid), O_RDWR | O_CREAT | O_NOFOLLOW, 0600)) {
  if (!try_lock(file_.get())) throw Error(formatted("another process starts CT {}", vmid), EBUSY);
}

bool HookscriptTurn::wait(const Sysroot& sysroot, std::uint32_t vmid) {
  const std::string path = turn_path(sysroot, vmid);
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!file) {
    // ENOENT: a start that had no turn yet.
    if (errno == ENOENT) return true;
    throw_errno(formatted("cannot open '{}'", path));
  }
  const auto deadline = std::chrono::steady_clock::now() + kLongestWait;
  while (!try_lock(file.get())) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    // Neither has lockf(3) a timeout, nor may a signal of the process be used for one.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace hutch
