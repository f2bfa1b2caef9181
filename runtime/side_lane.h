#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hutch {

// Steps that run one after the other beside the thread that made the lane. After the first failure the rest
// is left out.
class SideLane {
 public:
  SideLane() = default;
  // Waits for the step that runs.
  ~SideLane() { stop(); }
  SideLane(const SideLane&) = delete;
  SideLane& operator=(const SideLane&) = delete;

  // Begins. Throws Error when there can be no thread. At most once.
  void run(std::vector<std::function<void()>> steps);
  // Waits until the first `count` steps are done; throws the failure of the lane if there is one. Nothing to
  // wait for before run().
  void wait_for(std::size_t count);
  // Waits likewise, then runs `next`. Whoever comes last runs it: the lane, when the caller waits already,
  // since the caller's waking up would take longer. Throws what `next` throws.
  void wait_for(std::size_t count, std::function<void()> next);
  // Only after run().
  std::thread::native_handle_type thread() { return thread_.native_handle(); }
  // Lets the step that runs come to its end and begins no other.
  void stop();

 private:
  std::vector<std::function<void()>> steps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t done_ = 0;
  bool stopping_ = false;
  // How many steps the caller waits for, or has waited for last.
  std::size_t awaited_ = 0;
  // What it has left to the lane then.
  std::function<void()> next_;
  std::exception_ptr next_failure_;
  std::exception_ptr failure_;
  std::thread thread_;

  void work();
  void run_next(std::unique_lock<std::mutex>& lock);
};

}  // namespace hutch
