#include "cgroupv2/cpuset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "tests/cgroupv2/fake_tree.h"

namespace hutch::cgroupv2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(CpuListTest, ParsesNumbersAndRanges) {
  EXPECT_THAT(parse_cpu_list("0-3,8\n"), ElementsAre(0, 1, 2, 3, 8));
  EXPECT_THAT(parse_cpu_list("5"), ElementsAre(5));
  EXPECT_THAT(parse_cpu_list("\n"), ElementsAre());
  EXPECT_THAT(parse_cpu_list("8,1-2,2-3"), ElementsAre(1, 2, 3, 8));
}

TEST(CpuListTest, RefusesOtherText) {
  for (const char* text : {"a", "1-", "-1", "3-1", "1,,2", "0-65536", "0-99999999999999999999", "1 2"}) {
    EXPECT_THROW(parse_cpu_list(text), Error) << text;
  }
}

TEST(CpuListTest, PrintsAsTheKernelDoes) {
  EXPECT_EQ(print_cpu_list({}), "");
  EXPECT_EQ(print_cpu_list({3}), "3");
  EXPECT_EQ(print_cpu_list({0, 1}), "0-1");
  EXPECT_EQ(print_cpu_list({0, 1, 2, 3, 8, 10, 11}), "0-3,8,10-11");
  for (const char* text : {"0", "0-7", "0,2,4", "1-2,4-5,63"})
    EXPECT_EQ(print_cpu_list(parse_cpu_list(text)), text);
}

TEST(ChooseCpusTest, KeepsAllWhenThereAreNotMore) {
  EXPECT_THAT(choose_cpus({0, 1, 2}, 3, 1), ElementsAre(0, 1, 2));
  EXPECT_THAT(choose_cpus({0, 1, 2}, 99, 1), ElementsAre(0, 1, 2));
  EXPECT_THAT(choose_cpus({}, 2, 1), ElementsAre());
}

TEST(ChooseCpusTest, KeepsTheWantedNumberOfMembersInOrder) {
  const CpuList allowed = parse_cpu_list("0-15,32-47");
  const auto chosen = choose_cpus(allowed, 5, 42);
  EXPECT_EQ(chosen.size(), 5U);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  EXPECT_TRUE(std::includes(allowed.begin(), allowed.end(), chosen.begin(), chosen.end()));
  EXPECT_EQ(chosen, choose_cpus(allowed, 5, 42));
}

TEST(ChooseCpusTest, SeedsSpreadTheLoad) {
  std::set<unsigned> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    seen.insert(choose_cpus({0, 1, 2, 3, 4, 5, 6, 7}, 1, seed).at(0));
  EXPECT_EQ(seen.size(), 8U);
}

class EffectiveCpusTest : public testing::Test {
 protected:
  FakeTree tree_;
};

TEST_F(EffectiveCpusTest, PrefersTheGroupOfAllContainers) {
  tree_.write("cpuset.cpus.effective", "0-7\n");
  const Layout layout{.unified = tree_.path(), .v2_controllers = {"cpuset"}};
  EXPECT_EQ(print_cpu_list(effective_cpus(layout)), "0-7");
  tree_.write("lxc/cpuset.cpus.effective", "2-3\n");
  EXPECT_EQ(print_cpu_list(effective_cpus(layout)), "2-3");
}

TEST_F(EffectiveCpusTest, SkipsAnEmptyV1Group) {
  tree_.write("cpuset/cpuset.effective_cpus", "0-1\n");
  tree_.write("cpuset/lxc/cpuset.effective_cpus", "\n");
  const Layout layout{.unified = tree_.path(), .v1 = {{"cpuset", tree_.path() + "/cpuset"}}};
  EXPECT_EQ(print_cpu_list(effective_cpus(layout)), "0-1");
}

TEST_F(EffectiveCpusTest, NeedsTheController) {
  try {
    effective_cpus(Layout{.unified = tree_.path()});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no cgroup controller 'cpuset'"));
  }
}

}  // namespace
}  // namespace hutch::cgroupv2
