#include "cgroupv2/statistics.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/cgroupv2/fake_tree.h"

namespace hutch::cgroupv2 {
namespace {

class StatisticsTest : public testing::Test {
 protected:
  Layout unified() const { return {.unified = tree_.path(), .v2_controllers = {"cpu", "io", "memory"}}; }
  Layout hybrid() const {
    return {.unified = tree_.path(),
            .v1 = {{"memory", tree_.path() + "/memory"}, {"blkio", tree_.path() + "/blkio"}}};
  }
  FakeTree tree_;
};

TEST_F(StatisticsTest, UnifiedFiles) {
  tree_.write("lxc/100/memory.current", "1000000\n");
  tree_.write("lxc/100/memory.stat", "anon 700000\nfile 300000\nfile_mapped 1\n");
  tree_.write("lxc/100/memory.swap.current", "4096\n");
  tree_.write("lxc/100/io.stat",
              "8:0 rbytes=100 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:0\n8:16 rbytes=1 wbytes=2 rios=0 "
              "wios=0\n");
  tree_.write("lxc/100/cpu.pressure", "some avg10=12.34 avg60=1.00 avg300=0.53 total=5\n");
  tree_.write(
      "lxc/100/memory.pressure",
      "some avg10=0.50 avg60=1.00 avg300=0.53 total=5\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=0\n");
  const Statistics result = read_statistics(unified(), "lxc/100");
  EXPECT_EQ(result.memory_bytes, 700000U);
  EXPECT_EQ(result.swap_bytes, 4096U);
  EXPECT_EQ(result.io_read_bytes, 101U);
  EXPECT_EQ(result.io_written_bytes, 22U);
  EXPECT_EQ(result.cpu, (Pressure{12.34, 0}));
  EXPECT_EQ(result.memory, (Pressure{0.5, 0.25}));
  EXPECT_EQ(result.io, std::nullopt);
}

TEST_F(StatisticsTest, HybridFiles) {
  tree_.write("memory/lxc/100/memory.usage_in_bytes", "1000000\n");
  tree_.write("memory/lxc/100/memory.stat", "cache 1\nswap 2\ntotal_cache 250000\ntotal_swap 8192\n");
  tree_.write(
      "blkio/lxc/100/blkio.throttle.io_service_bytes_recursive",
      "8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:0 Total 120\n8:16 Read 1\n8:16 Write 2\nTotal 123\n");
  const Statistics result = read_statistics(hybrid(), "lxc/100");
  EXPECT_EQ(result.memory_bytes, 750000U);
  EXPECT_EQ(result.swap_bytes, 8192U);
  EXPECT_EQ(result.io_read_bytes, 101U);
  EXPECT_EQ(result.io_written_bytes, 22U);
}

TEST_F(StatisticsTest, CacheReadLaterCanBeLarger) {
  tree_.write("lxc/100/memory.current", "100\n");
  tree_.write("lxc/100/memory.stat", "file 4096\n");
  EXPECT_EQ(read_statistics(unified(), "lxc/100").memory_bytes, 0U);
}

TEST_F(StatisticsTest, AGroupThatDoesNotExistGivesNothing) {
  EXPECT_EQ(read_statistics(unified(), "lxc/100"), Statistics{});
  EXPECT_EQ(read_statistics(hybrid(), "lxc/100"), Statistics{});
}

TEST_F(StatisticsTest, StrangeTextIsAnError) {
  tree_.write("lxc/100/memory.current", "plenty\n");
  tree_.write("lxc/100/memory.stat", "file 1\n");
  EXPECT_THROW(read_statistics(unified(), "lxc/100"), Error);
  tree_.write("lxc/100/memory.current", "1\n");
  tree_.write("lxc/100/io.pressure", "some avg10=much avg60=1\n");
  EXPECT_THROW(read_statistics(unified(), "lxc/100"), Error);
}

}  // namespace
}  // namespace hutch::cgroupv2
