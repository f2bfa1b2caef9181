#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/option_row.h"

namespace hutch::cli {

// One command of pct. The option table is a function so that only the chosen command's is built.
struct CommandRow {
  // How many words follow the named positional ones.
  enum class Tail { none, words };
  const char* name;
  // Names as in the usage text; those from `optional_from` on may be left out.
  std::vector<const char*> positional;
  std::size_t optional_from;
  Tail tail;
  std::vector<OptionRow> (*options)();
  CommandFunction function;
  const char* summary;
};

const std::vector<CommandRow>& command_table();

// The command of that exact name, else the only one that starts with `word`, else null.
const CommandRow* find_command(std::string_view word);

// "pct start <vmid> [OPTIONS]"
std::string usage_line(const CommandRow& row);
// "USAGE: pct <COMMAND> [ARGS] [OPTIONS]", an empty line, and one indented usage line per command.
std::string usage_overview();
// Usage line, what the command does, its options.
std::string full_help(const CommandRow& row);

// Runs one command line; `words` is argv without the program name. Prints errors on `err`. Returns the exit
// status of pct-cli.md §1.4.
int run_command_line(const std::vector<std::string>& words, std::FILE* out, std::FILE* err);

}  // namespace hutch::cli
