#include "runtime/start.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/executor.h"
#include "runtime/supervisor.h"

namespace hutch {

namespace {

// The supervisor's reports to `pct start`, one SOCK_SEQPACKET message each: a letter, then fields closed by
// NUL. The last one is `running` or `failed`; end-of-file without it means that the supervisor died.
enum class Report : char { warning = 'w', running = 'r', failed = 'f' };

void report(int fd, Report kind, const std::vector<std::string>& fields) {
  std::string message(1, static_cast<char>(kind));
  for (const auto& field : fields) message.append(field).push_back('\0');
  if (::send(fd, message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    // EPIPE: `pct start` was interrupted; the start goes on without anybody to tell.
    if (errno != EPIPE && errno != ECONNRESET) throw_errno("cannot report to pct");
  }
}

Error parse_failure(const std::vector<std::string_view>& fields) {
  if (fields.size() < 5) return Error("the supervisor failed");
  const auto number = [](std::string_view text) { return static_cast<int>(parse_signed(text).value_or(0)); };
  return Error(std::string(fields[0]), number(fields[1]), std::string(fields[2]),
               {std::string(fields[3]), number(fields[4])});
}

// Signals as a fresh process has them: what the caller's shell ignored or blocked must not reach init.
void reset_signals() {
  for (int number = 1; number < _NSIG; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_DFL) {
      action = {};
      action.sa_handler = SIG_DFL;
      ::sigaction(number, &action, nullptr);
    }
  }
  sigset_t none;
  ::sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "cannot unblock signals");
}

// Cuts the supervisor loose from the terminal, the directory and the descriptors of whoever ran `pct start`.
void detach_from_caller() {
  check(::setsid(), "cannot start a session");
  check(::chdir("/"), "cannot change to /");
  ::umask(022);
  reset_signals();
  // Anything inherited without close-on-exec would end up in init.
  check(::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "cannot mark descriptors close-on-exec");
  const UniqueFd null = open_file(AT_FDCWD, "/dev/null", O_RDWR);
  check(::dup2(null.get(), 0), "cannot redirect standard input");
  check(::dup2(null.get(), 1), "cannot redirect standard output");
}

void let_go_of_stderr() {
  check(::dup2(0, 2), "cannot redirect standard error");
}

[[noreturn]] void become_restart(const StartPlan& plan, const StartOptions& options,
                                 const UniqueFd& host_mounts) {
  check(::setns(host_mounts.get(), CLONE_NEWNS), "cannot return to the host's mounts");
  std::vector<char*> words;
  for (const auto& word : options.restart_command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  if (!plan.sysroot.prefix().empty()) ::setenv("HUTCH_ROOT", plan.sysroot.prefix().c_str(), 1);
  sigset_t none;
  ::sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "cannot unblock signals");
  ::execv("/proc/self/exe", words.data());
  throw_errno("cannot start the container again");
}

[[noreturn]] void run_supervisor(const StartPlan& plan, const StartOptions& options, UniqueFd reports) {
  try {
    if (options.after_fork) options.after_fork();
    detach_from_caller();
    ::prctl(PR_SET_NAME, formatted("hutch:{}", plan.spec.vmid).c_str());
    const UniqueFd host_mounts = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
    ExecutorOptions executor_options;
    executor_options.before_step = options.before_step;
    if (options.debug) {
      executor_options.log = [begin = std::chrono::steady_clock::now()](const std::string& line) {
        const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
        std::fprintf(stderr, "%8.3f ms  %s\n", passed.count(), line.c_str());
      };
    }
    if (options.set_up_guest) {
      executor_options.set_up_guest = [&](int rootfs_fd, Owner root) {
        options.set_up_guest(rootfs_fd, root, [&](const std::string& line) {
          report(reports.get(), Report::warning, {line});
        });
      };
    }
    StartExecutor executor(plan, std::move(executor_options));
    try {
      executor.run();
    } catch (...) {
      for (const auto& failure : executor.undo_failures()) report(reports.get(), Report::warning, {failure});
      throw;
    }
    let_go_of_stderr();
    report(reports.get(), Report::running, {});
    reports.reset();
    if (supervise(executor) == ExitReason::rebooting && !options.restart_command.empty()) {
      become_restart(plan, options, host_mounts);
    }
  } catch (const Error& error) {
    if (reports) {
      report(reports.get(), Report::failed,
             {error.action(), std::to_string(error.error_number()), error.hint(), error.origin().source,
              std::to_string(error.origin().line)});
    }
    ::_exit(1);
  } catch (const std::exception& error) {
    if (reports) report(reports.get(), Report::failed, {error.what(), "0", "", "", "0"});
    ::_exit(1);
  }
  ::_exit(0);
}

// Reads reports until the last one. Warnings are collected; a failure is thrown after the supervisor is gone,
// so that nothing of it is left when the caller goes on.
std::vector<std::string> follow_supervisor(int reports, pid_t supervisor) {
  std::vector<std::string> warnings;
  std::string buffer(64U << 10, '\0');
  for (;;) {
    const ssize_t count = ::recv(reports, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    const std::string_view text(buffer.data() + 1, static_cast<std::size_t>(count) - 1);
    switch (static_cast<Report>(buffer[0])) {
      case Report::warning: warnings.emplace_back(split(text, '\0').front()); break;
      case Report::running: return warnings;
      case Report::failed: {
        const Error failure = parse_failure(split(text, '\0'));
        ::waitpid(supervisor, nullptr, 0);
        throw failure;
      }
    }
  }
  int status = 0;
  ::waitpid(supervisor, &status, 0);
  throw Error(WIFSIGNALED(status) ? formatted("the supervisor was killed by signal {}", WTERMSIG(status))
                                  : std::string("the supervisor ended without a word"),
              0, "the next start cleans up what it left");
}

}  // namespace

std::vector<std::string> start_container(const StartPlan& plan, const StartOptions& options) {
  int ends[2];
  check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "cannot create a socket pair");
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  std::fflush(nullptr);
  const pid_t supervisor = check(::fork(), "cannot fork the supervisor");
  if (supervisor == 0) {
    ours.reset();
    run_supervisor(plan, options, std::move(theirs));
  }
  theirs.reset();
  return follow_supervisor(ours.get(), supervisor);
}

}  // namespace hutch
