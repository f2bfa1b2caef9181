#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/child_program.h"

namespace hutch {

// The ChildProgram as the child sees it: plain pointers, resolved by the host before clone3, so that the
// child needs no allocation and no library.
struct ChildImage {
  const ChildStep* steps = nullptr;
  std::size_t step_count = 0;
  const char* arena = nullptr;
  const char* const* candidates = nullptr;  // closed by nullptr
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const std::uint32_t* groups = nullptr;
  std::size_t group_count = 0;
  const sock_filter* filter = nullptr;
  std::size_t filter_length = 0;
  int sync_fd = -1;
  int slots[kMaxSlots];  // -1: empty
};

// Runs the program and execs init; never returns. On failure it reports {step, errno} on sync_fd and exits
// with status 1. Uses raw system calls only (a test compares this object's undefined symbols with an
// allow-list).
[[noreturn]] void run_child(ChildImage& image);

}  // namespace hutch
