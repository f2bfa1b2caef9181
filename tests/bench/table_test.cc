#include "bench/table.h"

#include <gtest/gtest.h>

namespace hutch::bench {
namespace {

TEST(Table, ShowsQuantilesAndRatios) {
  EXPECT_EQ(
      print_table(
          "start, base",
          {{"floor", {2, 2, 2}, "-"}, {"pct start", {3, 4, 5}, "nothing"}, {"crun", {}, "failed, see above"}},
          "ms", "floor", "leaves out"),
      "\nstart, base\n"
      "               median         p90         p99 x floor  leaves out\n"
      "floor         2.00 ms     2.00 ms     2.00 ms    1.00  -\n"
      "pct start     4.00 ms     4.80 ms     4.98 ms    2.00  nothing\n"
      "crun      failed, see above\n");
}

TEST(Table, WithoutReferenceThereIsNoRatio) {
  const std::string failed = print_table("a", {{"floor", {}, "x"}, {"pct", {250}, ""}}, "/s", "floor", "");
  EXPECT_NE(failed.find("pct        250 /s      250 /s      250 /s       -"), std::string::npos) << failed;
  const std::string none = print_table("a", {{"pct", {1}, ""}}, "kB", "", "");
  EXPECT_NE(none.find("1.00 kB       -"), std::string::npos) << none;
  EXPECT_EQ(none.find(" x "), std::string::npos) << none;
}

}  // namespace
}  // namespace hutch::bench
