#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace hutch {

struct ProgramResult {
  int status = 0;          // as waitpid(2) gives it
  std::string out;         // standard output, where captured
  std::string err;         // standard error, always captured (first 64 KiB)
  int passed_signal = 0;   // the first that came on ProgramOptions::signals; 0: none
  bool succeeded() const;  // exited with 0
  // "exited with status 2", "killed by SIGKILL"
  std::string status_text() const;
};

struct ProgramOptions {
  std::string input;         // written to standard input
  bool inherit_out = false;  // standard output goes where ours goes instead of into `out`
  // Runs in the child right before exec, for entering namespaces and the like; a throw there makes
  // run_program throw.
  std::function<void()> before_exec;
  std::vector<int> keep_fds;             // descriptors that stay open in the program, under the same numbers
  std::vector<std::string> environment;  // "NAME=value", besides this process's own
  bool keep_environment = false;         // PATH and LC_ALL stay ours
  bool inherit_in = false;               // standard input is ours; `input` has to be empty
  bool inherit_err = false;              // standard error goes where ours goes
  std::size_t out_limit = SIZE_MAX;      // bytes of `out` to keep; the rest is read and dropped
  // Returns when the program itself has ended. Else a process that it left behind with its outputs is waited
  // for too.
  bool until_exit = false;
  // A non-blocking signalfd(2) of blocked signals: the first one that comes meanwhile is passed on to the
  // program, another one kills it. -1: none. Only with `until_exit`.
  int signals = -1;
};

// Whether run_program would find a program of this name.
bool has_program(const std::string& name);

// A host program that runs beside its starter. Its outputs are read by wait() only: until then it can write
// as much as a pipe holds (64 KiB) before it has to wait.
class RunningProgram {
 public:
  // Starts it: argv[0] is searched in /sbin:/bin:/usr/sbin:/usr/bin:/usr/local/..., with LC_ALL=C and that
  // PATH. Throws when the kernel refuses a process; that the program itself cannot be started is wait()'s to
  // tell.
  explicit RunningProgram(const std::vector<std::string>& argv, ProgramOptions options = {});
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  // Kills it (SIGKILL) and reaps it, where nobody waited for it. Its own children are not touched.
  ~RunningProgram();

  // Waits for its end. Throws when it could not be started (ENOENT: the hint names it). Call it once.
  ProgramResult wait();

 private:
  void reap(ProgramResult& result);

  std::string name_;  // argv[0]
  ProgramOptions options_;
  pid_t pid_ = -1;
  UniqueFd in_, out_, err_;
  UniqueFd failure_;  // "<errno> <message>" when the program could not be started
};

// RunningProgram, waited for at once.
ProgramResult run_program(const std::vector<std::string>& argv, const ProgramOptions& options = {});

// Same, and throws when it does not exit with 0; the message carries its standard error.
ProgramResult run_checked(const std::vector<std::string>& argv, const ProgramOptions& options = {});

}  // namespace hutch
