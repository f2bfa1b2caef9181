#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "cgroupv2/cpuset.h"
#include "cgroupv2/statistics.h"
#include "tests/cgroupv2/kernel_support.h"

// The limits of a group, felt by a process in it.
namespace hutch::cgroupv2 {
namespace {

constexpr std::size_t kMegabyte = 1U << 20;

class LimitsKernelTest : public KernelTest {};

// Touches `size` bytes of fresh memory.
void* fill(std::size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) ::_exit(98);
  std::memset(memory, 1, size);
  return memory;
}

// The value of a "key value" line.
std::uint64_t keyed(const std::string& text, std::string_view key) {
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 2 && words[0] == key) return parse_unsigned(words[1]).value_or(0);
  }
  ADD_FAILURE() << "no " << key << " in " << text;
  return 0;
}

TEST_F(LimitsKernelTest, ValuesArriveInTheFiles) {
  for (const char* controller : {"memory", "cpu", "cpuset", "pids"}) {
    if (const auto reason = no_controller(controller)) GTEST_SKIP() << "probe: " << *reason;
  }
  TestGroup group("values");
  Resources resources;
  resources.memory_max = {Limit::of(64 * kMegabyte), {}};
  resources.memory_high = {Limit::of(60 * kMegabyte), {}};
  resources.memory_swap_max = {Limit::of(16 * kMegabyte), {}};
  resources.cpu_max = {CpuMax{50000, 100000}, {}};
  resources.cpu_weight = {100, {}};
  resources.cpu_count = {1, {}};
  resources.pids_max = {Limit::of(77), {}};
  resources.raw = {{"memory.max", "1G", {}}};
  group.start(resource_writes(resources, "0"));
  EXPECT_EQ(group.read("memory", "memory.max", "memory.limit_in_bytes"), "1073741824");
  EXPECT_EQ(group.read("memory", "memory.high", "memory.soft_limit_in_bytes"), "62914560");
  EXPECT_EQ(group.read("memory", "memory.swap.max", "memory.memsw.limit_in_bytes"),
            group.layout().has_v2("memory") ? "16777216" : "1090519040");
  EXPECT_EQ(group.read("cpu", "cpu.max", "cpu.cfs_quota_us").substr(0, 5), "50000");
  EXPECT_EQ(group.read("cpu", "cpu.weight", "cpu.shares"), group.layout().has_v2("cpu") ? "100" : "2598");
  EXPECT_EQ(group.read("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
  EXPECT_EQ(group.read("pids", "pids.max", "pids.max"), "77");
}

TEST_F(LimitsKernelTest, IoLimitsAreTaken) {
  if (const auto reason = no_controller("io")) GTEST_SKIP() << "probe: " << *reason;
  std::string disk;
  for (const char* name : {"vda", "sda", "nvme0n1", "xvda"}) {
    if (auto text = read_file_if_exists(AT_FDCWD, formatted("/sys/block/{}/dev", name))) disk = trim(*text);
  }
  if (disk.empty()) GTEST_SKIP() << "probe: no disk whose name this test knows";
  TestGroup group("io");
  group.start({{"io.max", disk + " rbps=1048576 wiops=100", {}}});
  EXPECT_EQ(
      group.read(group.layout().has_v2("io") ? "io" : "blkio", "io.max", "blkio.throttle.read_bps_device"),
      group.layout().has_v2("io") ? disk + " rbps=1048576 wbps=max riops=max wiops=100" : disk + " 1048576");
  group.apply(place({{"io.max", disk + " rbps=max", {}}}, group.layout()));
  if (!group.layout().has_v2("io")) {
    EXPECT_EQ(group.read("blkio", "", "blkio.throttle.read_bps_device"), "");
    EXPECT_EQ(group.read("blkio", "", "blkio.throttle.write_iops_device"), disk + " 100");
  }
}

TEST_F(LimitsKernelTest, MemoryLimitKillsAnAllocatingChild) {
  if (const auto reason = no_controller("memory")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("memory");
  group.start({{"memory.swap.max", "0", {}}, {"memory.max", "32M", {}}});
  Child greedy(group, [] {
    fill(256 * kMegabyte);
    return 0;
  });
  const int status = greedy.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  Child modest(group, [] {
    fill(4 * kMegabyte);
    return 0;
  });
  EXPECT_EQ(modest.wait(), 0);
}

TEST_F(LimitsKernelTest, MemoryAndSwapLimitsGrowAndShrinkLive) {
  if (const auto reason = no_controller("memory")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("live");
  const auto set = [&group](const char* memory, const char* swap) {
    group.apply(place({{"memory.swap.max", swap, {}}, {"memory.max", memory, {}}}, group.layout()));
    return group.read("memory", "memory.max", "memory.limit_in_bytes");
  };
  group.start({{"memory.swap.max", "1M", {}}, {"memory.max", "32M", {}}});
  EXPECT_EQ(set("128M", "1M"), "134217728");
  EXPECT_EQ(set("64M", "0"), "67108864");
  EXPECT_EQ(set("64M", "64M"), "67108864");
  const std::string unlimited = set("max", "max");
  EXPECT_TRUE(unlimited == "max" || unlimited.size() > 18) << unlimited;
  EXPECT_EQ(set("32M", "0"), "33554432");
}

TEST_F(LimitsKernelTest, PidsLimitRefusesToFork) {
  if (const auto reason = no_controller("pids")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("pids");
  group.start({{"pids.max", "3", {}}});
  Child forker(group, [] {
    for (int made = 1; made < 10; ++made) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::pause();
        ::_exit(0);
      }
      if (pid < 0) return errno == EAGAIN ? made : 90;
    }
    return 91;
  });
  const int status = forker.wait();
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 3);
}

TEST_F(LimitsKernelTest, CpusetIsWhatTheSchedulerSays) {
  if (const auto reason = no_controller("cpuset")) GTEST_SKIP() << "probe: " << *reason;
  const CpuList allowed = effective_cpus(detect_layout());
  if (allowed.size() < 2) GTEST_SKIP() << "probe: this host has one CPU";
  for (const unsigned cpu : {allowed.front(), allowed.back()}) {
    TestGroup group("cpuset");
    group.start({{"cpuset.cpus", print_cpu_list({cpu}), {}}});
    Child child(group, [cpu] {
      cpu_set_t set;
      if (::sched_getaffinity(0, sizeof set, &set) < 0) return 90;
      return CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set) ? 0 : 1;
    });
    EXPECT_EQ(child.wait(), 0) << cpu;
  }
}

TEST_F(LimitsKernelTest, RawMemsAloneAreEnoughForACpuset) {
  if (const auto reason = no_controller("cpuset")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("mems");
  group.start({{"cpuset.mems", "0", {}}});
  Child child(group, [] { return 0; });
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(LimitsKernelTest, CpuMaxThrottles) {
  if (const auto reason = no_controller("cpu")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("cpu");
  group.start({{"cpu.max", "2000 20000", {}}});
  SharedCounter rounds;
  const Child spinner(group, [&rounds] {
    for (;;) rounds.add();
    return 0;
  });
  // The time is added when a throttled group runs again, after the count.
  const std::string time = group.layout().has_v2("cpu") ? "throttled_usec" : "throttled_time";
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text = group.read("cpu", "cpu.stat", "cpu.stat");
    if (keyed(text, "nr_throttled") >= 3 && keyed(text, time) > 0) break;
    ::usleep(10000);
  }
  EXPECT_GE(keyed(text, "nr_throttled"), 3U);
  EXPECT_GT(keyed(text, time), 0U);
}

TEST_F(LimitsKernelTest, StatisticsSeeUsedMemory) {
  if (const auto reason = no_controller("memory")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("statistics");
  group.start({{"memory.max", "256M", {}}});
  SharedCounter filled;
  const Child child(group, [&filled] {
    fill(32 * kMegabyte);
    filled.add();
    ::pause();
    return 0;
  });
  ASSERT_TRUE(filled.reaches(1));
  const Statistics statistics = read_statistics(group.layout(), group.path());
  ASSERT_TRUE(statistics.memory_bytes);
  EXPECT_GE(*statistics.memory_bytes, 32 * kMegabyte);
  EXPECT_LT(*statistics.memory_bytes, 64 * kMegabyte);
  EXPECT_EQ(statistics.cpu.has_value(), path_exists(AT_FDCWD, group.directory() + "/cpu.pressure"));
}

}  // namespace
}  // namespace hutch::cgroupv2
