#include "storage/byte_queue.h"

#include <utility>

namespace hutch {

ByteQueue::ByteQueue() {
  for (auto& buffer : buffers_) buffer.resize(kBufferSize);
}

std::span<char> ByteQueue::acquire() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return cancelled_ || filled_ - released_ < kBuffers; });
  if (cancelled_) return {};
  return buffers_[filled_ % kBuffers];
}

void ByteQueue::commit(std::size_t size) {
  if (size == 0) return;
  {
    const std::lock_guard lock(mutex_);
    sizes_[filled_ % kBuffers] = size;
    ++filled_;
  }
  changed_.notify_one();
}

void ByteQueue::finish(std::string error) {
  {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    finished_ = true;
  }
  changed_.notify_one();
}

std::span<const char> ByteQueue::next() {
  std::unique_lock lock(mutex_);
  if (holding_) {
    ++released_;
    holding_ = false;
    changed_.notify_one();
  }
  changed_.wait(lock, [this] { return finished_ || filled_ > released_; });
  if (filled_ == released_) return {};
  holding_ = true;
  const std::size_t index = released_ % kBuffers;
  return {buffers_[index].data(), sizes_[index]};
}

std::string ByteQueue::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void ByteQueue::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  changed_.notify_one();
}

}  // namespace hutch
