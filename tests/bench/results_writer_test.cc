#include "bench/results_writer.h"

#include <gtest/gtest.h>

namespace hutch::bench {
namespace {

Results sample_results() {
  Results results;
  results.host = {"6.18", 2, "hybrid", "2026-11-21", "/a/\"b\"/pct"};
  results.plan = "host 1\n\tchild\\ 2 \x01\n";
  results.series = {{"start", "base", "pct", "ms", "", {1.5, 2.25, 1e-3}},
                    {"micro", "read_config/20", "pct", "ns", "a, \"b\"", {123456.75}}};
  return results;
}

// results_test.cc shows that the reader is strict.
TEST(ResultsWriter, WhatIsWrittenIsRead) {
  const Results written = sample_results();
  const Results read = parse_results(print_results(written, ""), "r.json");
  EXPECT_EQ(read.host.kernel, written.host.kernel);
  EXPECT_EQ(read.host.cpus, written.host.cpus);
  EXPECT_EQ(read.host.cgroups, written.host.cgroups);
  EXPECT_EQ(read.host.date, written.host.date);
  EXPECT_EQ(read.host.pct, written.host.pct);
  EXPECT_EQ(read.plan, written.plan);
  ASSERT_EQ(read.series.size(), 2U);
  EXPECT_EQ(read.series[0].samples, written.series[0].samples);
  EXPECT_EQ(read.series[1].variant, "read_config/20");
  EXPECT_EQ(read.series[1].leaves_out, "a, \"b\"");
  EXPECT_TRUE(read.trace.empty());
}

TEST(ResultsWriter, KeepsTheTrace) {
  const std::string trace =
      R"({"traceEvents":[{"name":"mount","cat":"host","ph":"X","ts":10,"dur":5,"pid":1,"tid":1}]})";
  const Results read = parse_results(print_results(sample_results(), trace), "r.json");
  ASSERT_EQ(read.trace.size(), 1U);
  EXPECT_EQ(read.trace[0].name, "mount");
}

}  // namespace
}  // namespace hutch::bench
