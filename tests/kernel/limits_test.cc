#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using cgroupv2::CpuMax;
using cgroupv2::Limit;
using ::testing::HasSubstr;

class LimitsTest : public ContainerTest {
 protected:
  // Content of a file of the container's limit group, on the tree that has the controller.
  std::string limit_file(const std::string& controller, const std::string& file) {
    const auto layout = cgroupv2::detect_layout();
    const std::string tree = layout.has_v2(controller) ? layout.unified : layout.v1_hierarchy(controller);
    return read_file(AT_FDCWD, formatted("{}/lxc/{}/{}", tree, vmid(), file));
  }
  std::uint64_t counter(const std::string& text, std::string_view key) {
    for (const auto line : split(text, '\n')) {
      const auto words = split_blanks(line);
      if (words.size() == 2 && words[0] == key) return *parse_unsigned(words[1]);
    }
    ADD_FAILURE() << "no " << key << " in " << text;
    return 0;
  }
};

TEST_F(LimitsTest, TheFirstProcessKeepsToItselfWhereMemoryIsTight) {
  EXPECT_TRUE(plan().shares_memory);
  spec.resources.memory_max = Located<Limit>{Limit::of(64U << 20), {}};
  EXPECT_TRUE(plan().shares_memory);
  spec.resources.memory_max = Located<Limit>{Limit::of((64U << 20) - 1), {}};
  EXPECT_FALSE(plan().shares_memory);
  spec.resources.memory_max.reset();
  spec.resources.raw = {{"memory.max", "16M", {}}};
  EXPECT_FALSE(plan().shares_memory);
}

// Whoever runs out of memory while starting must not take the starter with it.
TEST_F(LimitsTest, TooLittleMemoryForAStartIsSaid) {
  spec.resources.memory_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(4096), {}};
  EXPECT_THAT(start_error(), HasSubstr("is the memory limit large enough?"));
}

TEST_F(LimitsTest, MemoryLimitKills) {
  spec.resources.memory_max = Located<Limit>{Limit::of(32U << 20), {}};
  spec.resources.memory_swap_max = Located<Limit>{Limit::of(0), {}};
  start();
  EXPECT_EQ(exec({"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=8M", "count=1"}).status, 0);
  EXPECT_EQ(exec({"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"}).status, 137);
}

TEST_F(LimitsTest, CpuMaxThrottles) {
  spec.resources.cpu_max = Located<CpuMax>{CpuMax{10000, 100000}, {}};
  start();
  const auto throttled = [&] { return counter(limit_file("cpu", "cpu.stat"), "nr_throttled"); };
  // In small portions: how long a portion takes depends on the host by orders of magnitude.
  for (int portion = 0; portion < 200 && throttled() == 0; ++portion) {
    sh("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done");
  }
  EXPECT_GT(throttled(), 0U);
}

TEST_F(LimitsTest, CpusetIsWhatNprocSees) {
  spec.resources.cpu_count = Located<std::uint32_t>{1, {}};
  start();
  EXPECT_EQ(sh("nproc"), "1");
}

TEST_F(LimitsTest, PidsMaxRefuses) {
  spec.resources.pids_max = Located<Limit>{Limit::of(8), {}};
  start();
  // None of them ends before the last has begun, and none holds the output.
  EXPECT_THAT(sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 >/dev/null 2>&1 & done; echo"),
              HasSubstr("can't fork"));
}

TEST_F(LimitsTest, RawCgroupLinesAreWritten) {
  spec.resources.raw = {{"pids.max", "77", {"test.conf", 3}}};
  start();
  EXPECT_EQ(trim(limit_file("pids", "pids.max")), "77");
}

TEST_F(LimitsTest, ALimitThatTheKernelRefusesNamesItsLine) {
  spec.resources.raw = {{"pids.max", "many", {"test.conf", 3}}};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("test.conf:3"));
  EXPECT_THAT(error, HasSubstr("pids.max"));
}

TEST_F(LimitsTest, RlimitsAreInits) {
  spec.rlimits = {{"nofile", 123, 456, {}}};
  start();
  EXPECT_THAT(sh("grep 'Max open files' /proc/1/limits"), HasSubstr("123                  456"));
}

TEST_F(LimitsTest, SysctlsOfTheContainersNamespaces) {
  spec.sysctls = {{"kernel.msgmax", {"4321", {}}}};
  start();
  EXPECT_EQ(sh("cat /proc/sys/kernel/msgmax"), "4321");
}

}  // namespace
}  // namespace hutch::kernel_test
