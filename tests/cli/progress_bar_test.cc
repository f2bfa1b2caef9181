#include "cli/progress_bar.h"

#include <gtest/gtest.h>

namespace hutch::cli {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

TEST(ProgressBar, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(1024 * 1023.96), "1.0 MiB");
  EXPECT_EQ(format_bytes(42.0 * kMiB), "42.0 MiB");
  EXPECT_EQ(format_bytes(5000.0 * 1024 * 1024 * 1024 * 1024), "5000.0 TiB");
}

TEST(ProgressBar, Duration) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(6.2), "0:07");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(1e18), "99:59:59");
  EXPECT_EQ(format_duration(-1), "0:00");
}

TEST(ProgressBar, WholeLine) {
  EXPECT_EQ(format_progress({21 * kMiB, 84 * kMiB, 3}, 80),
            " 25% [#######.......................]  21.0 MiB / 84.0 MiB  7.0 MiB/s  0:09 left");
  EXPECT_EQ(format_progress({84 * kMiB, 84 * kMiB, 12}, 200).substr(0, 5), "100% ");
}

TEST(ProgressBar, NeverWiderThanTheTerminal) {
  for (int width = 0; width < 130; ++width) {
    for (const std::uint64_t done : {std::uint64_t{0}, kMiB, 84 * kMiB, 100 * kMiB}) {
      const auto line = format_progress({done, 84 * kMiB, 2}, width);
      EXPECT_LE(line.size(), static_cast<std::size_t>(width)) << line;
    }
  }
}

TEST(ProgressBar, NarrowTerminalKeepsTheMostImportant) {
  EXPECT_EQ(format_progress({kMiB, 2 * kMiB, 1}, 4), " 50%");
  EXPECT_EQ(format_progress({kMiB, 2 * kMiB, 1}, 25), " 50%  1.0 MiB / 2.0 MiB");
  EXPECT_EQ(format_progress({kMiB, 2 * kMiB, 1}, 3), "");
}

TEST(ProgressBar, UnknownTotalOrTime) {
  EXPECT_EQ(format_progress({kMiB, 0, 2}, 80), "1.0 MiB  512.0 KiB/s");
  EXPECT_EQ(format_progress({0, 2 * kMiB, 0}, 24), "  0%  0 B / 2.0 MiB");
}

TEST(ProgressBar, SilentWhereNoTerminalIs) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = ::open_memstream(&text, &size);
  {
    ProgressBar bar(stream);
    bar.update(1, 2);
    bar.update(2, 2);
  }
  std::fclose(stream);
  EXPECT_EQ(std::string(text, size), "");
  std::free(text);
}

}  // namespace
}  // namespace hutch::cli
