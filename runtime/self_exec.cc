#include "runtime/self_exec.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/unique_fd.h"

namespace hutch {

pid_t start_self(const std::string& action, const std::function<int()>& execute) {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "cannot create a pipe");
  const UniqueFd failure(ends[0]);
  UniqueFd report(ends[1]);
  const pid_t pid = check(::fork(), action);
  if (pid == 0) {
    const int out_of_the_way = ::fcntl(report.get(), F_DUPFD_CLOEXEC, kFirstOwnDescriptor);
    const int error = out_of_the_way < 0 ? errno : execute();
    const int end = out_of_the_way < 0 ? report.get() : out_of_the_way;
    const ssize_t written = ::write(end, &error, sizeof error);
    ::_exit(written < 0 ? 126 : 127);
  }
  report.reset();
  int error = 0;
  ssize_t told = 0;
  do {
    told = ::read(failure.get(), &error, sizeof error);
  } while (told < 0 && errno == EINTR);
  if (told != sizeof error) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  throw Error(action, error);
}

}  // namespace hutch
