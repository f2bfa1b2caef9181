#include "runtime/prefault.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace hutch {

namespace {

constexpr std::size_t kMostOfProgram = 4UL << 20;
constexpr std::size_t kMostOfHeap = 1UL << 20;

std::uintptr_t page_size() {
  static const auto size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

MemoryRange whole_pages(std::uintptr_t begin, std::uintptr_t end) {
  const std::uintptr_t mask = page_size() - 1;
  const std::uintptr_t first = begin & ~mask;
  return {first, ((end + mask) & ~mask) - first};
}

// What is written to is not the program's any more once it is there.
void add_program(const dl_phdr_info& program, std::vector<Prefault>& found) {
  std::size_t left = kMostOfProgram;
  for (std::size_t at = 0; at < program.dlpi_phnum; ++at) {
    const auto& segment = program.dlpi_phdr[at];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0 || left == 0) continue;
    const std::uintptr_t begin = program.dlpi_addr + segment.p_vaddr;
    const std::size_t size = std::min<std::size_t>(segment.p_memsz, left);
    left -= size;
    found.push_back({whole_pages(begin, begin + size), MADV_POPULATE_READ});
  }
}

// From the youngest piece of it on.
void add_heap(std::vector<Prefault>& found) {
  const auto piece = std::make_unique<char>();
  const auto begin = reinterpret_cast<std::uintptr_t>(piece.get());
  const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  // Other allocators have their memory elsewhere.
  if (begin >= end || end - begin > kMostOfHeap) return;
  found.push_back({whole_pages(begin, end), MADV_POPULATE_WRITE});
}

}  // namespace

std::vector<Prefault> prefaults() {
  std::vector<Prefault> found;
  add_heap(found);
  // The first one is the program.
  ::dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void* into) {
        add_program(*program, *static_cast<std::vector<Prefault>*>(into));
        return 1;
      },
      &found);
  return found;
}

}  // namespace hutch
