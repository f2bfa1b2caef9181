#pragma once

#include <string>
#include <vector>

// A recipe: a piece of a container's config that people copy from guides (lxc-keys 8), with what it is for as
// commands that must succeed. The file is a config; its comment lines hold the commands:
//
//   #probe: COMMAND       on the host; when it fails, the recipe cannot be tried here: skipped
//   #host: COMMAND        on the host, before the start
//   #check: COMMAND       inside, once the container runs
//   #host-check: COMMAND  on the host, while it runs
//   #after: COMMAND       on the host, when the container has stopped
//   #end: COMMAND         instead of `pct stop`
//
// Commands are run by `sh -c`, in the order of the file among their kind. @S@ is the test's own directory,
// @ID@ the container's id, @LINK@ a prefix for names of network links, @PCT@ the program.
namespace hutch::testing {

struct RecipeCommand {
  std::string kind;  // "probe", "check", ...
  std::string text;
  int line = 0;
};

struct Recipe {
  std::vector<RecipeCommand> commands;
  std::string config;  // everything else

  std::vector<RecipeCommand> of(const std::string& kind) const;
  bool sets(const std::string& option) const;
};

// `words`: what @NAME@ stands for. Throws Error for a comment that is no command.
Recipe read_recipe(const std::string& path, const std::vector<std::pair<std::string, std::string>>& words);

}  // namespace hutch::testing
