#include "bench/timed_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/undo.h"

namespace hutch::bench {

volatile sig_atomic_t interrupted = 0;

namespace {

void on_signal(int) {
  interrupted = 1;
}

// A mount namespace in which /sys/fs/cgroup is the v2 tree alone. It is entered and left outside the timed
// part.
class UnifiedView {
 public:
  UnifiedView() : own_(open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY)) {
    check(unshare(CLONE_NEWNS), "cannot make a mount namespace");
    UndoStack undo;
    undo.push("mount namespace", [this] { leave(); });
    check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "cannot make the mounts private");
    check(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
          "cannot mount the v2 cgroup tree");
    other_ = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
  }
  void enter() const { check(setns(other_.get(), CLONE_NEWNS), "cannot enter a mount namespace"); }
  void leave() const { check(setns(own_.get(), CLONE_NEWNS), "cannot return to our mount namespace"); }

 private:
  UniqueFd own_;
  UniqueFd other_;
};

// `leave` returns.
void enter_unified_view(UndoStack& leave) {
  static const UnifiedView view;
  view.enter();
  leave.push("mount namespace", [] { view.leave(); });
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> settings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
    const bool replaced = std::any_of(command.environment.begin(), command.environment.end(),
                                      [&](const auto& setting) { return setting.first == name; });
    if (!replaced) settings.emplace_back(*entry);
  }
  for (const auto& [name, value] : command.environment) settings.push_back(formatted("{}={}", name, value));
  return settings;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

class FileActions {
 public:
  FileActions() {
    const int error = posix_spawn_file_actions_init(&actions_);
    if (error != 0) throw Error("cannot prepare a program", error);
  }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_ = {};
};

int wait_for(pid_t child, const Command& command) {
  int status = 0;
  pid_t waited = 0;
  do {
    waited = waitpid(child, &status, 0);
  } while (waited < 0 && errno == EINTR);
  if (waited < 0) throw_errno(formatted("cannot wait for '{}'", command.argv[0]));
  return status;
}

bool succeeded(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

void catch_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    check(sigaction(number, &action, nullptr), "cannot catch signals");
}

void stop_if_interrupted() {
  if (interrupted != 0) throw Error("interrupted");
}

void reap_orphans() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) continue;
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  const std::string directories = path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
  for (const auto directory : split(directories, ':')) {
    const std::string candidate = formatted("{}/{}", directory, name);
    if (directory.starts_with('/') && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

Runner::~Runner() {
  try {
    end_foreground();
  } catch (const Error&) {
    // Nothing is left to wait for, then.
    foreground_ = 0;
  }
}

pid_t Runner::spawn(const Command& command, int output) {
  FileActions actions;
  // Not /dev/null: crun gives what it has as standard streams to the container's root, the host's device, too.
  const std::string nothing = log_ + ".stdin";
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, nothing.c_str(), O_RDONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(actions.get(), STDERR_FILENO, log_.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(actions.get(), output >= 0 ? output : STDERR_FILENO, STDOUT_FILENO);
  for (const auto& [fd, path] : command.files)
    posix_spawn_file_actions_addopen(actions.get(), fd, path.c_str(), O_RDONLY, 0);
  std::vector<std::string> words = command.argv;
  std::vector<std::string> settings = environment_of(command);
  const auto arguments = pointers(words);
  const auto variables = pointers(settings);
  pid_t child = 0;
  begun_ = std::chrono::steady_clock::now();
  const int error =
      posix_spawn(&child, arguments[0], actions.get(), nullptr, arguments.data(), variables.data());
  if (error != 0) throw Error(formatted("cannot run '{}'", command.argv[0]), error);
  return child;
}

std::string Runner::output() const {
  return read_file_if_exists(AT_FDCWD, log_).value_or("");
}

void Runner::await_success(pid_t child, const Command& command) {
  if (!succeeded(wait_for(child, command)))
    throw Error(formatted("'{}' failed: {}", join(command.argv, " "), trim(output())));
}

void Runner::await_output(pid_t child, const Command& command, int pipe) {
  char byte = 0;
  ssize_t length = 0;
  do {
    length = read(pipe, &byte, 1);
  } while (length < 0 && errno == EINTR && interrupted == 0);
  if (length == 1) {
    foreground_ = child;
    return;
  }
  kill(child, SIGKILL);
  wait_for(child, command);
  stop_if_interrupted();
  throw Error(
      formatted("'{}' ended without running its program: {}", join(command.argv, " "), trim(output())));
}

Milliseconds Runner::run(const Command& command) {
  UndoStack leave;
  if (command.needs_unified_view) enter_unified_view(leave);
  UniqueFd reader;
  UniqueFd writer;
  if (command.until_output) {
    int ends[2];
    check(pipe2(ends, O_CLOEXEC), "cannot make a pipe");
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  const pid_t child = spawn(command, writer.get());
  if (command.until_output) {
    writer.reset();
    await_output(child, command, reader.get());
    foreground_output_ = std::move(reader);
  } else {
    await_success(child, command);
  }
  return std::chrono::steady_clock::now() - begun_;
}

Milliseconds Runner::run_together(const std::vector<Command>& commands) {
  UndoStack leave;
  if (!commands.empty() && commands.front().needs_unified_view) enter_unified_view(leave);
  std::vector<pid_t> children;
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& command : commands) children.push_back(spawn(command, -1));
  std::string failure;
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (!succeeded(wait_for(children[i], commands[i])))
      failure = formatted("'{}' failed: {}", join(commands[i].argv, " "), trim(output()));
  }
  const Milliseconds time = std::chrono::steady_clock::now() - begin;
  if (!failure.empty()) throw Error(failure);
  return time;
}

void Runner::end_foreground() {
  if (foreground_ == 0) return;
  const pid_t child = std::exchange(foreground_, 0);
  foreground_output_.reset();
  kill(child, SIGTERM);
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (waitpid(child, nullptr, WNOHANG) == child) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace hutch::bench
