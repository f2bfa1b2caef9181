#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sysroot.h"
#include "cli/option_values.h"

namespace hutch::cli {

// What every command function gets: where the host is, what was asked, and where its output goes.
//
// A direct command prints results with `print` and its notices go to standard error. A worker command
// (pct-cli.md §1.4) calls `enter_worker` after the checks that come before the real work; from then on
// notices and warnings appear on standard output, and an exception makes the exit status 255 instead of the
// errno of the failure.
class CommandContext {
 public:
  CommandContext(Sysroot sysroot, std::FILE* out, std::FILE* err)
      : sysroot_(std::move(sysroot)), out_(out), err_(err) {}

  const Sysroot& sysroot() const { return sysroot_; }
  // `pct --debug <command>`: every plan step is logged.
  bool debug() const { return debug_; }
  void set_debug(bool debug) { debug_ = debug; }

  // The container has rebooted from inside, which to its hookscript is no stop and no start.
  bool restarting() const { return restart_of_.has_value(); }
  // The start that the reboot has ended (ConfigStore::last_start).
  std::optional<std::int64_t> restart_of() const { return restart_of_; }
  void set_restart_of(std::optional<std::int64_t> start) { restart_of_ = start; }

  const OptionValues& options() const { return options_; }
  // Positional words in the order of the command's row; the vmid among them is already checked.
  const std::vector<std::string>& positional() const { return positional_; }
  void set_arguments(OptionValues options, std::vector<std::string> positional) {
    options_ = std::move(options);
    positional_ = std::move(positional);
  }
  // The first positional word as a number; only for commands whose row starts with vmid.
  std::uint32_t vmid() const;

  // A context for another command run on behalf of this one (start after create): same places and debug flag,
  // no options, `positional` as given. Warnings are counted in the new one; add them with `add_warnings`.
  CommandContext nested(std::vector<std::string> positional) const;

  std::FILE* out() const { return out_; }
  std::FILE* err() const { return err_; }
  // Standard output, exactly the text given.
  void print(std::string_view text);
  // One line about what is going on, newline added.
  void notice(std::string_view line);
  // "WARN: <line>", counted; main prints "Task finished with N warning(s)!" at the end of a worker command.
  void warn(std::string_view line);
  int warnings() const { return warnings_; }
  void add_warnings(int count) { warnings_ += count; }

  void enter_worker() { in_worker_ = true; }
  bool in_worker() const { return in_worker_; }

 private:
  Sysroot sysroot_;
  std::FILE* out_;
  std::FILE* err_;
  bool debug_ = false;
  std::optional<std::int64_t> restart_of_;
  bool in_worker_ = false;
  int warnings_ = 0;
  OptionValues options_;
  std::vector<std::string> positional_;
};

// A command: returns the exit status, throws Error or ArgumentError on failure.
using CommandFunction = int (*)(CommandContext&);

}  // namespace hutch::cli
