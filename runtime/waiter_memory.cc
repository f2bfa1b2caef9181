#include "runtime/waiter_memory.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "base/error.h"

namespace hutch {

namespace {

constexpr std::size_t kStackSize = 8192;
constexpr std::size_t kMaxRanges = 8;
// Below it nothing is ever mapped (/proc/sys/vm/mmap_min_addr, 64 KiB everywhere).
constexpr std::uintptr_t kLowestAddress = 65536;
// The vdso with its data pages before it (vvar and its like): the kernel's, and newer kernels seal them, so
// that a munmap over them fails as a whole.
constexpr std::size_t kBeforeVdso = 64UL << 10;
constexpr std::size_t kVdsoSize = 16UL << 10;

std::uintptr_t end_of(const MemoryRange& range) {
  return range.start + range.size;
}

// All of `whole` but `kept`.
std::vector<MemoryRange> gaps(MemoryRange whole, std::vector<MemoryRange> kept) {
  std::sort(kept.begin(), kept.end(), [](auto& a, auto& b) { return a.start < b.start; });
  std::vector<MemoryRange> result;
  std::uintptr_t from = whole.start;
  for (const auto& range : kept) {
    const std::uintptr_t start = std::min(range.start, end_of(whole));
    if (start > from) result.push_back({from, start - from});
    from = std::max(from, end_of(range));
  }
  if (from < end_of(whole)) result.push_back({from, end_of(whole) - from});
  return result;
}

// Puts things one after the other into a piece of memory.
class Placer {
 public:
  explicit Placer(std::uintptr_t start) : next_(start) {}

  template <typename T>
  T* place(std::span<const T> values) {
    next_ = (next_ + alignof(T) - 1) & ~(alignof(T) - 1);
    T* placed = reinterpret_cast<T*>(next_);
    std::uninitialized_copy(values.begin(), values.end(), placed);
    next_ += values.size_bytes();
    return placed;
  }

  char** place_words(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const auto& word : words) pointers.push_back(place(std::span(word.c_str(), word.size() + 1)));
    pointers.push_back(nullptr);
    return place(std::span<char* const>(pointers));
  }

 private:
  std::uintptr_t next_;
};

// Room for place_words, with what alignment may cost.
std::size_t size_of_words(const std::vector<std::string>& words) {
  std::size_t size = 2 * sizeof(char*) + alignof(char*);
  for (const auto& word : words) size += sizeof(char*) + word.size() + 1;
  return size;
}

std::size_t page_size() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

WaiterMemory::WaiterMemory(const std::vector<std::string>& clean_up_command,
                           const std::vector<std::string>& restart_command,
                           const std::vector<std::string>& environment) {
  const std::size_t page = page_size();
  const std::size_t wanted = sizeof(WaiterOrders) + kMaxRanges * sizeof(MemoryRange) +
                             size_of_words(clean_up_command) + size_of_words(restart_command) +
                             size_of_words(environment) + kStackSize;
  memory_.size = (wanted + page - 1) & ~(page - 1);
  void* start = ::mmap(nullptr, memory_.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw_errno("cannot allocate the supervisor's memory");
  memory_.start = reinterpret_cast<std::uintptr_t>(start);
  Placer placer(memory_.start);
  const WaiterOrders empty{};
  orders_ = placer.place(std::span<const WaiterOrders>(&empty, 1));
  const std::vector<MemoryRange> ranges(kMaxRanges);
  list_unneeded(placer.place(std::span<const MemoryRange>(ranges)), page);
  orders_->clean_up_argv = placer.place_words(clean_up_command);
  orders_->restart_argv = placer.place_words(restart_command);
  orders_->envp = placer.place_words(environment);
}

// The address space ends with the stack, and that with the name of the program (ELF auxiliary vector).
void WaiterMemory::list_unneeded(MemoryRange* place, std::size_t page) {
  const auto name = static_cast<std::uintptr_t>(::getauxval(AT_EXECFN));
  const std::uintptr_t end = (name + page) & ~(page - 1);
  std::vector<MemoryRange> kept = {memory_, waiter_code(page)};
  if (const auto vdso = static_cast<std::uintptr_t>(::getauxval(AT_SYSINFO_EHDR)); vdso != 0) {
    kept.push_back({vdso - kBeforeVdso, kBeforeVdso + kVdsoSize});
  }
  const auto unneeded = gaps({kLowestAddress, end - kLowestAddress}, std::move(kept));
  std::copy(unneeded.begin(), unneeded.end(), place);
  orders_->unneeded = place;
  orders_->unneeded_count = unneeded.size();
}

void* WaiterMemory::stack_end() const {
  return reinterpret_cast<void*>(end_of(memory_));
}

void WaiterMemory::free() noexcept {
  if (orders_ != nullptr) ::munmap(reinterpret_cast<void*>(memory_.start), memory_.size);
  orders_ = nullptr;
}

}  // namespace hutch
