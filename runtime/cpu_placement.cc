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

// What fails in here (a process that has died, CPUs that went offline) only costs time.
void CpuPlacement::separate(pid_t process, const std::vector<unsigned>& cpus) const {
  if (!useful_) return;
  cpu_set_t ours{};
  if (::sched_getaffinity(0, sizeof ours, &ours) != 0) return;
  for (const unsigned cpu : cpus) CPU_CLR(cpu, &ours);
  if (cpus.empty()) {
    const int here = ::sched_getcpu();
    cpu_set_t theirs = ours;
    CPU_ZERO(&ours);
    CPU_SET(static_cast<std::size_t>(here), &ours);
    CPU_CLR(static_cast<std::size_t>(here), &theirs);
    ::sched_setaffinity(process, sizeof theirs, &theirs);
  }
  if (CPU_COUNT(&ours) > 0) ::sched_setaffinity(0, sizeof ours, &ours);
}

void CpuPlacement::release(pid_t process) const {
  if (!useful_) return;
  ::sched_setaffinity(0, sizeof original_, &original_);
  if (process > 0) ::sched_setaffinity(process, sizeof original_, &original_);
}

}  // namespace hutch
