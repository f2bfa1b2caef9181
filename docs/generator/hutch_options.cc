// Writes docs/options.md, or says what is wrong with the one that is there. Run it from the top of the source
// tree.

#include <fcntl.h>

#include <cstdio>
#include <span>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "docs/generator/options_page.h"

namespace hutch::docs {
namespace {

constexpr const char* kUsage =
    "usage: hutch-options --write FILE | --compare FILE | --untested\n"
    "       (from the top of the source tree: it looks for tests in tests/)\n";

int compare(const std::string& path, const std::string& page) {
  if (read_file(AT_FDCWD, path) == page) return 0;
  std::fprintf(stderr,
               "%s is not what the key tables and the tests say. Write it anew and commit it:\n"
               "  cmake --build build/release --target hutch-options && "
               "build/release/docs/hutch-options --write docs/options.md\n",
               path.c_str());
  return 1;
}

int print_untested(const OptionTables& tables) {
  const auto names = untested_keys(tables);
  for (const auto& name : names) std::printf("no test is about %s\n", name.c_str());
  return names.empty() ? 0 : 1;
}

int run(std::span<char*> arguments) {
  const std::string command = arguments.size() > 1 ? arguments[1] : "";
  const std::string path = arguments.size() > 2 ? arguments[2] : "";
  const bool needs_path = command == "--write" || command == "--compare";
  if ((!needs_path && command != "--untested") || needs_path == path.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const OptionTables tables = document_keys(find_tests("tests"));
  if (command == "--untested") return print_untested(tables);
  if (command == "--compare") return compare(path, options_page(tables));
  write_output_file(path, options_page(tables), 0644);
  return 0;
}

}  // namespace
}  // namespace hutch::docs

int main(int argc, char** argv) {
  try {
    return hutch::docs::run({argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hutch-options: %s\n", error.what());
    return 1;
  }
}
