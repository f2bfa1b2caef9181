#include "base/error.h"
#include "base/format.h"
#include "cli/command_table.h"
#include "cli/commands.h"

namespace hutch::cli {

int command_help(CommandContext& context) {
  const bool verbose = context.options().flag("verbose", true);
  if (context.positional().empty()) {
    context.print(usage_overview());
    if (verbose) {
      for (const auto& row : command_table()) context.print("\n" + full_help(row));
    }
    return 0;
  }
  const std::string& word = context.positional().front();
  const CommandRow* row = find_command(word);
  if (row == nullptr || context.positional().size() > 1) {
    throw Error(formatted("no such command 'pct {}'", word), 0, "'pct help' lists them");
  }
  context.print(verbose ? full_help(*row) : formatted("USAGE: {}\n", usage_line(*row)));
  return 0;
}

}  // namespace hutch::cli
