#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/child_hook.h"
#include "runtime/child_program.h"

namespace hutch {

// The ChildProgram as the child sees it: plain pointers, resolved by the host before clone3, so that the
// child needs no allocation and no library. A child that shares the host's memory looks at it from
// `proceed_mapped` on; then it has to stay unchanged until the child has executed init or is gone.
struct ChildImage {
  const ChildStep* steps = nullptr;
  std::size_t step_count = 0;
  const char* arena = nullptr;
  const char* const* candidates = nullptr;  // closed by nullptr
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const std::uint32_t* groups = nullptr;
  std::size_t group_count = 0;
  const HookImage* hooks = nullptr;
  const sock_filter* filter = nullptr;
  std::size_t filter_length = 0;
  int sync_fd = -1;
  bool shares_memory = false;  // with the process that planned
  // When not null: step_count + 1 cells in memory shared with the host; the child stores when it began, and
  // when each step ended, in nanoseconds of CLOCK_MONOTONIC.
  std::int64_t* times = nullptr;
  int slots[kMaxSlots];  // -1: empty
};

// Runs the program and execs init; never returns. On failure it reports {step, errno} on sync_fd and exits
// with status 1. Uses raw system calls only (a test compares this object's undefined symbols with an
// allow-list).
[[noreturn]] void run_child(ChildImage& image);

}  // namespace hutch
