#include "bench/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace hutch::bench {
namespace {

using testing::ElementsAre;

const std::vector<double> kFive = {5, 1, 4, 2, 3};

// Spread evenly by one tenth around the middle; the same values each time.
std::vector<double> around(double middle, int count) {
  std::vector<double> samples;
  for (int i = 0; i < count; ++i) samples.push_back(middle * (0.9 + 0.2 * i / (count - 1)));
  return samples;
}

TEST(Quantile, LiesBetweenTheNeighbours) {
  EXPECT_DOUBLE_EQ(quantile(kFive, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(kFive, 0.25), 2);
  EXPECT_DOUBLE_EQ(quantile(kFive, 0.9), 4.6);
  EXPECT_DOUBLE_EQ(quantile(kFive, 1), 5);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(quantile(std::vector<double>{7}, 0.9), 7);
}

TEST(Quantile, RefusesWhatHasNoAnswer) {
  EXPECT_THROW(median({}), Error);
  EXPECT_THROW(quantile(kFive, 1.1), Error);
  EXPECT_THROW(quantile(kFive, -0.1), Error);
}

TEST(Ratio, DividesTheMedians) {
  EXPECT_DOUBLE_EQ(ratio({kFive, std::vector<double>{2}}), 1.5);
  EXPECT_THROW(ratio({kFive, std::vector<double>{0}}), Error);
}

TEST(ChangeInterval, HoldsTheChangeAndNothingFar) {
  const auto reference = around(2, 41);
  const auto before = around(3, 41);
  const auto after = around(3.9, 41);
  const Interval interval = change_interval({before, reference}, {after, reference});
  EXPECT_LT(interval.low, 1.3);
  EXPECT_GT(interval.high, 1.3);
  EXPECT_GT(interval.low, 1.15);
  EXPECT_LT(interval.high, 1.45);
}

TEST(ChangeInterval, IsTheSameEachTime) {
  const auto samples = around(3, 20);
  const Interval one = change_interval({samples, samples}, {samples, samples});
  const Interval other = change_interval({samples, samples}, {samples, samples});
  EXPECT_EQ(one.low, other.low);
  EXPECT_EQ(one.high, other.high);
}

TEST(ChangeInterval, GrowsWithConfidence) {
  const auto samples = around(3, 20);
  const Interval half = change_interval({samples, samples}, {samples, samples}, 0.5);
  const Interval most = change_interval({samples, samples}, {samples, samples}, 0.99);
  EXPECT_LT(most.low, half.low);
  EXPECT_GT(most.high, half.high);
}

// Where the two runs come from the same distribution, about one interval in a hundred leaves out 1.
TEST(ChangeInterval, CoversNoChangeAsOftenAsItSays) {
  std::uint64_t state = 12345;
  const auto draw = [&](int count) {
    std::vector<double> samples;
    for (int i = 0; i < count; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      samples.push_back(2.0 + static_cast<double>(state >> 40U) / static_cast<double>(1U << 24U));
    }
    return samples;
  };
  int misses = 0;
  for (int run = 0; run < 200; ++run) {
    const auto a = draw(30);
    const auto b = draw(30);
    const auto c = draw(30);
    const auto d = draw(30);
    const Interval interval = change_interval({a, b}, {c, d}, 0.99, 400);
    if (interval.low > 1 || interval.high < 1) ++misses;
  }
  EXPECT_LE(misses, 10);
}

TEST(ChangeInterval, RefusesWhatHasNoAnswer) {
  EXPECT_THROW(change_interval({kFive, {}}, {kFive, kFive}), Error);
  EXPECT_THROW(change_interval({kFive, kFive}, {kFive, kFive}, 0.99, 0), Error);
}

}  // namespace
}  // namespace hutch::bench
