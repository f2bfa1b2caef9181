#include "runtime/console_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/self_exec.h"

namespace hutch {

namespace {

// The process's descriptors.
enum : int { kMaster = 3, kInit, kTerminal, kLog, kBuffer, kFirstUnused };

// In the forked process; gives the errno of what failed.
int execute(const ConsoleWatchSetup& setup, const std::vector<std::string>& words,
            const std::vector<int>& wanted) {
  if (::setsid() < 0 || ::setns(setup.mounts, CLONE_NEWNS) < 0 || ::chdir("/") < 0) return errno;
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) < 0) return errno;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return errno;
  for (int number = 0; number < 3; ++number) {
    if (::dup2(null, number) < 0) return errno;
  }
  // Out of the way first: a target may be the source of another.
  std::vector<int> moved;
  for (const int fd : wanted) {
    moved.push_back(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstOwnDescriptor));
    if (fd >= 0 && moved.back() < 0) return errno;
  }
  for (std::size_t at = 0; at < moved.size(); ++at) {
    const int target = kMaster + static_cast<int>(at);
    if (moved[at] < 0) {
      ::close(target);
    } else if (::dup2(moved[at], target) < 0) {
      return errno;
    }
  }
  if (::close_range(kFirstUnused, ~0U, CLOSE_RANGE_CLOEXEC) < 0) return errno;
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  char* no_environment[] = {nullptr};
  ::execve("/proc/self/exe", argv.data(), no_environment);
  return errno;
}

UniqueFd make_buffer(const ConsoleWatchSetup& setup) {
  if (setup.spec.buffer_size == 0) return {};
  UniqueFd file =
      open_file(AT_FDCWD, setup.buffer_path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, 0600);
  check(::ftruncate(file.get(), static_cast<off_t>(ConsoleRing::file_size(setup.spec.buffer_size))),
        "cannot make room for the console's output");
  return file;
}

