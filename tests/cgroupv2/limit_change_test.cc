#include "cgroupv2/limit_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "cgroupv2/cpuset.h"
#include "tests/cgroupv2/fake_tree.h"

namespace hutch::cgroupv2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kMegabyte = 1U << 20;

const Layout kUnified{.unified = "/c", .v2_controllers = {"cpu", "cpuset", "memory", "pids"}};
const Layout kHybrid{.unified = "/c/unified",
                     .v1 = {{"cpu", "/c/cpu"}, {"cpuset", "/c/cpuset"}, {"memory", "/c/memory"}}};

std::vector<std::string> texts(const std::vector<PlacedWrite>& writes) {
  std::vector<std::string> lines;
  for (const auto& write : writes) lines.push_back(write.file + "=" + write.value);
  return lines;
}

Resources limited(std::uint64_t memory, std::uint64_t swap) {
  Resources resources;
  resources.memory_max = {Limit::of(memory * kMegabyte), {}};
  resources.memory_swap_max = {Limit::of(swap * kMegabyte), {}};
  return resources;
}

TEST(ChangedWrites, NothingForTheSame) {
  auto resources = limited(16, 0);
  resources.cpu_count = {2, {}};
  auto other = resources;
  other.cpu_count = {1, {}};
  EXPECT_THAT(changed_writes(resources, other, kUnified), IsEmpty());
}

TEST(ChangedWrites, SwapAloneBringsMemoryAlongForV1) {
  EXPECT_THAT(texts(changed_writes(limited(16, 0), limited(16, 16), kHybrid)),
              ElementsAre("memory.limit_in_bytes=16777216", "memory.memsw.limit_in_bytes=33554432"));
  EXPECT_THAT(texts(changed_writes(limited(16, 0), limited(16, 16), kUnified)),
              ElementsAre("memory.swap.max=16777216", "memory.max=16777216"));
}

TEST(ChangedWrites, ALimitThatGoesGetsTheKernelsDefault) {
  Resources from;
  from.cpu_max = {CpuMax{50000, 100000}, {}};
  from.cpu_weight = {50, {}};
  from.pids_max = {Limit::of(10), {}};
  EXPECT_THAT(texts(changed_writes(from, {}, kUnified)),
              ElementsAre("cpu.max=max 100000", "cpu.weight=100", "pids.max=max"));
  from.pids_max.reset();
  EXPECT_THAT(texts(changed_writes(from, {}, kHybrid)),
              ElementsAre("cpu.cfs_period_us=100000", "cpu.cfs_quota_us=-1", "cpu.shares=1024"));
}

TEST(ChangedWrites, ARawLineWinsOverTheChange) {
  auto from = limited(16, 0);
  from.raw = {{"memory.max", "1G", {}}, {"memory.swap.max", "0", {}}};
  auto to = from;
  to.memory_max = {Limit::of(32 * kMegabyte), {}};
  EXPECT_THAT(changed_writes(from, to, kUnified), IsEmpty());
}

TEST(ResizeCpus, KeepsTheLowestAndFillsUpFromBelow) {
  EXPECT_EQ(print_cpu_list(resize_cpus({1, 3, 5}, {0, 1, 2, 3, 4, 5}, 2)), "1,3");
  EXPECT_EQ(print_cpu_list(resize_cpus({1, 3}, {0, 1, 2, 3, 4, 5}, 4)), "0-3");
  EXPECT_EQ(print_cpu_list(resize_cpus({1, 3}, {0, 1, 2, 3}, 9)), "0-3");
  EXPECT_EQ(print_cpu_list(resize_cpus({0, 7}, {0, 1}, 2)), "0-1");
  EXPECT_EQ(print_cpu_list(resize_cpus({}, {2, 3}, 1)), "2");
}

// A cgroup2 group of plain files: what is written stays, nothing is reclaimed.
class LiveGroup : public testing::Test {
 protected:
  LiveGroup() {
    write("memory.current", "20971520\n");
    write("memory.high", "max\n");
    write("memory.max", "max\n");
    write("memory.swap.max", "0\n");
    write("cpuset.cpus", "0-3\n");
    tree_.write("lxc/cpuset.cpus.effective", "0-3\n");
  }
  void write(const std::string& file, const std::string& text) const { tree_.write("lxc/1/" + file, text); }
  std::string read(const std::string& file) const {
    // write(2) without O_TRUNC, as on a kernel file, leaves the rest of a longer text behind.
    return tree_.read("lxc/1/" + file);
  }
  void change(const Resources& from, const Resources& to, UndoStack& undo) const {
    change_limits(group_, changed_writes(from, to, group_.layout()), undo);
  }

  const FakeTree tree_;
  const Group group_{Layout{.unified = tree_.path(), .v2_controllers = {"cpu", "cpuset", "memory"}}, "lxc/1"};
};

TEST_F(LiveGroup, MemoryBelowUseIsRefusedInsteadOfKilling) {
  UndoStack undo;
  try {
    change(limited(99, 0), limited(16, 0), undo);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EBUSY);
    EXPECT_THAT(error.what(), HasSubstr("memory.max"));
    EXPECT_THAT(error.hint(), HasSubstr("end programs inside"));
  }
  EXPECT_EQ(read("memory.max"), "max\n");
}

TEST_F(LiveGroup, MemoryAboveUseIsWrittenAndCanBeTakenBack) {
  write("memory.max", "11111111\n");
  UndoStack undo;
  change(limited(99, 0), limited(64, 0), undo);
  EXPECT_EQ(read("memory.max").substr(0, 8), "67108864");
  undo.run();
  EXPECT_EQ(read("memory.max"), "11111111\n");
}

TEST_F(LiveGroup, CpusAreChosenAmongThoseOfAllContainers) {
  UndoStack undo;
  change_cpu_count(group_, 2, undo);
  EXPECT_EQ(read("cpuset.cpus"), "0-1\n");
  undo.run();
  EXPECT_EQ(read("cpuset.cpus"), "0-3\n");
  change_cpu_count(group_, 9, undo);
  change_cpu_count(group_, std::nullopt, undo);
  EXPECT_EQ(read("cpuset.cpus"), "0-3\n");
  EXPECT_TRUE(undo.empty());
}

TEST_F(LiveGroup, AMissingControllerMattersOnlyWhenCpusAreCounted) {
  const Group group{Layout{.unified = tree_.path(), .v2_controllers = {"memory"}}, "lxc/1"};
  UndoStack undo;
  EXPECT_NO_THROW(change_cpu_count(group, std::nullopt, undo));
  EXPECT_THROW(change_cpu_count(group, 1, undo), Error);
}

}  // namespace
}  // namespace hutch::cgroupv2
