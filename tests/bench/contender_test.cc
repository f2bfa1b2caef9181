#include "bench/contender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "bench/suite.h"

namespace hutch::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Arena made_up_arena() {
  Arena arena;
  arena.scratch = "/tmp/hutch-bench.test";
  arena.bridge = "hbn1";
  arena.first_vmid = 900010000;
  return arena;
}

TEST(Variant, NamesAreUniqueAndFound) {
  for (const auto& variant : variant_table()) EXPECT_EQ(find_variant(variant.name).number, variant.number);
  EXPECT_EQ(variant_table().front().name, "base");
  EXPECT_THROW(find_variant("nothing"), Error);
}

// A link is named veth<vmid>i0 and may have 15 characters; the arena's numbers end before the next arena's.
TEST(Place, NumbersAreUniqueAndNineDigits) {
  const Arena arena = made_up_arena();
  std::set<unsigned> seen;
  for (const auto& variant : variant_table()) {
    for (const unsigned index : {0U, 1U, kMaxPlaces - 1})
      EXPECT_TRUE(seen.insert(place_of(arena, variant, index).vmid).second);
  }
  for (const unsigned index : {0U, 99U}) EXPECT_TRUE(seen.insert(spare_vmid(arena, index)).second);
  EXPECT_EQ(*seen.begin(), arena.first_vmid);
  EXPECT_LT(*seen.rbegin(), arena.first_vmid + 10000);
}

TEST(Place, OnlyOneKindOfRootfs) {
  const Arena arena = made_up_arena();
  const Place directory = place_of(arena, find_variant("base"), 0);
  EXPECT_THAT(directory.directory, HasSubstr("subvol-900010000-disk-0.subvol"));
  EXPECT_TRUE(directory.image.empty() && directory.overlay.empty());
  const Place image = place_of(arena, find_variant("image-rootfs"), 0);
  EXPECT_THAT(image.image, HasSubstr("disk-0.raw"));
  EXPECT_THAT(image.directory, Not(HasSubstr("subvol")));
  EXPECT_TRUE(image.overlay.empty());
}

TEST(PctConfig, EveryVariantSwitchesOffOneThing) {
  const Arena arena = made_up_arena();
  const std::string base = pct_config_body(arena, find_variant("base"));
  EXPECT_THAT(base, HasSubstr("unprivileged: 1\n"));
  EXPECT_THAT(base, HasSubstr("bridge=hbn1"));
  EXPECT_THAT(base, HasSubstr("memory: 512\n"));
  EXPECT_THAT(base, Not(HasSubstr("seccomp")));
  EXPECT_THAT(pct_config_body(arena, find_variant("no-network")), Not(HasSubstr("net0")));
  const std::string free = pct_config_body(arena, find_variant("no-limits"));
  EXPECT_THAT(free, Not(HasSubstr("memory: ")));
  EXPECT_THAT(free, HasSubstr("lxc.cgroup2.memory.max:\n"));
  EXPECT_THAT(pct_config_body(arena, find_variant("no-seccomp")), HasSubstr("lxc.seccomp.profile:\n"));
  EXPECT_THAT(pct_config_body(arena, find_variant("privileged")), HasSubstr("unprivileged: 0\n"));
}

TEST(Tools, AreThoseOfTheCommandLine) {
  std::vector<std::string> names;
  for (const auto& tool : tool_table("/floor", "/pct")) names.push_back(tool.name);
  EXPECT_EQ(names, tool_names());
}

TEST(ListOf, LeavesEmptyWordsOut) {
  EXPECT_EQ(list_of({"", "veth", "", "limits"}), "veth, limits");
  EXPECT_EQ(list_of({""}), "");
}

TEST(Runner, TimesAndReportsFailures) {
  const std::string log = ::testing::TempDir() + "/hutch-bench-runner.log";
  Runner runner(log);
  Command fine;
  fine.argv = {"/bin/sh", "-c", "echo \"$WORD\"; read line <&9; echo \"$line\""};
  fine.environment = {{"WORD", "said"}};
  fine.files = {{9, "/proc/self/comm"}};
  EXPECT_GT(runner.run(fine).count(), 0);
  EXPECT_EQ(runner.output(), "said\nsh\n");
  Command bad;
  bad.argv = {"/bin/sh", "-c", "echo why >&2; exit 3"};
  try {
    runner.run(bad);
    FAIL() << "an exit status of 3 is no success";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("why"));
  }
  EXPECT_THROW(runner.run_together({fine, bad}), Error);
  std::remove(log.c_str());
}

TEST(Runner, ForegroundRunsUntilItsFirstByte) {
  const std::string log = ::testing::TempDir() + "/hutch-bench-foreground.log";
  Runner runner(log);
  Command command;
  command.argv = {"/bin/sh", "-c", "echo here; exec sleep 100"};
  command.until_output = true;
  EXPECT_GT(runner.run(command).count(), 0);
  runner.end_foreground();
  command.argv = {"/bin/sh", "-c", "echo no >&2; exit 1"};
  EXPECT_THROW(runner.run(command), Error);
  std::remove(log.c_str());
}

}  // namespace
}  // namespace hutch::bench
