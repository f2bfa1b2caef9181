#include "runtime/prefault.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace hutch {
namespace {

bool holds(const MemoryRange& range, std::uintptr_t address) {
  return address >= range.start && address - range.start < range.size;
}

TEST(Prefaults, AreWholePagesOfTheProgramAndLittleMoreThanFourMegabytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t program = 0;
  for (const auto& [range, advice] : prefaults()) {
    EXPECT_EQ(range.start % page, 0U);
    EXPECT_EQ(range.size % page, 0U);
    EXPECT_GT(range.size, 0U);
    EXPECT_TRUE(advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE) << advice;
    if (advice == MADV_POPULATE_READ) program += range.size;
  }
  EXPECT_GE(program, page);
  // Each of a program's segments may begin and end inside of a page.
  EXPECT_LE(program, (4U << 20) + 8 * page);
}

TEST(Prefaults, TheHeapReachesUpToItsEnd) {
  const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  bool heap = false;
  for (const auto& [range, advice] : prefaults()) {
    if (advice != MADV_POPULATE_WRITE) continue;
    heap = true;
    EXPECT_TRUE(holds(range, end - 1));
    EXPECT_LE(range.size, (1U << 20) + 8192U);
  }
  if (!heap)
    GTEST_SKIP() << "probe: the heap of this program does not end where brk(2) has it, or is a large one";
}

// Nothing in there is lost or changed by it.
TEST(Prefaults, CanBeMapped) {
  const std::string text = "as before";
  for (const auto& [range, advice] : prefaults()) {
    const int result = ::madvise(reinterpret_cast<void*>(range.start), range.size, advice);
    // EINVAL: before Linux 5.14.
    EXPECT_TRUE(result == 0 || errno == EINVAL) << errno;
  }
  EXPECT_EQ(text, "as before");
}

}  // namespace
}  // namespace hutch
