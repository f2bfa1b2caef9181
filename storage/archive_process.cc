#include "storage/archive_process.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"

namespace hutch {

namespace {

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int fds[2];
  check(::pipe2(fds, O_CLOEXEC), "cannot create a pipe");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Parent and child, before the exec:
//   child:  unshare(CLONE_NEWUSER), writes 1 byte "ready"
//   parent: writes the id maps,     writes 1 byte "go"      (end-of-file instead: it failed)
//   child:  becomes root of the namespace, executes the program
struct Handshake {
  UniqueFd ready_read, ready_write, go_read, go_write;
};

bool read_byte(int fd) {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = ::read(fd, &byte, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1;
}

struct ChildFds {
  int program, archive, root, events, errors;
};

void enter_user_namespace(const Handshake& handshake) {
  check(::unshare(CLONE_NEWUSER), "cannot create a user namespace");
  write_fd(handshake.ready_write.get(), "r", "the id map handshake");
  if (!read_byte(handshake.go_read.get())) ::_exit(125);  // the parent reports why
  check(::setgroups(0, nullptr), "cannot drop supplementary groups");
  if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0) {
    throw_errno("cannot become root in the container's user namespace",
                "the id map must cover uid and gid 0");
  }
}

void keep_across_exec(int fd) {
  check(::fcntl(fd, F_SETFD, 0), "cannot pass a descriptor on");
}

[[noreturn]] void run_child(const ChildFds& fds, const Handshake* handshake, pid_t parent) {
  try {
    check(::dup2(fds.errors, STDERR_FILENO), "cannot set standard error");
    if (handshake != nullptr) enter_user_namespace(*handshake);
    // A `pct` that is killed must not leave someone behind who writes into the volume. Changing ids cleared
    // it.
    check(::prctl(PR_SET_PDEATHSIG, SIGKILL), "cannot follow the parent's end");
    if (::getppid() != parent) ::_exit(125);
    const UniqueFd null = open_file(AT_FDCWD, "/dev/null", O_RDWR);
    check(::dup2(null.get(), STDIN_FILENO), "cannot set standard input");
    check(::dup2(null.get(), STDOUT_FILENO), "cannot set standard output");
    for (const int fd : {fds.archive, fds.root, fds.events}) keep_across_exec(fd);
    std::vector<std::string> words{"hutch-archive", "extract",
                                   "--root-fd",     formatted("{}", fds.root),
                                   "--archive-fd",  formatted("{}", fds.archive),
                                   "--progress-fd", formatted("{}", fds.events)};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    // Nothing of the caller's environment (GCONV_PATH, LD_*, ...) is the helper's business.
    char* environment[] = {nullptr};
    // By descriptor: root of the namespace need not be able to walk to the program.
    ::syscall(SYS_execveat, fds.program, "", argv.data(), environment, AT_EMPTY_PATH);
    throw_errno("cannot execute hutch-archive", "it must be executable for everyone");
  } catch (const std::exception& failed) {
    const std::string text = failed.what();
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(written < 0 ? 126 : 127);
  }
}

std::string map_text(const std::vector<ArchiveIdRange>& ranges) {
  std::string text;
  for (const auto& range : ranges) text += formatted("{} {} {}\n", range.inside, range.host, range.count);
  return text;
}

}  // namespace

ArchiveProcess::ArchiveProcess(const std::string& program, int archive_fd, int root_fd,
                               const std::vector<ArchiveIdRange>& uids,
                               const std::vector<ArchiveIdRange>& gids) {
  const UniqueFd file = open_file(AT_FDCWD, program, O_PATH);
  auto [events_read, events_write] = make_pipe();
  auto [errors_read, errors_write] = make_pipe();
  const bool mapped = !uids.empty() || !gids.empty();
  Handshake handshake;
  if (mapped) {
    std::tie(handshake.ready_read, handshake.ready_write) = make_pipe();
    std::tie(handshake.go_read, handshake.go_write) = make_pipe();
  }
  const pid_t parent = ::getpid();
  pid_ = check(::fork(), "cannot fork");
  if (pid_ == 0) {
    handshake.ready_read.reset();
    handshake.go_write.reset();
    run_child({file.get(), archive_fd, root_fd, events_write.get(), errors_write.get()},
              mapped ? &handshake : nullptr, parent);
  }
  events_ = std::move(events_read);
  errors_ = std::move(errors_read);
  if (!mapped) return;
  handshake.ready_write.reset();
  handshake.go_read.reset();
  // End-of-file instead of the byte: the child failed, and says why on errors().
  if (!read_byte(handshake.ready_read.get())) return;
  try {
    write_id_maps(uids, gids);
    write_fd(handshake.go_write.get(), "g", "the id map handshake");
  } catch (...) {
    end();  // the destructor of an object that was not made does not run
    throw;
  }
}

void ArchiveProcess::write_id_maps(const std::vector<ArchiveIdRange>& uids,
                                   const std::vector<ArchiveIdRange>& gids) const {
  write_kernel_file(AT_FDCWD, formatted("/proc/{}/uid_map", pid_), map_text(uids));
  write_kernel_file(AT_FDCWD, formatted("/proc/{}/gid_map", pid_), map_text(gids));
}

std::string ArchiveProcess::wait() {
  ProgramResult result;
  while (::waitpid(pid_, &result.status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for hutch-archive");
  }
  pid_ = -1;
  return result.succeeded() ? std::string() : result.status_text();
}

void ArchiveProcess::end() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

ArchiveProcess::~ArchiveProcess() {
  end();
}

}  // namespace hutch