// The terminal that a console is shown on, as a program in it would have it: every key goes through.
class ShownTerminal {
 public:
  ShownTerminal(UniqueFd terminal, int master) : terminal_(std::move(terminal)) {
    if (!terminal_ || ::tcgetattr(terminal_.get(), &before_) < 0) {
      terminal_.reset();
      return;
    }
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(terminal_.get(), TCSANOW, &raw);
    winsize size{};
    if (::ioctl(terminal_.get(), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
      ::ioctl(master, TIOCSWINSZ, &size);
  }
  ShownTerminal(const ShownTerminal&) = delete;
  ShownTerminal& operator=(const ShownTerminal&) = delete;
  ~ShownTerminal() {
    if (terminal_) ::tcsetattr(terminal_.get(), TCSANOW, &before_);
  }

  int fd() const { return terminal_.get(); }
  // A terminal that takes nothing at the moment loses it: it must not stop the container.
  void show(std::string_view text) {
    if (terminal_ && ::write(terminal_.get(), text.data(), text.size()) < 0 && errno == EIO)
      terminal_.reset();
  }
  void pass_keys(int master) {
    char keys[256];
    const ssize_t count = ::read(terminal_.get(), keys, sizeof keys);
    if (count > 0) {
      if (::write(master, keys, static_cast<std::size_t>(count)) < 0) return;  // its buffer is full
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      terminal_.reset();
    }
  }

 private:
  UniqueFd terminal_;
  termios before_{};
};

UniqueFd inherited(int number) {
  if (::fcntl(number, F_SETFD, FD_CLOEXEC) < 0) return {};
  return UniqueFd(number);
}

class ConsoleWatch {
 public:
  ConsoleWatch(ConsoleLogFile log, std::optional<ConsoleRing>& ring)
      : master_(inherited(kMaster)),
        init_(inherited(kInit)),
        terminal_(inherited(kTerminal), master_.get()),
        log_(std::move(log)),
        ring_(ring),
        // With its other end open somewhere a console never hangs up.
        other_end_(::ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) {}

  void run() {
    for (bool ended = false;;) {
      pollfd fds[3] = {{master_.get(), POLLIN, 0}, {init_.get(), POLLIN, 0}, {terminal_.fd(), POLLIN, 0}};
      const int ready = ::poll(fds, 3, ended ? 0 : -1);
      if (ready < 0 && errno != EINTR) return;
      if (ready < 0) continue;
      if (fds[1].revents != 0) ended = true;
      const bool more = (fds[0].revents & POLLIN) != 0 && take_output();
      if (ended && !more) return;
      if (!ended && fds[2].revents != 0) terminal_.pass_keys(master_.get());
    }
  }

 private:
  UniqueFd master_;
  UniqueFd init_;
  ShownTerminal terminal_;
  ConsoleLogFile log_;
  std::optional<ConsoleRing>& ring_;
  UniqueFd other_end_;

  bool take_output() {
    char buffer[4096];
    const ssize_t count = ::read(master_.get(), buffer, sizeof buffer);
    if (count <= 0) return false;
    const std::string_view text(buffer, static_cast<std::size_t>(count));
    log_.write(text);
    if (ring_) ring_->write(text);
    terminal_.show(text);
    return true;
  }
};

}  // namespace

ConsoleFiles open_console_files(const ConsoleSpec& spec) {
  ConsoleFiles files;
  if (const auto& path = spec.path; !path.value.empty()) {
    try {
      files.terminal = open_file(AT_FDCWD, path.value, O_RDWR | O_NOCTTY | O_NONBLOCK);
      if (::isatty(files.terminal.get()) == 0)
        throw Error(formatted("'{}' is not a terminal", path.value), ENOTTY);
    } catch (const Error& error) {
      throw error.with_context("cannot show the console").with_origin(path.origin);
    }
  }
  if (const auto& path = spec.log_file; !path.value.empty()) {
    try {
      files.log = open_file(AT_FDCWD, path.value, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0640);
    } catch (const Error& error) {
      throw error.with_context("cannot log the console").with_origin(path.origin);
    }
  }
  return files;
}

std::string console_buffer_path(const Sysroot& sysroot, std::uint32_t vmid) {
  return state_directory(sysroot, vmid) + "/console";
}

std::string read_console_buffer(const Sysroot& sysroot, std::uint32_t vmid) {
  return ConsoleRing(open_file(AT_FDCWD, console_buffer_path(sysroot, vmid), O_RDWR | O_NOFOLLOW).get())
      .text();
}

ProcessIdentity start_console_watch(const ConsoleWatchSetup& setup, const ConsoleFiles& files) {
  const UniqueFd buffer = make_buffer(setup);
  const std::vector<std::string> words = {"pct",
                                          kConsoleWatch,
                                          std::to_string(setup.vmid),
                                          setup.spec.log_file.value,
                                          std::to_string(setup.spec.log_size),
                                          setup.spec.rotate ? "1" : "0"};
  const std::vector<int> wanted = {setup.master, setup.init_pidfd, files.terminal.get(), files.log.get(),
                                   buffer.get()};
  const pid_t pid = start_self("cannot start the process that watches the console",
                               [&] { return execute(setup, words, wanted); });
  if (const auto identity = identify_process(pid)) return *identity;
  ProgramResult ended;
  while (::waitpid(pid, &ended.status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot collect the process that watches the console");
  }
  if (!ended.succeeded()) throw Error("the process that watches the console " + ended.status_text());
  return {};
}

int run_console_watch(const std::vector<std::string>& words) {
  const auto limit = words.size() == 4 ? parse_unsigned(words[2]) : std::nullopt;
  if (!limit) return 1;
  ::prctl(PR_SET_NAME, formatted("hutch-tty:{}", words[0]).c_str());
  std::optional<ConsoleRing> ring;
  if (const UniqueFd buffer = inherited(kBuffer)) ring.emplace(buffer.get());
  ConsoleLogFile log(inherited(kLog), words[1], *limit, words[3] == "1");
  ConsoleWatch(std::move(log), ring).run();
  return 0;
}

ConsoleLogFile::ConsoleLogFile(UniqueFd file, std::string path, std::uint64_t limit, bool rotate)
    : file_(std::move(file)), path_(std::move(path)), limit_(limit), rotate_(rotate) {}

std::uint64_t ConsoleLogFile::room() const noexcept {
  if (limit_ == 0) return UINT64_MAX;
  struct stat status {};
  if (::fstat(file_.get(), &status) < 0) return 0;
  const auto used = static_cast<std::uint64_t>(status.st_size);
  return used < limit_ ? limit_ - used : 0;
}

void ConsoleLogFile::begin_anew() noexcept {
  if (!rotate_) {
    // Else: it stays full, and `write` gives up.
    if (::ftruncate(file_.get(), 0) < 0) return;
    return;
  }
  if (::rename(path_.c_str(), (path_ + ".1").c_str()) < 0 && errno != ENOENT) return;
  UniqueFd next(
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0640));
  if (next) file_ = std::move(next);
}

void ConsoleLogFile::write(std::string_view text) noexcept {
  while (file_ && !text.empty()) {
    std::uint64_t free = room();
    if (free == 0) {
      begin_anew();
      free = room();
    }
    if (free == 0) return;
    const ssize_t count =
        ::write(file_.get(), text.data(), std::min(text.size(), static_cast<std::size_t>(free)));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::uint64_t ConsoleRing::file_size(std::uint64_t bytes) {
  return sizeof(std::uint64_t) + bytes;
}

ConsoleRing::ConsoleRing(int file) {
  struct stat status {};
  check(::fstat(file, &status), "cannot look at the console's buffer");
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (size_ <= sizeof(std::uint64_t)) throw Error("the console's buffer is damaged");
  void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) throw_errno("cannot map the console's buffer");
  memory_ = static_cast<char*>(memory);
}

ConsoleRing::~ConsoleRing() {
  ::munmap(memory_, size_);
}

void ConsoleRing::write(std::string_view text) noexcept {
  std::uint64_t written = 0;
  std::memcpy(&written, memory_, sizeof written);
  const std::uint64_t room = size_ - sizeof written;
  for (const char c : text) {
    memory_[sizeof written + written % room] = c;
    ++written;
  }
  std::memcpy(memory_, &written, sizeof written);
}

std::string ConsoleRing::text() const {
  std::uint64_t written = 0;
  std::memcpy(&written, memory_, sizeof written);
  const std::uint64_t room = size_ - sizeof written;
  std::string text;
  for (std::uint64_t at = written > room ? written - room : 0; at < written; ++at) {
    text += memory_[sizeof written + at % room];
  }
  return text;
}

}  // namespace hutch
