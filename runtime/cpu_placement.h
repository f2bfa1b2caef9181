#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/types.h>

namespace hutch {

// Has the processes of a start begin on different CPUs, to work beside each other. Left to itself the kernel
// puts a new process on the CPU of the one that makes it, behind it, whenever it takes the other CPUs for
// busy, and for that it takes every idle CPU of a virtual machine (kernel/sched/fair.c, available_idle_cpu).
// It costs 0.3 to 0.7 ms each time (docs/performance.md).
class CpuPlacement {
 public:
  // For a start by the calling thread.
  CpuPlacement();

  // Moves a process with one thread, or a thread of this process, off the CPU that the starting thread is on;
  // it may come back. Does nothing when that is impossible: it only costs time.
  void move_process_away(pid_t process) const;
  void move_away(pthread_t thread) const;

 private:
  cpu_set_t others_{};
  cpu_set_t original_{};
  bool useful_ = false;
};

}  // namespace hutch
