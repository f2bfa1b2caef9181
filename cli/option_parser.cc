#include "cli/option_parser.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/format.h"
#include "cli/arguments.h"

namespace hutch::cli {

std::map<std::string, std::vector<std::string>> collect_values(
    const std::vector<std::pair<std::string, std::string>>& canonical) {
  CLI::App app;
  app.set_help_flag();
  std::map<std::string, CLI::Option*> options;
  std::vector<std::string> words;  // in reverse, as CLI11 consumes them
  for (const auto& [name, value] : canonical) {
    CLI::Option*& option = options[name];
    if (option == nullptr) {
      option = app.add_option("--" + name);
      option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    }
    words.insert(words.begin(), {value, "--" + name});
  }
  try {
    app.parse(std::move(words));
  } catch (const CLI::Error& error) {
    throw ArgumentError(formatted("{}\n400 unable to parse option", error.what()));
  }
  std::map<std::string, std::vector<std::string>> values;
  for (const auto& [name, option] : options) values[name] = option->results();
  return values;
}

}  // namespace hutch::cli
