#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "cgroupv2/cpuset.h"
#include "cgroupv2/limit_change.h"
#include "tests/cgroupv2/kernel_support.h"

// Limits of a group with a living process in it.
namespace hutch::cgroupv2 {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMegabyte = 1U << 20;

class LimitChangeKernelTest : public KernelTest {
 protected:
  static Resources memory(std::uint64_t megabytes) {
    Resources resources;
    resources.memory_max = {Limit::of(megabytes * kMegabyte), {}};
    resources.memory_swap_max = {Limit::of(0), {}};
    return resources;
  }
  static void change(const Group& group, const Resources& from, const Resources& to, UndoStack& undo) {
    change_limits(group, changed_writes(from, to, group.layout()), undo);
  }
};

TEST_F(LimitChangeKernelTest, ShrinkingBelowUseFailsAndKillsNobody) {
  if (const auto reason = no_controller("memory")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("shrink");
  group.start(resource_writes(memory(128)));
  SharedCounter filled;
  const Child child(group, [&] {
    void* bytes = ::mmap(nullptr, 48 * kMegabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) return 98;
    std::memset(bytes, 1, 48 * kMegabyte);
    filled.add();
    return ::pause();
  });
  ASSERT_TRUE(filled.reaches(1));
  {
    UndoStack undo;
    try {
      change(group, memory(128), memory(16), undo);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.error_number(), EBUSY) << error.what();
      EXPECT_THAT(error.hint(), HasSubstr("end programs inside"));
    }
  }
  EXPECT_EQ(group.read("memory", "memory.max", "memory.limit_in_bytes"), std::to_string(128 * kMegabyte));
  EXPECT_EQ(::kill(child.pid(), 0), 0);

  UndoStack undo;
  change(group, memory(128), memory(64), undo);
  EXPECT_EQ(group.read("memory", "memory.max", "memory.limit_in_bytes"), std::to_string(64 * kMegabyte));
  change(group, memory(64), memory(512), undo);
  EXPECT_EQ(group.read("memory", "memory.max", "memory.limit_in_bytes"), std::to_string(512 * kMegabyte));
  undo.run();
  EXPECT_EQ(group.read("memory", "memory.max", "memory.limit_in_bytes"), std::to_string(128 * kMegabyte));
}

TEST_F(LimitChangeKernelTest, AHierarchyWithoutTheGroupIsJoinedByAllItsProcesses) {
  for (const char* controller : {"memory", "cpu"}) {
    if (const auto reason = no_controller(controller)) GTEST_SKIP() << "probe: " << *reason;
  }
  TestGroup group("join");
  group.start(resource_writes(memory(128)));
  const Child first(group, [] { return ::pause(); });
  const Child second(group, [] { return ::pause(); });
  Resources to = memory(128);
  to.cpu_max = {CpuMax{20000, 100000}, {}};
  UndoStack undo;
  change(group, memory(128), to, undo);
  EXPECT_EQ(group.read("cpu", "cpu.max", "cpu.cfs_quota_us").substr(0, 5), "20000");
  if (!group.layout().has_v2("cpu")) {
    const std::string text = group.read("cpu", "", "cgroup.procs");
    const auto words = split_blanks(text);
    for (const pid_t pid : {first.pid(), second.pid()}) {
      EXPECT_EQ(std::count(words.begin(), words.end(), std::to_string(pid)), 1) << text;
    }
  }
  undo.run();
  EXPECT_THAT(group.read("cpu", "cpu.max", "cpu.cfs_quota_us"),
              testing::AnyOf(testing::StartsWith("max"), testing::Eq("-1")));
}

TEST_F(LimitChangeKernelTest, CpusOfALivingProcessFollow) {
  if (const auto reason = no_controller("cpuset")) GTEST_SKIP() << "probe: " << *reason;
  const auto allowed = effective_cpus(detect_layout());
  if (allowed.size() < 2) GTEST_SKIP() << "probe: only one CPU";
  TestGroup group("cpus");
  group.start({});
  const Child child(group, [] { return ::pause(); });
  const auto cpus_of_child = [&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    check(::sched_getaffinity(child.pid(), sizeof set, &set), "cannot get the affinity");
    return static_cast<std::size_t>(CPU_COUNT(&set));
  };
  UndoStack undo;
  change_cpu_count(group, 1, undo);
  EXPECT_EQ(cpus_of_child(), 1U);
  change_cpu_count(group, std::nullopt, undo);
  EXPECT_EQ(cpus_of_child(), allowed.size());
}

}  // namespace
}  // namespace hutch::cgroupv2
