#include "cgroupv2/writes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace hutch::cgroupv2 {
namespace {

using testing::ElementsAre;

const Origin kLine{"100.conf", 4};

TEST(ResourceWritesTest, NothingSetWritesNothing) {
  EXPECT_TRUE(resource_writes({}).empty());
}

TEST(ResourceWritesTest, EverySettingInOrderRawLinesLast) {
  Resources resources;
  resources.memory_max = {Limit::of(536870912), {"100.conf", 1}};
  resources.memory_high = {Limit::of(532676608), {"100.conf", 1}};
  resources.memory_swap_max = {Limit::of(0), {"100.conf", 2}};
  resources.cpu_max = {CpuMax{150000, 100000}, {"100.conf", 3}};
  resources.cpu_weight = {512, {"100.conf", 4}};
  resources.cpu_count = {2, {"100.conf", 5}};
  resources.pids_max = {Limit::max(), {"100.conf", 6}};
  resources.raw = {{"io.max", "8:0 rbps=1", {"100.conf", 7}}, {"memory.max", "3G", {"100.conf", 8}}};
  EXPECT_THAT(resource_writes(resources, "0-1"),
              ElementsAre(FileWrite{"memory.swap.max", "0", {"100.conf", 2}},
                          FileWrite{"memory.high", "532676608", {"100.conf", 1}},
                          FileWrite{"memory.max", "536870912", {"100.conf", 1}},
                          FileWrite{"cpu.max", "150000 100000", {"100.conf", 3}},
                          FileWrite{"cpu.weight", "512", {"100.conf", 4}},
                          FileWrite{"cpuset.cpus", "0-1", {"100.conf", 5}},
                          FileWrite{"pids.max", "max", {"100.conf", 6}},
                          FileWrite{"io.max", "8:0 rbps=1", {"100.conf", 7}},
                          FileWrite{"memory.max", "3G", {"100.conf", 8}}));
}

TEST(ResourceWritesTest, UnlimitedCpuTimeIsMax) {
  Resources resources;
  resources.cpu_max = {CpuMax{}, kLine};
  EXPECT_THAT(resource_writes(resources), ElementsAre(FileWrite{"cpu.max", "max 100000", kLine}));
}

TEST(ResourceWritesTest, CpusAreWrittenOnlyWhenCounted) {
  EXPECT_TRUE(resource_writes({}, "0-1").empty());
}

TEST(ResourceWritesTest, ACountWithoutChosenCpusIsAnError) {
  Resources resources;
  resources.cpu_count = {2, kLine};
  try {
    resource_writes(resources);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin(), kLine);
  }
}

TEST(ParseLimitTest, TakesTheKernelsSuffixes) {
  EXPECT_EQ(parse_limit("0"), Limit::of(0));
  EXPECT_EQ(parse_limit("1048576"), Limit::of(1048576));
  EXPECT_EQ(parse_limit("4k"), Limit::of(4096));
  EXPECT_EQ(parse_limit("512M"), Limit::of(536870912));
  EXPECT_EQ(parse_limit("3G"), Limit::of(3221225472));
  EXPECT_EQ(parse_limit("1t"), Limit::of(1099511627776));
  EXPECT_EQ(parse_limit("1E"), Limit::of(1152921504606846976));
  EXPECT_EQ(parse_limit("18446744073709551615"), Limit::of(18446744073709551615ULL));
  EXPECT_EQ(parse_limit("max"), Limit::max());
}

TEST(ParseLimitTest, RefusesOtherText) {
  for (const char* text :
       {"", "G", "-1", "3GB", "1.5G", "0x10", " 1", "18446744073709551616", "16E", "1b", "Max"}) {
    EXPECT_EQ(parse_limit(text), std::nullopt) << text;
  }
}

TEST(SharesOfWeightTest, IsTheInverseOfTheWeightFormula) {
  EXPECT_EQ(shares_of_weight(1), 2U);
  EXPECT_EQ(shares_of_weight(10000), 262144U);
  EXPECT_EQ(shares_of_weight(0), 2U);
  EXPECT_EQ(shares_of_weight(20000), 262144U);
  for (std::uint64_t weight = 1; weight <= 10000; ++weight) {
    ASSERT_EQ(1 + (shares_of_weight(weight) - 2) * 9999 / 262142, weight);
  }
}

}  // namespace
}  // namespace hutch::cgroupv2
