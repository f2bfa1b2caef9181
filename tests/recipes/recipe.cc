#include "tests/recipes/recipe.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::testing {

namespace {

constexpr std::array<std::string_view, 6> kKinds{"after", "check", "end", "host", "host-check", "probe"};

std::string with_words(std::string text, const std::vector<std::pair<std::string, std::string>>& words) {
  for (const auto& [name, value] : words) {
    const std::string mark = "@" + name + "@";
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

}  // namespace

std::vector<RecipeCommand> Recipe::of(const std::string& kind) const {
  std::vector<RecipeCommand> found;
  std::copy_if(commands.begin(), commands.end(), std::back_inserter(found),
               [&](const auto& command) { return command.kind == kind; });
  return found;
}

bool Recipe::sets(const std::string& option) const {
  return config.starts_with(option + ":") || config.find("\n" + option + ":") != std::string::npos;
}

Recipe read_recipe(const std::string& path, const std::vector<std::pair<std::string, std::string>>& words) {
  Recipe recipe;
  int number = 0;
  const std::string text = with_words(read_file(AT_FDCWD, path), words);
  for (const auto line : split(text, '\n')) {
    ++number;
    if (!line.starts_with('#')) {
      recipe.config.append(line).append("\n");
      continue;
    }
    const auto colon = line.find(": ");
    const auto kind = line.substr(1, colon == std::string_view::npos ? colon : colon - 1);
    if (colon == std::string_view::npos || std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
      throw Error(formatted("'{}' is no command of a recipe", line), 0, {}, {path, number});
    }
    recipe.commands.push_back({std::string(kind), std::string(line.substr(colon + 2)), number});
  }
  return recipe;
}

}  // namespace hutch::testing
