#include "runtime/cpu_placement.h"

#include <unistd.h>

#include <cstring>

namespace hutch {

CpuPlacement::CpuPlacement() {
  const int here = ::sched_getcpu();
  // More CPUs than a cpu_set_t holds (EINVAL): then without.
  if (here < 0 || ::sched_getaffinity(0, sizeof others_, &others_) != 0) return;
  original_ = others_;
  // Who may use every CPU may also use those that a container's own cpuset adds.
  if (CPU_COUNT(&original_) >= ::sysconf(_SC_NPROCESSORS_ONLN))
    std::memset(&original_, 0xff, sizeof original_);
  CPU_CLR(static_cast<std::size_t>(here), &others_);
  useful_ = CPU_COUNT(&others_) > 0;
}

// EINVAL in both: those CPUs went offline or left our cpuset.
void CpuPlacement::move_process_away(pid_t process) const {
  if (useful_ && ::sched_setaffinity(process, sizeof others_, &others_) == 0) {
    ::sched_setaffinity(process, sizeof original_, &original_);
  }
}

void CpuPlacement::move_away(pthread_t thread) const {
  if (useful_ && ::pthread_setaffinity_np(thread, sizeof others_, &others_) == 0) {
    ::pthread_setaffinity_np(thread, sizeof original_, &original_);
  }
}

}  // namespace hutch
