#include "cli/config_option_rows.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "config/options.h"

namespace hutch::cli {

namespace {

// Options whose occurrences are joined (pct-cli.md §1.2).
constexpr std::array<std::string_view, 3> kLists = {"nameserver", "searchdomain", "tags"};

OptionRow row_for(const config::Option& option, std::string name) {
  return {.name = std::move(name),
          .type = ValueType::config_option,
          .help = option.description,
          .collects = std::find(kLists.begin(), kLists.end(), option.name) != kLists.end(),
          .boolean_config = option.type == config::Option::Type::boolean,
          .value_text = option.type_text,
          .group = option.max_index ? option.name : std::string_view()};
}

}  // namespace

std::vector<OptionRow> config_option_rows() {
  std::vector<OptionRow> rows;
  rows.reserve(1024);  // there are about 900, and moving them costs as much as making them
  for (const auto& option : config::options()) {
    if (option.internal) continue;
    const std::string name(option.name);
    if (!option.max_index) {
      rows.push_back(row_for(option, name));
      continue;
    }
    for (std::uint32_t index = 0; index <= *option.max_index; ++index) {
      rows.push_back(row_for(option, name + std::to_string(index)));
    }
  }
  return rows;
}

}  // namespace hutch::cli
