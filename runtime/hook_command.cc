#include "runtime/hook_command.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/process.h"
#include "runtime/start_plan.h"

namespace hutch {

namespace {

// For sh(1): nothing is special between single quotes but the quote itself.
std::string quoted(std::string_view word) {
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'') {
      text += "'\\''";
    } else {
      text += c;
    }
  }
  return text + "'";
}

// Whether a shell takes it as it is.
bool is_plain(std::string_view word) {
  return word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:@/") ==
         word.npos;
}

// A start or clean-up may have signals blocked, and a shell would hand that on. A hook is of no use when who
// waits for it is killed: somebody else cleans up then.
void prepare_process(int mounts, pid_t starter) {
  check(::prctl(PR_SET_PDEATHSIG, SIGTERM), "cannot ask for a signal when the parent dies");
  if (::getppid() != starter) throw Error("the starter has ended", ESRCH);
  if (mounts >= 0) check(::setns(mounts, CLONE_NEWNS), "cannot enter the supervisor's mount namespace");
  check(::chdir("/"), "cannot change to '/'");
  sigset_t none;
  ::sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "cannot unblock signals");
}

}  // namespace

std::string hook_command_line(const HookCommand& hook) {
  std::string line = "exec " + hook.command;
  if (hook.version == 0) {
    for (const auto* word : {&hook.container, &hook.section, &hook.type}) line += " " + quoted(*word);
  }
  for (const auto& word : hook.extras) {
    // Names of links: the kernel takes any character but blanks and '/' in them, and a container may have
    // chosen one for a link that it has given back.
    if (!word.empty()) line += " " + (is_plain(word) ? word : quoted(word));
  }
  return line;
}

std::vector<std::string> hook_environment(const HookCommand& hook) {
  std::vector<std::string> environment = hook.environment;
  if (hook.version == 0) return environment;
  environment.push_back("LXC_HOOK_SECTION=" + hook.section);
  environment.push_back("LXC_HOOK_TYPE=" + hook.type);
  return environment;
}

std::string run_hook(const HookCommand& hook) {
  ProgramOptions options;
  options.environment = hook_environment(hook);
  options.keep_environment = true;
  options.inherit_in = true;
  options.inherit_err = true;
  options.out_limit = kHookOutputLimit;
  options.until_exit = true;
  options.signals = hook.signals;
  options.before_exec = [&hook, starter = ::getpid()] { prepare_process(hook.mounts, starter); };
  ProgramResult result;
  try {
    result = run_program({"/bin/sh", "-c", hook_command_line(hook)}, options);
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot run the script of '{}'", hook.key)).with_origin(hook.origin);
  }
  if (result.passed_signal != 0) {
    throw Error(formatted("'{}': interrupted by SIG{}", hook.key, ::sigabbrev_np(result.passed_signal)),
                EINTR, {}, hook.origin);
  }
  if (result.succeeded()) return std::move(result.out);
  throw Error(formatted("'{}': the script '{}' {}", hook.key, hook.command, result.status_text()), 0,
              "its own messages stand above", hook.origin);
}

std::vector<std::string> common_hook_environment(const HookContainer& container) {
  std::vector<std::string> environment;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) environment.push_back(formatted("{}={}", name, value));
  };
  add("LXC_NAME", container.name);
  add("LXC_CONFIG_FILE", container.config_path);
  add("LXC_ROOTFS_MOUNT", container.rootfs_mount);
  add("LXC_ROOTFS_PATH", container.rootfs_path);
  add("LXC_CONSOLE", container.console);
  add("LXC_CONSOLE_LOGPATH", container.console_logpath);
  add("LXC_CGNS_AWARE", "1");
  add("LXC_LOG_LEVEL", container.log_level);
  add("LXC_HOOK_VERSION", std::to_string(container.hook_version));
  return environment;
}

}  // namespace hutch
