#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/types.h>

#include <vector>

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

  // For the last wait of a start: keeps the calling thread and a process that is about to execute init on
  // different CPUs, so that the caller is not woken behind init. `cpus`: those that the process is confined
  // to by its cgroup; empty: any.
  void separate(pid_t process, const std::vector<unsigned>& cpus) const;
  // Lets both go where they like; `process` may be -1.
  void release(pid_t process) const;

 private:
  cpu_set_t others_{};
  cpu_set_t original_{};
  bool useful_ = false;
};

}  // namespace hutch
