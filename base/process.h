#pragma once

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

// Runs a host program (argv[0] is searched in /sbin:/bin:/usr/sbin:/usr/bin:/usr/local/...) with
// LC_ALL=C and that PATH, and waits for it. Throws when it cannot be started (ENOENT: the hint names it).
ProgramResult run_program(const std::vector<std::string>& argv, const ProgramOptions& options = {});

// Same, and throws when it does not exit with 0; the message carries its standard error.
ProgramResult run_checked(const std::vector<std::string>& argv, const ProgramOptions& options = {});

}  // namespace hutch
