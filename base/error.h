#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/origin.h"

namespace hutch {

// The one error type of the host side. Text for users: what was being done and to what (`action`),
// the errno by name, the config line or option that asked for it, and what to do about it (`hint`).
//
//   cannot create cgroup '/sys/fs/cgroup/lxc/100': EACCES (Permission denied) [100.conf:4]; run as root
class Error : public std::exception {
 public:
  // `error_number` 0 means that no system call failed.
  explicit Error(std::string action, int error_number = 0, std::string hint = {}, Origin origin = {});

  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& action() const { return action_; }
  int error_number() const { return error_number_; }
  const std::string& hint() const { return hint_; }
  const Origin& origin() const { return origin_; }

  // Copies with one part filled in; a part that is already set is kept (the innermost knows best).
  Error with_origin(const Origin& origin) const;
  Error with_hint(std::string hint) const;
  // A copy whose action is "<outer>: <action>".
  Error with_context(std::string_view outer) const;

 private:
  std::string action_;
  int error_number_;
  std::string hint_;
  Origin origin_;
  std::string text_;
};

// "ENOENT (No such file or directory)"; "errno 4711" for a number without a name.
std::string errno_text(int error_number);

// Throws Error(action, errno, hint). Reads errno first, so call it right after the failing call; the
// arguments must not change errno before (string literals and std::string copies do not on glibc's
// success paths; save errno yourself when in doubt).
[[noreturn]] void throw_errno(std::string action, std::string hint = {});

// Passes a system call's result through, throwing when it is negative.
template <typename T>
T check(T result, std::string_view action) {
  if (result < 0) throw_errno(std::string(action));
  return result;
}

}  // namespace hutch
