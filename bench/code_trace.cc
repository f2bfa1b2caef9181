#include "bench/code_trace.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <unordered_set>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace hutch::bench {

namespace {

// The tracer is a process of its own: with its end the kernel lets go of all that it traces.
class Tracer {
 public:
  explicit Tracer(const Command& command) : command_(command) {}

  // What it found goes into the file, as addresses one behind the other.
  void run(int file) {
    start();
    find_program();
    step(program_);
    while (follow_one()) continue;
    write_fd(file,
             {reinterpret_cast<const char*>(addresses_.data()), addresses_.size() * sizeof addresses_[0]},
             "the addresses");
  }

 private:
  const Command& command_;
  pid_t program_ = -1;
  std::uint64_t begin_ = 0;  // of the program in memory
  std::uint64_t end_ = 0;
  std::unordered_set<std::uint64_t> seen_;
  std::vector<std::uint64_t> addresses_;

  void start() {
    program_ = check(fork(), "cannot make a process");
    if (program_ == 0) execute();
    int status = 0;
    check(waitpid(program_, &status, 0), "cannot wait for the command");
    if (!WIFSTOPPED(status)) throw Error(formatted("cannot run '{}'", command_.argv[0]));
    check(ptrace(PTRACE_SETOPTIONS, program_, nullptr,
                 PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC),
          "cannot trace the command");
  }

  [[noreturn]] void execute() {
    std::vector<std::string> words = command_.argv;
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    for (const auto& [name, value] : command_.environment) setenv(name.c_str(), value.c_str(), 1);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) execv(arguments[0], arguments.data());
    _exit(127);
  }

  // Lines of proc_pid_maps(5): "55d0c000-55d0d000 r-xp 00001000 08:01 1234  /usr/sbin/pct".
  void find_program() {
    const std::string path = std::filesystem::canonical(command_.argv[0]);
    const std::string maps = read_file(AT_FDCWD, formatted("/proc/{}/maps", program_));
    for (const auto line : split(maps, '\n')) {
      const auto words = split_blanks(line);
      if (words.size() < 6 || words[5] != path) continue;
      const auto dash = words[0].find('-');
      const auto from = words[0].substr(0, dash);
      const auto to = words[0].substr(dash + 1);
      if (begin_ == 0) std::from_chars(from.data(), from.data() + from.size(), begin_, 16);
      std::from_chars(to.data(), to.data() + to.size(), end_, 16);
    }
    if (begin_ == 0) throw Error(formatted("cannot find '{}' in its memory", path));
  }

  // Something that stopped, or has ended. Returns whether the command itself still runs.
  bool follow_one() {
    int status = 0;
    const pid_t task = waitpid(-1, &status, __WALL);
    if (task < 0 && errno == EINTR) return true;
    check(task, "cannot wait for the command");
    if (WIFSTOPPED(status)) {
      follow(task, status);
      return true;
    }
    if (task != program_) return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      throw Error(formatted("'{}' failed under trace", join(command_.argv, " ")));
    return false;
  }

  void follow(pid_t task, int status) {
    if (status >> 16 == PTRACE_EVENT_EXEC) {
      ptrace(PTRACE_DETACH, task, nullptr, nullptr);
      return;
    }
    note_address(task);
    const int stop = WSTOPSIG(status);
    // Ours: of a step, of an event, of a new task.
    const bool own = stop == SIGTRAP || stop == SIGSTOP || status >> 16 != 0;
    step(task, own ? 0 : stop);
  }

  void note_address(pid_t task) {
    user_regs_struct registers = {};
    iovec place = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, task, NT_PRSTATUS, &place) < 0) return;  // ESRCH: it was killed
#if defined(__aarch64__)
    const std::uint64_t at = registers.pc;
#else
    const std::uint64_t at = registers.rip;
#endif
    if (at < begin_ || at >= end_ || !seen_.insert(at).second) return;
    addresses_.push_back(at - begin_);
  }

  // ESRCH: it was killed.
  static void step(pid_t task, long signal = 0) {
    ptrace(PTRACE_SINGLESTEP, task, nullptr, signal);
  }
};

[[noreturn]] void trace_and_exit(const Command& command, int file) {
  try {
    Tracer(command).run(file);
    _exit(0);
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    _exit(1);
  }
}

}  // namespace

std::vector<std::uint64_t> executed_addresses(const Command& command) {
  const UniqueFd file(check(memfd_create("addresses", MFD_CLOEXEC), "cannot make a file for addresses"));
  const pid_t tracer = check(fork(), "cannot make a process");
  if (tracer == 0) trace_and_exit(command, file.get());
  int status = 0;
  while (waitpid(tracer, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for the tracer");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error(formatted("cannot trace '{}'", join(command.argv, " ")));
  check(lseek(file.get(), 0, SEEK_SET), "cannot read the addresses");
  const std::string bytes = read_fd(file.get(), "the addresses");
  std::vector<std::uint64_t> addresses(bytes.size() / sizeof(std::uint64_t));
  std::memcpy(addresses.data(), bytes.data(), addresses.size() * sizeof addresses[0]);
  return addresses;
}

}  // namespace hutch::bench
