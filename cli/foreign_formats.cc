#include "cli/foreign_formats.h"

#include <sys/wait.h>

#include "base/error.h"
#include "base/format.h"
#include "base/helper_program.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/commands.h"
#include "config/config_transfer.h"

namespace hutch::cli {

namespace {

ProgramResult run_helper(const CommandContext& context, const char* command,
                         const std::map<std::string, std::string>& options,
                         const std::vector<std::string>& words) {
  std::vector<std::string> argv{helper_program_path("hutch-import", "cli"), command,
                                "--root=" + context.sysroot().prefix()};
  for (const auto& [name, value] : options) argv.push_back(formatted("--{}={}", name, value));
  argv.emplace_back("--");
  argv.insert(argv.end(), words.begin(), words.end());
  auto result = run_program(argv);
  if (!WIFEXITED(result.status)) {
    throw Error(formatted("hutch-import {}: {}", result.status_text(), result.err), 0,
                "this is a bug of Hutch's; please report it with the file");
  }
  return result;
}

int run_as_command(CommandContext& context, const char* command) {
  const auto result = run_helper(context, command, context.options().all(), context.positional());
  context.print(result.out);
  std::fputs(result.err.c_str(), context.err());
  return WEXITSTATUS(result.status);
}

}  // namespace

int command_import(CommandContext& context) {
  return run_as_command(context, "import");
}

int command_export(CommandContext& context) {
  return run_as_command(context, "export");
}

std::string told_line(const config::Diagnostic& diagnostic) {
  constexpr std::size_t kMaxLine = 1000;
  const bool lost = diagnostic.severity == config::Diagnostic::Severity::error;
  std::string line = formatted("{}{}{}{}", diagnostic.origin.text(), diagnostic.origin.empty() ? "" : ": ",
                               lost ? "not carried over: " : "", diagnostic.message);
  if (line.size() > kMaxLine) {
    line = formatted("{} ... ({} characters)", std::string_view(line).substr(0, kMaxLine), line.size());
  }
  return terminal_safe(line);
}

config::ContainerConfig load_any_config(CommandContext& context, const std::string& file, std::uint32_t vmid,
                                        const std::string& format) {
  std::map<std::string, std::string> options;
  if (!format.empty()) options["format"] = format;
  const auto result = run_helper(context, "convert", options, {std::to_string(vmid), file});
  if (const int status = WEXITSTATUS(result.status); status != 0) {
    std::string reason = result.err;
    while (reason.ends_with('\n')) reason.pop_back();
    // 255 stands for "no errno", as everywhere; the text names the errno already.
    throw Error(reason);
  }
  auto transferred = config::read_transfer(result.out);
  for (const auto& diagnostic : transferred.diagnostics) {
    std::fprintf(context.err(), "WARN: %s\n", told_line(diagnostic).c_str());
  }
  return std::move(transferred.config);
}

}  // namespace hutch::cli
