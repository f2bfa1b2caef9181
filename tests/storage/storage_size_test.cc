#include "storage/storage_size.h"

#include <gtest/gtest.h>

namespace hutch {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

TEST(StorageSize, GibRoundsDownToWholeMib) {
  EXPECT_EQ(parse_gib("8"), 8192 * kMiB);
  EXPECT_EQ(parse_gib("0"), 0U);
  EXPECT_EQ(parse_gib("0.5"), 512 * kMiB);
  EXPECT_EQ(parse_gib("0.1"), 102 * kMiB);
  EXPECT_EQ(parse_gib("1.9999999999999999999"), 2047 * kMiB);
  EXPECT_EQ(parse_gib("0.0009765625"), kMiB);
  EXPECT_EQ(parse_gib("0.0009765624"), 0U);
}

TEST(StorageSize, GibRefusesOtherTexts) {
  for (const char* text :
       {"", "8G", "-1", "1.", ".5", "1e3", "1.2.3", " 8", "99999999999999999999", "8589934592"}) {
    EXPECT_EQ(parse_gib(text), std::nullopt) << text;
  }
}

TEST(StorageSize, TextUsesTheLargestUnitThatDivides) {
  EXPECT_EQ(size_text(8ULL << 30), "8G");
  EXPECT_EQ(size_text(512 * kMiB), "512M");
  EXPECT_EQ(size_text(1536 * 1024), "1536K");
  EXPECT_EQ(size_text(1ULL << 40), "1T");
  EXPECT_EQ(size_text(1000), "1000");
  EXPECT_EQ(size_text(0), "0T");
}

TEST(StorageSize, ParsesDiskSizes) {
  EXPECT_EQ(parse_size("8G"), 8ULL << 30);
  EXPECT_EQ(parse_size("8GiB"), 8ULL << 30);
  EXPECT_EQ(parse_size("1.5T"), 3ULL << 39);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("0T"), 0U);
  for (const char* text : {"", "G", "8iB", "8GB", "8 G", "-8G", "9999999T"})
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

}  // namespace
}  // namespace hutch
