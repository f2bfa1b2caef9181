#include "tests/fuzz/mutation.h"

#include <gtest/gtest.h>

#include <set>

namespace hutch::fuzz {
namespace {

const Material kMaterial{{"memory: 512\nswap: 0\n", ""}, {"cores: "}, 40};

TEST(Mutation, IsTheSameForTheSameSeed) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Random one(seed);
    Random other(seed);
    EXPECT_EQ(mutated(one, kMaterial), mutated(other, kMaterial));
  }
}

TEST(Mutation, GivesManyInputsWithinTheLimit) {
  std::set<std::string> inputs;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    inputs.insert(mutated(random, kMaterial));
    EXPECT_LE(inputs.begin()->size(), kMaterial.max_length);
  }
  EXPECT_GT(inputs.size(), 500U);
}

TEST(Mutation, UsesTheTokens) {
  std::size_t with_token = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    if (mutated(random, kMaterial).find("cores: ") != std::string::npos) ++with_token;
  }
  EXPECT_GT(with_token, 50U);
}

}  // namespace
}  // namespace hutch::fuzz
