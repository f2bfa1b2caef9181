#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace hutch::bench {

using Milliseconds = std::chrono::duration<double, std::milli>;

// Set by SIGINT, SIGTERM and SIGHUP once catch_signals() was called.
extern volatile sig_atomic_t interrupted;
void catch_signals();
// Throws Error when a signal asked for the end.
void stop_if_interrupted();

// A program to run and to time.
struct Command {
  std::vector<std::string> argv;                                 // argv[0] is an absolute path
  std::vector<std::pair<std::string, std::string>> environment;  // replaces or adds
  std::vector<std::pair<int, std::string>> files;  // opened for reading under these descriptor numbers
  // The program refuses a host with v1 hierarchies: it sees a mount namespace with only the v2 tree.
  bool needs_unified_view = false;
  // It stays in the foreground: what is timed ends when it has written its first byte, and it keeps running
  // until end_foreground().
  bool until_output = false;

  bool empty() const { return argv.empty(); }
};

// Runs commands one after the other. Their output goes to a file (a daemon that inherited a pipe would keep
// us reading) and appears in the error when one fails.
class Runner {
 public:
  explicit Runner(std::string log) : log_(std::move(log)) {}
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();

  // The time from just before the spawn until the program has been waited for (or has written, see
  // Command::until_output). Throws Error when it cannot be run or does not exit with 0.
  Milliseconds run(const Command& command);
  // Runs commands of one tool at once; the time until the last one has ended. Throws when one of them fails,
  // after all ended.
  Milliseconds run_together(const std::vector<Command>& commands);
  // Standard output and standard error of the last command that ended.
  std::string output() const;

  // Ends what a command with until_output left running, if anything: SIGTERM, after two seconds SIGKILL.
  void end_foreground();

 private:
  pid_t spawn(const Command& command, int output);
  void await_success(pid_t child, const Command& command);
  void await_output(pid_t child, const Command& command, int pipe);

  std::string log_;
  std::chrono::steady_clock::time_point begun_;  // just before the last posix_spawn
  pid_t foreground_ = 0;
  UniqueFd foreground_output_;
};

// Daemons of the tools become our children (PR_SET_CHILD_SUBREAPER); they must not stay as zombies.
void reap_orphans();

// The absolute path of a program on PATH; empty when it is not installed.
std::string find_program(const std::string& name);

}  // namespace hutch::bench
