#pragma once

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <string>

#include "seccomp/compile.h"

namespace hutch::seccomp {

struct Verdict {
  std::uint32_t action = 0;   // SECCOMP_RET_*, data included
  unsigned instructions = 0;  // executed
};

// Runs a filter as the kernel does (Documentation/networking/filter.rst, for the instructions that seccomp(2)
// permits and libseccomp makes). Throws std::runtime_error for any other instruction and for a jump or load
// out of bounds.
Verdict run_filter(const BpfProgram& program, const seccomp_data& data);

// The program's bytes, for comparing (sock_filter is a C struct).
inline std::string bytes_of(const BpfProgram& program) {
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

}  // namespace hutch::seccomp
