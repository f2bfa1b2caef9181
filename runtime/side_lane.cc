#include "runtime/side_lane.h"

#include <sched.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace hutch {

void SideLane::run(std::vector<std::function<void()>> steps) {
  steps_ = std::move(steps);
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error& error) {
    throw Error("cannot create a thread", error.code().value());
  }
}

void SideLane::work() {
  // A root and working directory of our own: who shares them with a thread may not enter a mount namespace
  // (setns(2)), and a thread gives them up a moment after it can be joined.
  const bool alone = ::unshare(CLONE_FS) == 0;
  const int error = errno;
  for (const auto& step : steps_) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    std::exception_ptr failure;
    try {
      if (!alone) throw Error("cannot unshare a thread's working directory", error);
      step();
    } catch (...) {
      failure = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    failure_ = failure;
    if (!failure) ++done_;
    if (next_ && !failure && done_ >= awaited_) run_next(lock);
    // Not for what nobody waits for: waking up another CPU takes as long as a short step.
    if (failure || done_ >= awaited_) changed_.notify_all();
    if (failure) return;
  }
}

void SideLane::run_next(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  std::exception_ptr failure;
  try {
    next_();
  } catch (...) {
    failure = std::current_exception();
  }
  lock.lock();
  next_failure_ = failure;
  next_ = nullptr;
}

void SideLane::wait_for(std::size_t count) {
  if (!thread_.joinable()) return;
  std::unique_lock lock(mutex_);
  awaited_ = count;
  changed_.wait(lock, [&] { return done_ >= count || failure_; });
  if (done_ < count) std::rethrow_exception(failure_);
}

void SideLane::wait_for(std::size_t count, std::function<void()> next) {
  if (thread_.joinable()) {
    std::unique_lock lock(mutex_);
    if (done_ < count && !failure_) {
      next_ = std::move(next);
      awaited_ = count;
      changed_.wait(lock, [&] { return !next_ || failure_; });
      if (next_) std::rethrow_exception(failure_);
      if (next_failure_) std::rethrow_exception(next_failure_);
      return;
    }
    if (done_ < count) std::rethrow_exception(failure_);
  }
  next();
}

void SideLane::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  thread_.join();
}

}  // namespace hutch
