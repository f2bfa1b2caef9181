// hutch-import: reads and writes container files of other programs. Run by `pct` (cli/foreign_formats.h); it
// alone knows the formats and the XML library.
//
//   hutch-import <command> --root=DIR [--<option>=<value> ...] -- <word> ...

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/import.h"

namespace {

using hutch::Error;
using hutch::cli::CommandContext;
using hutch::cli::CommandFunction;

constexpr int kFailure = 255;  // no errno describes it (pct-cli.md §1.4)

CommandFunction find_command(const std::string& name) {
  constexpr std::pair<std::string_view, CommandFunction> kCommands[] = {
      {"convert", hutch::cli::convert_container},
      {"export", hutch::cli::export_container},
      {"import", hutch::cli::import_container},
  };
  for (const auto& [known, function] : kCommands) {
    if (known == name) return function;
  }
  throw Error(
      "usage: hutch-import <convert|export|import> --root=DIR [--<option>=<value> ...] -- <word> ...");
}

int run(const std::vector<std::string>& words) {
  const auto command = find_command(words.empty() ? std::string() : words.front());
  std::map<std::string, std::string> options;
  std::size_t at = 1;
  for (; at < words.size() && words[at] != "--"; ++at) {
    const auto equals = words[at].find('=');
    if (!words[at].starts_with("--") || equals == std::string::npos) {
      throw Error(hutch::formatted("bad option '{}'", words[at]));
    }
    options[words[at].substr(2, equals - 2)] = words[at].substr(equals + 1);
  }
  std::vector<std::string> positional;
  if (at < words.size()) positional.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
  const std::string root = options["root"];
  options.erase("root");
  CommandContext context(hutch::Sysroot(root), stdout, stderr);
  context.set_arguments(hutch::cli::OptionValues(std::move(options)), std::move(positional));
  const int status = command(context);
  if (std::fflush(stdout) != 0) hutch::throw_errno("cannot write the output");
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", hutch::terminal_safe(error.what()).c_str());
    return error.error_number() == 0 ? kFailure : error.error_number();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", hutch::terminal_safe(error.what()).c_str());
    return kFailure;
  }
}
