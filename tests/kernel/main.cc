#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "runtime/console_watch.h"
#include "runtime/seccomp_proxy.h"
#include "runtime/stop.h"
#include "runtime/supervisor.h"

// The supervisors of these tests' containers become this program when the container has ended
// (runtime/supervisor.h). What follows the vmid, the restart's words, are options of GoogleTest here.
int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == hutch::kContainerEnded) {
    try {
      const auto ended = hutch::clean_up_as_supervisor(
          hutch::Sysroot::from_environment(), static_cast<std::uint32_t>(std::atoi(argv[2])), argc > 3);
      if (ended && !ended->may_restart) return 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 1;
    }
    if (argc == 3) return 0;
  }
  // Nor is this one: what passes seccomp notifications on.
  if (argc > 2 && std::string_view(argv[1]) == hutch::kSeccompProxy) {
    try {
      return hutch::run_seccomp_proxy({argv + 2, argv + argc});
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 1;
    }
  }
  if (argc > 2 && std::string_view(argv[1]) == hutch::kConsoleWatch) {
    return hutch::run_console_watch({argv + 2, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
