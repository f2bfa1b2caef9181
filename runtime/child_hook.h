#pragma once

#include <cstddef>

namespace hutch {

// A ChildHook with pointers (runtime/child_program.h), both lists closed by nullptr.
struct HookImage {
  char* const* argv = nullptr;
  char* const* envp = nullptr;
};

// Where the host wants a hook's output; -1: nowhere.
struct HookSinks {
  int log = -1;     // standard output
  int errors = -1;  // standard error
};

// At most so many bytes of what all hooks print are written into the log; the rest is dropped.
inline constexpr std::size_t kHookLogLimit = 64UL << 10;

struct HookEnd {
  int error = 0;   // errno of what kept it from running
  int status = 0;  // wait status
};

// Runs a hook as a child of this process, which may work in the memory of another one, and waits until it has
// ended; who it leaves in the background writes into nothing from then on. `logged` counts what has gone to
// the log. Raw system calls only, as in runtime/child_interpreter.cc.
HookEnd run_child_hook(const HookImage& hook, const HookSinks& sinks, std::size_t& logged);

}  // namespace hutch
