#include "runtime/terminal_relay.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/unique_fd.h"

namespace hutch {

namespace {

// Raw mode of standard input where that is a terminal.
class RawMode {
 public:
  RawMode() : terminal_(::isatty(0) == 1) {
    if (!terminal_) return;
    check(::tcgetattr(0, &before_), "cannot read the terminal's mode");
    termios raw = before_;
    ::cfmakeraw(&raw);
    check(::tcsetattr(0, TCSADRAIN, &raw), "cannot set the terminal's mode");
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode() {
    if (terminal_) ::tcsetattr(0, TCSADRAIN, &before_);
  }

 private:
  bool terminal_;
  termios before_{};
};

// SIGWINCH as a descriptor; the mask is restored on destruction.
class WindowChanges {
 public:
  WindowChanges() {
    sigset_t window;
    ::sigemptyset(&window);
    ::sigaddset(&window, SIGWINCH);
    check(::sigprocmask(SIG_BLOCK, &window, &before_), "cannot block SIGWINCH");
    fd_.reset(
        check(::signalfd(-1, &window, SFD_CLOEXEC | SFD_NONBLOCK), "cannot create a signal descriptor"));
  }
  WindowChanges(const WindowChanges&) = delete;
  WindowChanges& operator=(const WindowChanges&) = delete;
  ~WindowChanges() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  int fd() const { return fd_.get(); }
  void drain() const {
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
    }
  }

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

// The first standard descriptor that is a terminal, preferring outputs.
int output_terminal() {
  for (const int number : {1, 2}) {
    if (::isatty(number) == 1) return number;
  }
  return 0;
}

// Copies what is there; false at the end of `from`.
bool copy(int from, int to) {
  char buffer[16384];
  const ssize_t count = ::read(from, buffer, sizeof buffer);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) return false;  // EIO on a pty master: nobody has the other end open any more
  write_fd(to, {buffer, static_cast<std::size_t>(count)}, "the terminal");
  return true;
}

}  // namespace

bool has_terminal() {
  return ::isatty(0) == 1 || ::isatty(1) == 1 || ::isatty(2) == 1;
}

void copy_terminal_size(int master) {
  winsize size{};
  if (::ioctl(output_terminal(), TIOCGWINSZ, &size) == 0) ::ioctl(master, TIOCSWINSZ, &size);
}

void relay_terminal(int master, int pidfd) {
  const RawMode raw;
  const WindowChanges window;
  const int output = output_terminal();
  copy_terminal_size(master);
  int input = ::isatty(0) == 1 ? 0 : -1;
  bool ended = false;
  for (;;) {
    pollfd fds[4] = {
        {input, POLLIN, 0}, {master, POLLIN, 0}, {window.fd(), POLLIN, 0}, {ended ? -1 : pidfd, POLLIN, 0}};
    // Once the program has ended only what its terminal still holds is copied: a background process of
    // its may keep the terminal open for ever.
    const int ready = ::poll(fds, 4, ended ? 0 : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) throw_errno("cannot wait for the terminal");
    if (ended && ready == 0) return;
    if (fds[1].revents != 0 && !copy(master, output)) return;
    if (fds[0].revents != 0 && !copy(0, master)) input = -1;
    if (fds[2].revents != 0) {
      window.drain();
      copy_terminal_size(master);
    }
    if (fds[3].revents != 0) {
      ended = true;
      input = -1;
    }
  }
}

}  // namespace hutch
