#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_table.h"
#include "runtime/console_watch.h"
#include "runtime/supervisor.h"

// The supervisors of these tests' containers become this program when the container has ended
// (runtime/supervisor.h); it then does what pct would do.
int main(int argc, char** argv) {
  if (argc > 1 && (std::string_view(argv[1]) == hutch::kContainerEnded ||
                   std::string_view(argv[1]) == hutch::kConsoleWatch)) {
    return hutch::cli::run_command_line(std::vector<std::string>(argv + 1, argv + argc), stdout, stderr);
  }
  // Commands that tests run in a process of their own.
  if (argc > 1 && std::string_view(argv[1]) == "pct") {
    return hutch::cli::run_command_line(std::vector<std::string>(argv + 2, argv + argc), stdout, stderr);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
