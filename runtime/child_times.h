#pragma once

#include <sys/mman.h>

#include <cstdint>

#include "base/error.h"

namespace hutch {

// Memory that the container's first process writes its clock readings into and the starter reads
// (ChildImage::times).
class ChildTimes {
 public:
  explicit ChildTimes(std::size_t cells) : size_(cells * sizeof(std::int64_t)) {
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw_errno("cannot make memory for the trace");
    cells_ = static_cast<std::int64_t*>(memory);
  }
  ~ChildTimes() { ::munmap(cells_, size_); }
  ChildTimes(const ChildTimes&) = delete;
  ChildTimes& operator=(const ChildTimes&) = delete;

  std::int64_t* cells() const { return cells_; }

 private:
  std::size_t size_;
  std::int64_t* cells_ = nullptr;
};

}  // namespace hutch
