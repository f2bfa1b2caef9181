#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/command_table.h"

// libstdc++'s own handler brings a demangler of 100 kB into a static program, to name the type of an
// exception that nobody caught; run_command_line catches them all.
namespace __gnu_cxx {
void __verbose_terminate_handler() {
  std::fputs("pct: terminated by an internal error\n", stderr);
  std::abort();
}
}  // namespace __gnu_cxx

namespace {

// What the caller leaves to chance and root must not depend on.
void settle_process() {
  // A standard descriptor that is closed would be given to the first file opened, and written to as output.
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) std::abort();
  }
  // Directories made for containers must be passable for them.
  ::umask(022);
  // The caller's PATH must not decide which mkfs or ssh-keygen runs.
  ::setenv("PATH", "/sbin:/bin:/usr/sbin:/usr/bin", 1);
}

}  // namespace

// pct: everything but this file is in the library, where the tests reach it.
int main(int argc, char** argv) {
  settle_process();
  return hutch::cli::run_command_line(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                                      stdout, stderr);
}
