#include "cli/password.h"

#include <termios.h>
#include <unistd.h>

#include "base/error.h"

namespace hutch::cli {

namespace {

// Echo off while it lives; nothing on what is no terminal.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd), active_(::tcgetattr(fd, &before_) == 0) {
    if (!active_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    check(::tcsetattr(fd_, TCSAFLUSH, &silent), "cannot switch the terminal's echo off");
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (active_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }

 private:
  int fd_;
  termios before_{};
  bool active_;
};

std::string read_line(std::FILE* input) {
  std::string line;
  for (int c = std::fgetc(input); c != '\n'; c = std::fgetc(input)) {
    if (c == EOF) {
      if (line.empty()) throw Error("cannot read the password: the input ended");
      return line;
    }
    line.push_back(static_cast<char>(c));
  }
  return line;
}

std::string ask(const char* prompt, std::FILE* input, std::FILE* prompts) {
  std::fputs(prompt, prompts);
  std::fflush(prompts);
  std::string line = read_line(input);
  std::fputc('\n', prompts);  // the user's own newline was not echoed
  return line;
}

}  // namespace

std::string prompt_new_password(std::FILE* input, std::FILE* prompts) {
  const SilentTerminal silent(::fileno(input));
  std::string password = ask("Enter new password: ", input, prompts);
  if (ask("Retype new password: ", input, prompts) != password) throw Error("passwords do not match");
  return password;
}

}  // namespace hutch::cli
