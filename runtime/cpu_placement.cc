#include "runtime/cpu_placement.h"

#include <unistd.h>

#include <cstring>

namespace hutch {

CpuPlacement::CpuPlacement() {
  const int here = ::sched_getcpu();
  // More CPUs than a cpu_set_t holds (EINVAL): then without.
  if (here < 0 || ::sched_getaffinity(0, sizeof others_, &others_) != 0) return;
  if (CPU_COUNT(&others_) < ::sysconf(_SC_NPROCESSORS_ONLN)) return;
  std::memset(&all_, 0xff, sizeof all_);
  CPU_CLR(static_cast<std::size_t>(here), &others_);
  useful_ = CPU_COUNT(&others_) > 0;
}

// What fails in here (a process that has died, CPUs that went offline) only costs time.
void CpuPlacement::move_process_away(pid_t process) const {
  if (useful_ && ::sched_setaffinity(process, sizeof others_, &others_) == 0) {
    ::sched_setaffinity(process, sizeof all_, &all_);
  }
}

void CpuPlacement::move_away(pthread_t thread) const {
  if (useful_ && ::pthread_setaffinity_np(thread, sizeof others_, &others_) == 0) {
    ::pthread_setaffinity_np(thread, sizeof all_, &all_);
  }
}

void CpuPlacement::give_way() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_BATCH, &none);
}

void CpuPlacement::wait_apart_from(pid_t process, const std::vector<unsigned>& cpus) const {
  if (!useful_) return;
  cpu_set_t ours = all_;
  cpu_set_t theirs{};
  for (const unsigned cpu : cpus) {
    CPU_CLR(cpu, &ours);
    CPU_SET(cpu, &theirs);
  }
  const int here = ::sched_getcpu();
  if (cpus.empty() && here >= 0) {
    CPU_ZERO(&ours);
    CPU_SET(static_cast<std::size_t>(here), &ours);
    theirs = all_;
    CPU_CLR(static_cast<std::size_t>(here), &theirs);
  }
  if (::sched_setaffinity(process, sizeof theirs, &theirs) == 0) {
    ::sched_setaffinity(process, sizeof all_, &all_);
  }
  // EINVAL: all CPUs are the container's.
  ::sched_setaffinity(0, sizeof ours, &ours);
}

void CpuPlacement::go_anywhere() const {
  if (useful_) ::sched_setaffinity(0, sizeof all_, &all_);
}

}  // namespace hutch
