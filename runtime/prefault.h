#pragma once

#include <cstddef>
#include <vector>

#include "runtime/waiter.h"

namespace hutch {

// A part of this process's memory that is mapped at once, instead of page by page when it is first touched.
struct Prefault {
  MemoryRange range;  // whole pages
  int advice = 0;     // MADV_POPULATE_READ or MADV_POPULATE_WRITE (madvise(2), Linux 5.14)
};

// What a start runs through: the rest of its heap, and the program itself. A supervisor that shares the
// memory maps it while it has nothing else to do; the starter then meets up to a third of its page faults no
// more (docs/performance.md). Not what would take longer than it saves: of a program beyond 4 MB the first 4,
// and no heap that is not a small one at the program's end (brk(2)).
std::vector<Prefault> prefaults();

}  // namespace hutch
