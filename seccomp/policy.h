#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/origin.h"

// LXC's seccomp policy text (versions 1 and 2) as a value. Nothing here knows the host's architecture.
namespace hutch::seccomp {

// What the kernel does with a system call (seccomp(2): filter return values).
struct Action {
  enum class Kind {
    allow,
    notify,        // ask a listener (seccomp_unotify(2))
    fail,          // return -error_number
    trap,          // SIGSYS that the process can catch
    kill_thread,   // SIGSYS to the calling thread
    kill_process,  // SIGSYS to the whole process
  };
  Kind kind = Kind::allow;
  unsigned error_number = 0;  // 0..4095, only with `fail`

  bool operator==(const Action&) const = default;
  bool allows() const { return kind == Kind::allow; }
};

// The ABI that a section `[arch]` of a policy names.
enum class Abi {
  x86,
  x86_64,
  x32,
  arm,
  arm64,
  ppc,
  ppc64,
  ppc64le,
  mips,
  mips64,
  mips64n32,
  mipsel,
  mipsel64,
  mipsel64n32,
  s390,
  s390x,
  loongarch64,
};

// A test of one argument of the system call; `masked_equal` is (argument & mask) == value.
struct Condition {
  enum class Compare { not_equal, less, less_or_equal, equal, greater_or_equal, greater, masked_equal };
  unsigned index = 0;  // 0..5
  Compare compare = Compare::equal;
  std::uint64_t value = 0;
  std::uint64_t mask = 0;

  bool operator==(const Condition&) const = default;
};

struct Rule {
  std::optional<Abi> section;      // nothing: every ABI ("[all]", or before the first section)
  std::string syscall;             // its name, maybe one that no architecture knows; empty with `number`
  std::optional<unsigned> number;  // version 1 only: a number of the native ABI
  Action action;
  std::vector<Condition> conditions;  // all must hold; each argument at most once
  Origin origin;

  bool operator==(const Rule&) const = default;
};

struct Profile {
  unsigned version = 2;   // 1: rules carry numbers and the filter covers the native ABI alone
  Action default_action;  // of system calls without a rule
  std::vector<Rule> rules;
  Origin origin;

  bool operator==(const Profile&) const = default;
};

// Parses a policy. `reject_force_umount` comes back as the rule it stands for: umount2 with MNT_FORCE among
// its flags fails with EACCES.
//
// Origins: with origin.line == 0 the text is a file's, so a rule's (and an error's) origin is that file with
// the line in it. Otherwise the text was asked for by that line of a config: every origin is `origin`, and
// errors name the policy's line in their text.
//
// Throws Error for what the format forbids (version, style, `debug`, unknown action or section, bad
// condition) and for lines that libseccomp cannot express or that can never match: one argument tested
// twice in a line, or a masked test whose value has bits outside its mask. Fields are separated by spaces; a
// tab belongs to the system call's name, which nobody then knows (see gaps() in compile.h).
Profile parse_policy(std::string_view text, const Origin& origin);

}  // namespace hutch::seccomp
