#include "bench/race.h"

#include <gmock/gmock.h>

#include <map>
#include <utility>

namespace hutch::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST(Race, EachHasOneTurnInARound) {
  EXPECT_THAT(turns(4, 0), UnorderedElementsAre(0, 1, 2, 3));
  EXPECT_THAT(turns(5, 7), UnorderedElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(turns(1, 3), ElementsAre(0));
  EXPECT_THAT(turns(0, 3), IsEmpty());
}

TEST(Race, EachComesAfterEachOtherEquallyOften) {
  for (std::size_t count = 2; count <= 9; ++count) {
    const std::size_t rounds = count % 2 == 0 ? count : 2 * count;
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> pairs;
    for (std::size_t round = 0; round < rounds; ++round) {
      const auto order = turns(count, round);
      for (std::size_t at = 1; at < order.size(); ++at) ++pairs[{order[at - 1], order[at]}];
    }
    EXPECT_THAT(pairs, SizeIs(count * (count - 1))) << count;
    for (const auto& [pair, times] : pairs) EXPECT_EQ(times, rounds / count) << count;
  }
}

}  // namespace
}  // namespace hutch::bench
