#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/types.h>

#include <functional>

namespace hutch {

// Has the processes of a start work on different CPUs while they work beside each other. Left to itself the
// kernel puts a new or woken process on the CPU of the one that makes or wakes it, behind it, whenever it
// takes the other CPUs for busy, and for that it takes every idle CPU of a virtual machine
// (kernel/sched/fair.c, available_idle_cpu). It costs 0.3 to 0.7 ms each time. So the processes begin on CPUs
// of their own, and do not sleep in their short waits.
class CpuPlacement {
 public:
  // For a start by the calling thread.
  CpuPlacement();

  // Moves a process with one thread, or a thread of this process, off the CPU that the starting thread is on;
  // it may come back. Does nothing when that is impossible: it only costs time.
  void move_process_away(pid_t process) const;
  void move_away(pthread_t thread) const;

  // Asks `done` again and again, offering the CPU to others in between, for a short while or until it says
  // yes.
  void spin(const std::function<bool()>& done) const;
  // The same in turns, for raw system calls (base/raw_syscall.h); 0 when there is only one CPU.
  unsigned spins() const;

 private:
  cpu_set_t others_{};
  cpu_set_t original_{};
  bool useful_ = false;
};

}  // namespace hutch
