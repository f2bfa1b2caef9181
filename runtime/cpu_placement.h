#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/types.h>

#include <vector>

namespace hutch {

// Has the processes of a start begin on different CPUs, to work beside each other. Left to itself the kernel
// puts a new process on the CPU of the one that makes it, behind it, whenever it takes the other CPUs for
// busy, and for that it takes every idle CPU of a virtual machine (kernel/sched/fair.c, available_idle_cpu).
// It costs 0.3 to 0.7 ms each time (docs/performance.md). What only costs time when it fails is not an error
// here.
class CpuPlacement {
 public:
  // For a start by the calling thread. Does nothing when that thread may not use every CPU of the host:
  // setting an affinity, even the same, would keep the container on these (sched_setaffinity(2), Linux 6.2).
  CpuPlacement();

  // Whether what it moves away can begin at once.
  bool has_other_cpus() const { return useful_; }

  // Moves a process with one thread, or a thread of this process, off the CPU that the starting thread is on;
  // it may come back. Does nothing when that is impossible: it only costs time.
  void move_process_away(pid_t process) const;
  void move_away(pthread_t thread) const;

  // From now on the calling thread takes no CPU from a process that runs when it wakes up (SCHED_BATCH,
  // sched(7)), nor do the processes that it makes. A thread with another policy than the usual one keeps it.
  static void give_way();

  // For the rest of a start: keeps the calling thread where it is, or off `cpus` (those that its cgroup
  // leaves to the container; empty: any), and moves `process`, which is about to execute init, elsewhere, so
  // that neither waits for the other and the caller is not woken behind init. Nothing of it stays with
  // `process`.
  void wait_apart_from(pid_t process, const std::vector<unsigned>& cpus) const;
  // Lets the calling thread go where it likes again.
  void go_anywhere() const;

 private:
  cpu_set_t others_{};
  cpu_set_t all_{};
  bool useful_ = false;
};

}  // namespace hutch
