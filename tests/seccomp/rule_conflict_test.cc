#include "seccomp/rule_conflict.h"

#include <gtest/gtest.h>

namespace hutch::seccomp {
namespace {

using Compare = Condition::Compare;

bool both(Condition one, Condition other) {
  const bool result = can_both_match({one}, {other});
  EXPECT_EQ(result, can_both_match({other}, {one}));
  return result;
}

TEST(RuleConflict, NoConditionMatchesEverything) {
  EXPECT_TRUE(can_both_match({}, {}));
  EXPECT_TRUE(can_both_match({}, {{0, Compare::equal, 1, 0}}));
}

TEST(RuleConflict, SameArgument) {
  EXPECT_FALSE(both({0, Compare::equal, 1, 0}, {0, Compare::equal, 2, 0}));
  EXPECT_TRUE(both({0, Compare::equal, 1, 0}, {0, Compare::equal, 1, 0}));
  EXPECT_FALSE(both({0, Compare::equal, 1, 0}, {0, Compare::not_equal, 1, 0}));
  EXPECT_TRUE(both({0, Compare::equal, 2, 0}, {0, Compare::not_equal, 1, 0}));
  EXPECT_FALSE(both({0, Compare::less, 5, 0}, {0, Compare::greater_or_equal, 5, 0}));
  EXPECT_TRUE(both({0, Compare::less_or_equal, 5, 0}, {0, Compare::greater_or_equal, 5, 0}));
  EXPECT_FALSE(both({0, Compare::less, 0, 0}, {0, Compare::not_equal, 7, 0}));
  EXPECT_FALSE(both({0, Compare::equal, 4, 0}, {0, Compare::greater, 4, 0}));
}

TEST(RuleConflict, MaskedTests) {
  EXPECT_FALSE(both({1, Compare::masked_equal, 0x2000, 0xf000}, {1, Compare::masked_equal, 0x6000, 0xf000}));
  EXPECT_TRUE(both({1, Compare::masked_equal, 0x2000, 0xf000}, {1, Compare::masked_equal, 0x1, 0xf}));
  EXPECT_FALSE(both({1, Compare::masked_equal, 0x2000, 0xf000}, {1, Compare::equal, 0x6001, 0}));
  EXPECT_TRUE(both({1, Compare::masked_equal, 0x2000, 0xf000}, {1, Compare::equal, 0x2001, 0}));
  EXPECT_TRUE(both({1, Compare::masked_equal, 0x2000, 0xf000}, {1, Compare::less, 5, 0}));
}

TEST(RuleConflict, DifferentArgumentsNeverExclude) {
  EXPECT_TRUE(both({0, Compare::equal, 1, 0}, {1, Compare::equal, 2, 0}));
}

TEST(RuleConflict, OneExcludingPairIsEnough) {
  EXPECT_FALSE(can_both_match({{0, Compare::equal, 1, 0}, {1, Compare::equal, 1, 0}},
                              {{1, Compare::equal, 2, 0}, {2, Compare::equal, 1, 0}}));
}

TEST(RuleConflict, ThirtyTwoBitAbisSeeTheLowWordOnly) {
  EXPECT_TRUE(both({0, Compare::equal, 0x100000005, 0}, {0, Compare::equal, 5, 0}));
  EXPECT_TRUE(both({0, Compare::greater_or_equal, 0x100000000, 0}, {0, Compare::less, 9, 0}));
}

}  // namespace
}  // namespace hutch::seccomp
