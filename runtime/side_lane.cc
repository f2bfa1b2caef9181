#include "runtime/side_lane.h"

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
  for (const auto& step : steps_) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    std::exception_ptr failure;
    try {
      step();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    if (!failure) ++done_;
    changed_.notify_all();
    if (failure) return;
  }
}

void SideLane::wait_for(std::size_t count) {
  if (!thread_.joinable()) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ >= count || failure_; });
  if (done_ < count) std::rethrow_exception(failure_);
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
