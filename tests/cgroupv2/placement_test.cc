#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cgroupv2/writes.h"

namespace hutch::cgroupv2 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Origin kLine{"100.conf", 4};
const Origin kOther{"100.conf", 9};

const Layout kUnified{.unified = "/cg", .v2_controllers = {"cpu", "cpuset", "io", "memory", "pids"}};

Layout hybrid() {
  return {.unified = "/cg/unified",
          .v2_controllers = {"hugetlb"},
          .v1 = {{"blkio", "/cg/blkio"},
                 {"cpu", "/cg/cpu,cpuacct"},
                 {"cpuacct", "/cg/cpu,cpuacct"},
                 {"cpuset", "/cg/cpuset"},
                 {"memory", "/cg/memory"},
                 {"net_cls", "/cg/net_cls"},
                 {"pids", "/cg/pids"}}};
}

std::vector<PlacedWrite> place_hybrid(const std::string& file, const std::string& value) {
  return place({{file, value, kLine}}, hybrid());
}

std::string refusal(const std::vector<FileWrite>& writes, const Layout& layout,
                    const Origin& origin = kLine) {
  try {
    place(writes, layout);
  } catch (const Error& error) {
    EXPECT_EQ(error.origin(), origin);
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

TEST(PlacementTest, UnifiedWritesGoAsTheyAre) {
  const std::vector<FileWrite> writes = {{"memory.swap.max", "0", kLine}, {"memory.max", "3G", kLine},
                                         {"memory.low", "1G", kLine},     {"cpu.max", "max 100000", kLine},
                                         {"io.max", "8:0 rbps=1", kLine}, {"cgroup.max.depth", "3", kLine}};
  const auto placed = place(writes, kUnified);
  ASSERT_EQ(placed.size(), writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    EXPECT_EQ(placed[i], (PlacedWrite{"/cg", writes[i].file, writes[i].value, kLine}));
  }
}

TEST(PlacementTest, OrderIsKeptAndTreesAreMixed) {
  EXPECT_THAT(place({{"pids.max", "10", kLine}, {"hugetlb.2MB.max", "0", kLine}, {"cpu.weight", "1", kLine}},
                    hybrid()),
              ElementsAre(PlacedWrite{"/cg/pids", "pids.max", "10", kLine},
                          PlacedWrite{"/cg/unified", "hugetlb.2MB.max", "0", kLine},
                          PlacedWrite{"/cg/cpu,cpuacct", "cpu.shares", "2", kLine}));
}

TEST(PlacementTest, MemoryOnV1KeepsSuffixesAndSaysMinusOne) {
  EXPECT_THAT(place_hybrid("memory.max", "3G"),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.limit_in_bytes", "3G", kLine}));
  EXPECT_THAT(place_hybrid("memory.max", "max"),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.limit_in_bytes", "-1", kLine}));
  EXPECT_THAT(place_hybrid("memory.high", "1016M"),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.soft_limit_in_bytes", "1016M", kLine}));
  EXPECT_THAT(refusal({{"memory.max", "lots", kLine}}, hybrid()), HasSubstr("not of the form"));
}

TEST(PlacementTest, SwapOnV1IsTheSumAfterTheLimit) {
  EXPECT_THAT(place({{"memory.swap.max", "512M", kOther}, {"memory.max", "1G", kLine}}, hybrid()),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.limit_in_bytes", "1G", kLine},
                          PlacedWrite{"/cg/memory", "memory.memsw.limit_in_bytes", "1610612736", kOther}));
}

TEST(PlacementTest, TheLastMemoryLinesWinOnV1) {
  EXPECT_THAT(place({{"memory.swap.max", "0", kOther},
                     {"memory.max", "1G", kOther},
                     {"memory.max", "2G", kLine},
                     {"memory.swap.max", "1G", kLine}},
                    hybrid()),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.limit_in_bytes", "2G", kLine},
                          PlacedWrite{"/cg/memory", "memory.memsw.limit_in_bytes", "3221225472", kLine}));
}

TEST(PlacementTest, UnlimitedSwapOnV1) {
  EXPECT_THAT(place({{"memory.swap.max", "max", kOther}, {"memory.max", "1G", kLine}}, hybrid()),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.limit_in_bytes", "1G", kLine},
                          PlacedWrite{"/cg/memory", "memory.memsw.limit_in_bytes", "-1", kOther}));
  EXPECT_THAT(
      place({{"memory.swap.max", "16777215T", kOther}, {"memory.max", "16777215T", kLine}}, hybrid()).back(),
      (PlacedWrite{"/cg/memory", "memory.memsw.limit_in_bytes", "-1", kOther}));
}

TEST(PlacementTest, SwapLimitWithoutMemoryLimitIsRefusedOnV1) {
  EXPECT_THAT(refusal({{"memory.swap.max", "1G", kLine}}, hybrid()), HasSubstr("needs a limit for memory"));
  EXPECT_THAT(refusal({{"memory.max", "max", kOther}, {"memory.swap.max", "1G", kLine}}, hybrid()),
              HasSubstr("needs a limit for memory"));
}

TEST(PlacementTest, SwapLimitNeedsSwapAccounting) {
  Layout layout = hybrid();
  layout.v1_swap_accounting = false;
  EXPECT_THAT(refusal({{"memory.max", "1G", kOther}, {"memory.swap.max", "0", kLine}}, layout),
              AllOf(HasSubstr("does not count swap"), HasSubstr("swapaccount=1")));
  EXPECT_THAT(place({{"memory.max", "1G", kLine}, {"memory.swap.max", "max", kLine}}, layout),
              ElementsAre(PlacedWrite{"/cg/memory", "memory.limit_in_bytes", "1G", kLine}));
}

TEST(PlacementTest, CpuBandwidth) {
  EXPECT_THAT(place_hybrid("cpu.max", "150000 100000"),
              ElementsAre(PlacedWrite{"/cg/cpu,cpuacct", "cpu.cfs_period_us", "100000", kLine},
                          PlacedWrite{"/cg/cpu,cpuacct", "cpu.cfs_quota_us", "150000", kLine}));
  EXPECT_THAT(place_hybrid("cpu.max", "max 50000"),
              ElementsAre(PlacedWrite{"/cg/cpu,cpuacct", "cpu.cfs_period_us", "50000", kLine},
                          PlacedWrite{"/cg/cpu,cpuacct", "cpu.cfs_quota_us", "-1", kLine}));
  EXPECT_THAT(place_hybrid("cpu.max", "20000"),
              ElementsAre(PlacedWrite{"/cg/cpu,cpuacct", "cpu.cfs_quota_us", "20000", kLine}));
  for (const char* value : {"", "fast", "1 2 3", "1 slow", "-1"}) {
    EXPECT_THAT(refusal({{"cpu.max", value, kLine}}, hybrid()), HasSubstr("not of the form")) << value;
  }
}

TEST(PlacementTest, AFreshGroupHasItsCpuPeriod) {
  const auto fresh = [](const char* value, const char* then = nullptr) {
    std::vector<FileWrite> writes = {{"cpu.max", value, kLine}};
    if (then != nullptr) writes.push_back({"cpu.max", then, kLine});
    std::vector<std::string> texts;
    for (const auto& write : for_fresh_group(place(writes, hybrid()))) {
      texts.push_back(write.file + "=" + write.value);
    }
    return texts;
  };
  EXPECT_THAT(fresh("150000 100000"), ElementsAre("cpu.cfs_quota_us=150000"));
  EXPECT_THAT(fresh("max 50000"), ElementsAre("cpu.cfs_period_us=50000", "cpu.cfs_quota_us=-1"));
  EXPECT_THAT(fresh("20000 50000", "20000 100000"),
              ElementsAre("cpu.cfs_period_us=50000", "cpu.cfs_quota_us=20000", "cpu.cfs_period_us=100000",
                          "cpu.cfs_quota_us=20000"));
  EXPECT_EQ(for_fresh_group({{"/cg", "cpu.max", "1000 100000", kLine}}).size(), 1U);
}

TEST(PlacementTest, CpuWeightBecomesShares) {
  EXPECT_EQ(place_hybrid("cpu.weight", "10000").at(0).value, "262144");
  EXPECT_EQ(place_hybrid("cpu.weight", "100").at(0).value, "2598");
  EXPECT_THAT(refusal({{"cpu.weight", "0", kLine}}, hybrid()), HasSubstr("1..10000"));
}

TEST(PlacementTest, FilesOfTheSameName) {
  for (const auto& [file, value] :
       {std::pair{"cpuset.cpus", "0-1"}, std::pair{"cpuset.mems", "0"}, std::pair{"pids.max", "max"}}) {
    const auto placed = place_hybrid(file, value);
    ASSERT_EQ(placed.size(), 1U);
    EXPECT_EQ(placed[0].file, file);
    EXPECT_EQ(placed[0].value, value);
  }
}

TEST(PlacementTest, IoLimitsBecomeOneFileEach) {
  EXPECT_THAT(place_hybrid("io.max", "8:16 rbps=1048576 wbps=max riops=100 wiops=200"),
              ElementsAre(PlacedWrite{"/cg/blkio", "blkio.throttle.read_bps_device", "8:16 1048576", kLine},
                          PlacedWrite{"/cg/blkio", "blkio.throttle.write_bps_device", "8:16 0", kLine},
                          PlacedWrite{"/cg/blkio", "blkio.throttle.read_iops_device", "8:16 100", kLine},
                          PlacedWrite{"/cg/blkio", "blkio.throttle.write_iops_device", "8:16 200", kLine}));
  for (const char* value :
       {"8:16", "sda rbps=1", "8:16 rbps", "8:16 bps=1", "8:16 rbps=0", "8:16 rbps=1M", ""}) {
    EXPECT_THAT(refusal({{"io.max", value, kLine}}, hybrid()), HasSubstr("not of the form")) << value;
  }
}

TEST(PlacementTest, IoWeightIsBfqs) {
  const auto weight = [](const char* value) {
    const auto placed = place_hybrid("io.weight", value).at(0);
    return placed.file + "=" + placed.value;
  };
  EXPECT_EQ(weight("200"), "blkio.bfq.weight=200");
  EXPECT_EQ(weight("default 200"), "blkio.bfq.weight=200");
  EXPECT_EQ(weight("10000"), "blkio.bfq.weight=1000");
  EXPECT_EQ(weight("8:0 300"), "blkio.bfq.weight_device=8:0 300");
  EXPECT_EQ(weight("8:0 default"), "blkio.bfq.weight_device=8:0 default");
  for (const char* value : {"", "0", "default", "8:0", "8:0 0", "1 2", "10001"}) {
    EXPECT_THAT(refusal({{"io.weight", value, kLine}}, hybrid()), HasSubstr("not of the form")) << value;
  }
}

TEST(PlacementTest, WhatV1CannotDoIsRefused) {
  for (const char* file : {"memory.low", "memory.oom.group", "cpuset.cpus.partition", "cpu.weight.nice",
                           "memory.zswap.max", "net_cls.classid"}) {
    EXPECT_THAT(refusal({{file, "1", kLine}}, hybrid()),
                AllOf(HasSubstr("on cgroup v1, which has no such setting"), HasSubstr("100.conf:4"),
                      HasSubstr(file)));
  }
}

TEST(PlacementTest, MissingControllersAreRefused) {
  EXPECT_THAT(refusal({{"misc.max", "1", kLine}}, hybrid()), HasSubstr("no cgroup controller 'misc'"));
  EXPECT_THAT(refusal({{"hugetlb.2MB.max", "1", kLine}}, kUnified),
              HasSubstr("no cgroup controller 'hugetlb'"));
  EXPECT_THAT(refusal({{"memory.max", "1", kLine}}, Layout{.unified = "/cg"}),
              HasSubstr("no cgroup controller 'memory'"));
}

TEST(PlacementTest, OnlyNamesOfControlFiles) {
  for (const char* file : {"memory", ".max", "", "../memory.max", "memory.max/../cgroup.procs"}) {
    EXPECT_THAT(refusal({{file, "1", kLine}}, kUnified), HasSubstr("not the name of a control file")) << file;
  }
}

TEST(PlacementTest, NothingGivesNothing) {
  EXPECT_THAT(place({}, hybrid()), IsEmpty());
}

}  // namespace
}  // namespace hutch::cgroupv2
