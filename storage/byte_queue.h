#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace hutch {

// A stream of bytes from one producing to one consuming thread: a ring of large buffers that are filled and
// read in place, so that decompressing an archive and writing its files overlap without a pipe between them.
class ByteQueue {
 public:
  ByteQueue();

  // Producer. Waits for a free buffer; empty when the consumer gave up.
  std::span<char> acquire();
  // The first `size` bytes of the buffer are valid. Size 0 is ignored.
  void commit(std::size_t size);
  // No more data: the end of the stream, or an error when `error` is not empty.
  void finish(std::string error);

  // Consumer. The next bytes, valid until the next call; empty at the end or on an error.
  std::span<const char> next();
  // Why the stream ended early; "" for a proper end. Valid after next() gave an empty span.
  std::string error() const;
  // The consumer wants nothing more; a waiting producer gets an empty buffer.
  void cancel();

 private:
  static constexpr std::size_t kBuffers = 8;
  static constexpr std::size_t kBufferSize = 512U << 10;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<std::vector<char>, kBuffers> buffers_;
  std::array<std::size_t, kBuffers> sizes_{};
  std::size_t filled_ = 0;    // buffers ever committed
  std::size_t released_ = 0;  // buffers ever given back by the consumer
  bool holding_ = false;      // the consumer reads buffer `released_`
  bool finished_ = false;
  bool cancelled_ = false;
  std::string error_;
};

}  // namespace hutch
