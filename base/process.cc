#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "base/text.h"

namespace hutch {

namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin";
constexpr std::size_t kErrorLimit = 64U << 10;

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int fds[2];
  check(::pipe2(fds, O_CLOEXEC), "cannot create a pipe");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

[[noreturn]] void exec_program(const std::vector<std::string>& argv, const ProgramOptions& options, int in,
                               int out, int err, int failure) {
  std::string message;
  int error = 0;
  try {
    if (options.before_exec) options.before_exec();
    if (!options.inherit_in) ::dup2(in, 0);
    if (!options.inherit_out) ::dup2(out, 1);
    if (!options.inherit_err) ::dup2(err, 2);
    for (const int fd : options.keep_fds) ::fcntl(fd, F_SETFD, 0);
    if (!options.keep_environment) {
      ::setenv("PATH", kPath, 1);
      ::setenv("LC_ALL", "C", 1);
    }
    // putenv keeps the string itself, which lives until exec.
    for (const auto& entry : options.environment) ::putenv(const_cast<char*>(entry.c_str()));
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    error = errno;
  } catch (const Error& failed) {
    error = failed.error_number();
    message = failed.action();
  } catch (const std::exception& failed) {
    message = failed.what();
  }
  const std::string record = formatted("{} {}", error, message);
  const ssize_t written = ::write(failure, record.data(), record.size());
  ::_exit(written < 0 ? 126 : 127);
}

void pass_signals_on(int signals, int pidfd, ProgramResult& result) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == sizeof info) {
    const int number = result.passed_signal == 0 ? static_cast<int>(info.ssi_signo) : SIGKILL;
    if (result.passed_signal == 0) result.passed_signal = number;
    // ESRCH: it has ended just now.
    if (sys::pidfd_send_signal(pidfd, number) < 0 && errno != ESRCH) throw_errno("cannot signal a program");
  }
}

// Feeds the program's standard input and collects its outputs until both are closed, or with a `pidfd` (-1:
// none) until that process has ended and nothing more is there.
void exchange(UniqueFd in, const ProgramOptions& options, UniqueFd out, UniqueFd err, int pidfd,
              ProgramResult& result) {
  const std::string& input = options.input;
  std::size_t sent = 0;
  while (in || out || err || pidfd >= 0) {
    pollfd fds[5] = {{in.get(), POLLOUT, 0},
                     {out.get(), POLLIN, 0},
                     {err.get(), POLLIN, 0},
                     {pidfd, POLLIN, 0},
                     {options.signals, POLLIN, 0}};
    if (::poll(fds, 5, -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("cannot wait for a program's output");
    }
    if (fds[3].revents != 0 && fds[1].revents == 0 && fds[2].revents == 0) return;
    if (fds[4].revents != 0) pass_signals_on(options.signals, pidfd, result);
    if (fds[0].revents != 0) {
      const ssize_t count = ::write(in.get(), input.data() + sent, input.size() - sent);
      // A program that does not want its input (EPIPE) is judged by its exit status.
      if (count < 0 && errno != EINTR && errno != EAGAIN) in.reset();
      if (count > 0) sent += static_cast<std::size_t>(count);
      if (sent == input.size()) in.reset();
    }
    char buffer[16384];
    for (auto [fd, sink] : {std::pair{&out, &result.out}, std::pair{&err, &result.err}}) {
      const bool ready = fds[sink == &result.out ? 1 : 2].revents != 0;
      if (!*fd || !ready) continue;
      const ssize_t count = ::read(fd->get(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fd->reset();
      const std::size_t limit = sink == &result.out ? options.out_limit : kErrorLimit;
      if (count > 0 && sink->size() < limit) {
        sink->append(buffer, static_cast<std::size_t>(count));
      }
    }
  }
}

}  // namespace

bool ProgramResult::succeeded() const {
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string ProgramResult::status_text() const {
  if (WIFEXITED(status)) return formatted("exited with status {}", WEXITSTATUS(status));
  const char* name = sigabbrev_np(WTERMSIG(status));
  return name != nullptr ? formatted("killed by SIG{}", name)
                         : formatted("killed by signal {}", WTERMSIG(status));
}

bool has_program(const std::string& name) {
  for (const auto directory : split(std::string_view(kPath), ':')) {
    if (::access(formatted("{}/{}", directory, name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

RunningProgram::RunningProgram(const std::vector<std::string>& argv, ProgramOptions options)
    : name_(argv.at(0)), options_(std::move(options)) {
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  auto [err_read, err_write] = make_pipe();
  auto [failure_read, failure_write] = make_pipe();
  pid_ = check(::fork(), "cannot fork");
  if (pid_ == 0) {
    exec_program(argv, options_, in_read.get(), out_write.get(), err_write.get(), failure_write.get());
  }
  // A blocking write of more than the pipe holds would wait for a program that itself waits until we read.
  ::fcntl(in_write.get(), F_SETFL, O_NONBLOCK);
  if (!options_.input.empty()) in_ = std::move(in_write);
  if (!options_.inherit_out) out_ = std::move(out_read);
  if (!options_.inherit_err) err_ = std::move(err_read);
  failure_ = std::move(failure_read);
}

void RunningProgram::reap(ProgramResult& result) {
  while (::waitpid(pid_, &result.status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

RunningProgram::~RunningProgram() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ProgramResult unwanted;
  reap(unwanted);
}

ProgramResult RunningProgram::wait() {
  // A program that closes its input early must not kill us.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  ProgramResult result;
  std::exception_ptr broken;
  try {
    UniqueFd process;
    if (options_.until_exit) {
      process.reset(check(sys::pidfd_open(pid_, 0), formatted("cannot watch '{}'", name_)));
    }
    exchange(std::move(in_), options_, std::move(out_), std::move(err_), process.get(), result);
  } catch (...) {
    broken = std::current_exception();
  }
  reap(result);
  ::sigaction(SIGPIPE, &before, nullptr);
  if (broken) std::rethrow_exception(broken);
  const std::string failure = read_fd(failure_.get(), "the program's start record");
  if (!failure.empty()) {
    const auto blank = failure.find(' ');
    const int error = static_cast<int>(parse_unsigned(failure.substr(0, blank)).value_or(0));
    const std::string message = failure.substr(blank + 1);
    throw Error(message.empty() ? formatted("cannot run '{}'", name_) : message, error,
                message.empty() && error == ENOENT ? formatted("install the program '{}'", name_) : "");
  }
  return result;
}

ProgramResult run_program(const std::vector<std::string>& argv, const ProgramOptions& options) {
  return RunningProgram(argv, options).wait();
}

ProgramResult run_checked(const std::vector<std::string>& argv, const ProgramOptions& options) {
  ProgramResult result = run_program(argv, options);
  if (!result.succeeded()) {
    std::string text(trim(result.err));
    std::replace(text.begin(), text.end(), '\n', ' ');
    throw Error(
        formatted("'{}' {}{}{}", join(argv, " "), result.status_text(), text.empty() ? "" : ": ", text));
  }
  return result;
}

}  // namespace hutch
