#include "bench/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace hutch::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 31 samples spread evenly by `part` of the middle to both sides.
std::vector<double> around(double middle, double part = 0.05) {
  std::vector<double> samples;
  for (int i = -15; i <= 15; ++i) samples.push_back(middle * (1 + part * i / 15));
  return samples;
}

Series series(const std::string& group, const std::string& variant, const std::string& tool,
              std::vector<double> samples, const std::string& unit = "ms") {
  return {group, variant, tool, unit, "", std::move(samples)};
}

Results run(std::vector<Series> all) {
  return {"run.json", {"6.18", 2, "hybrid", "2026-11-21", "pct"}, "plan", std::move(all), {}};
}

// The row of the old run's last series.
Comparison last(const std::vector<Series>& older, const std::vector<Series>& newer, double bound = 1.15) {
  const auto report = compare(run(older), run(newer), {bound, ""});
  return report.rows.at(older.size() - 1);
}

TEST(Compare, AStartThatGotSlowerFails) {
  const std::vector<Series> older = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", around(2.2))};
  const std::vector<Series> newer = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", around(2.7))};
  const auto report = compare(run(older), run(newer), {});
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].verdict, Verdict::reference);
  EXPECT_EQ(report.rows[1].reference, "floor");
  EXPECT_NEAR(report.rows[1].old_ratio, 1.1, 1e-9);
  EXPECT_NEAR(report.rows[1].new_ratio, 1.35, 1e-9);
  EXPECT_NEAR(report.rows[1].change, 1.35 / 1.1, 1e-9);
  EXPECT_EQ(report.rows[1].verdict, Verdict::worse);
  EXPECT_TRUE(report.failed());
  EXPECT_EQ(last(older, newer, 1.3).verdict, Verdict::kept);
  EXPECT_EQ(last(newer, older).verdict, Verdict::better);
}

TEST(Compare, AFasterMachineHidesNothing) {
  const std::vector<Series> older = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", around(2.2))};
  EXPECT_EQ(
      last(older, {series("start", "base", "floor", around(1)), series("start", "base", "pct", around(2))})
          .verdict,
      Verdict::worse);
  EXPECT_EQ(
      last(older, {series("start", "base", "floor", around(20)), series("start", "base", "pct", around(22))})
          .verdict,
      Verdict::kept);
}

TEST(Compare, AChangeWithinTheNoiseDoesNotFail) {
  const std::vector<Series> older = {series("start", "base", "floor", around(2, 0.9)),
                                     series("start", "base", "pct", around(2, 0.9))};
  const std::vector<Series> newer = {series("start", "base", "floor", around(2, 0.9)),
                                     series("start", "base", "pct", around(2.4, 0.9))};
  const Comparison row = last(older, newer);
  EXPECT_EQ(row.verdict, Verdict::noise);
  EXPECT_GT(row.change, 1.15);
  EXPECT_LT(row.interval.low, 1);
  EXPECT_FALSE(compare(run(older), run(newer), {}).failed());
}

TEST(Compare, FewSamplesAreNotJudged) {
  const std::vector<Series> older = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", {2, 2, 2, 2})};
  const std::vector<Series> newer = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", around(9))};
  EXPECT_EQ(last(older, newer).verdict, Verdict::few);
}

TEST(Compare, MoreStartsPerSecondAreBetter) {
  const std::vector<Series> older = {series("parallel", "8", "lxc", around(50), "starts/s"),
                                     series("parallel", "8", "pct", around(700), "starts/s")};
  const std::vector<Series> newer = {series("parallel", "8", "lxc", around(50), "starts/s"),
                                     series("parallel", "8", "pct", around(350), "starts/s")};
  const Comparison slower = last(older, newer);
  EXPECT_EQ(slower.verdict, Verdict::worse);
  EXPECT_NEAR(slower.change, 2, 1e-9);
  EXPECT_LT(slower.interval.low, 2);
  EXPECT_GT(slower.interval.high, 2);
  EXPECT_EQ(last(newer, older).verdict, Verdict::better);
}

TEST(Compare, ReferencesFollowTheTable) {
  const auto reference = [](const std::vector<Series>& all) { return last(all, all).reference; };
  const auto pct = [](const std::string& group, const std::string& variant) {
    return series(group, variant, "pct", around(2));
  };
  const auto other = [](const std::string& group, const std::string& variant, const std::string& tool) {
    return series(group, variant, tool, around(3));
  };
  EXPECT_EQ(
      reference({other("start", "base", "floor"), other("start", "none", "floor"), pct("start", "none")}),
      "floor");
  EXPECT_EQ(reference({other("start", "base", "floor"), pct("start", "overlay")}), "floor in base");
  EXPECT_EQ(reference({other("start", "base", "lxc"), pct("start", "base")}), "");
  EXPECT_EQ(reference({other("create", "zst", "tar"), other("create", "zst", "lxc"), pct("create", "zst")}),
            "tar");
  EXPECT_EQ(reference({other("destroy", "zst", "rm"), pct("destroy", "zst")}), "rm");
  EXPECT_EQ(
      reference({other("density_start", "9", "floor"), pct("density_start", "1"), pct("density_start", "9")}),
      "floor");
  EXPECT_EQ(reference({other("parallel", "8", "lxc"), other("parallel", "8", "floor"), pct("parallel", "8")}),
            "floor");
  EXPECT_EQ(reference({other("exec", "base", "crun"), other("exec", "base", "lxc"), pct("exec", "base")}),
            "lxc");
  EXPECT_EQ(reference({other("exec", "other", "lxc"), pct("exec", "base")}), "");
  EXPECT_EQ(
      reference({pct("density_start", "100"), pct("density_start", "10"), pct("density_start", "1000")}),
      "pct in 10");
  EXPECT_EQ(
      reference({pct("density_list", "10"), other("density_list", "1", "lxc"), pct("density_list", "1")}),
      "lxc");
  EXPECT_EQ(last({pct("micro", "parse")}, {pct("micro", "parse")}).verdict, Verdict::alone);
}

// The reference has to be there in both runs.
TEST(Compare, APeerThatIsGoneIsNoReference) {
  const std::vector<Series> older = {series("exec", "base", "lxc", around(9)),
                                     series("exec", "base", "crun", around(8)),
                                     series("exec", "base", "pct", around(2))};
  const std::vector<Series> newer = {older[1], older[2]};
  EXPECT_EQ(last(older, newer).reference, "crun");
}

TEST(Compare, AMissingSeriesFails) {
  const std::vector<Series> older = {series("exec", "base", "lxc", around(9)),
                                     series("exec", "base", "pct", around(2))};
  const auto report = compare(run(older), run({older[0]}), {});
  EXPECT_TRUE(report.failed());
  EXPECT_THAT(
      report_text(report, {}),
      HasSubstr("failed: exec of pct, variant base: measured in the old run, missing in the new one\n"));
}

TEST(Compare, AnotherUnitFails) {
  EXPECT_EQ(last({series("exec", "base", "pct", around(2))}, {series("exec", "base", "pct", around(2), "us")})
                .verdict,
            Verdict::unit);
}

TEST(Compare, ANewSeriesIsListed) {
  const std::vector<Series> newer = {series("exec", "base", "pct", around(2)),
                                     series("stop", "base", "pct", around(4))};
  const auto report = compare(run({newer[0]}), run(newer), {});
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[1].group, "stop");
  EXPECT_EQ(report.rows[1].verdict, Verdict::added);
  EXPECT_FALSE(report.failed());
}

TEST(Compare, OneToolCanBeChosen) {
  const std::vector<Series> older = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "lxc", around(30)),
                                     series("start", "base", "pct", around(2))};
  const auto report = compare(run(older), run({older[0], older[2]}), {1.15, "pct"});
  ASSERT_EQ(report.rows.size(), 1U);
  EXPECT_EQ(report.rows[0].verdict, Verdict::kept);
  EXPECT_FALSE(report.failed());
}

TEST(Compare, NothingToJudgeIsAnError) {
  EXPECT_THROW(compare(run({}), run({}), {}), Error);
  EXPECT_THROW(compare(run({series("exec", "base", "lxc", around(2))}), run({}), {1.15, "pct"}), Error);
  EXPECT_THROW(compare(run({series("exec", "base", "lxc", around(2))}), run({}), {0.9, ""}), Error);
}

TEST(Compare, NotesWhatElseDiffers) {
  Results older = run({series("exec", "base", "pct", around(2))});
  Results newer = older;
  EXPECT_THAT(compare(older, newer, {}).notes, ElementsAre());
  newer.host.kernel = "6.1";
  newer.plan = "another";
  newer.series[0].leaves_out = "seccomp";
  EXPECT_THAT(
      compare(older, newer, {}).notes,
      ElementsAre("kernel: '6.18' in the old run, '6.1' in the new one",
                  "the plan of the start differs: check that no hardening step was lost",
                  "exec of pct, variant base leaves out: '' in the old run, 'seccomp' in the new one"));
}

TEST(Compare, TheTableShowsBothRatios) {
  const std::vector<Series> older = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", around(2.2))};
  const std::vector<Series> newer = {series("start", "base", "floor", around(2)),
                                     series("start", "base", "pct", around(2.7))};
  const std::string text = report_text(compare(run(older), run(newer), {}), {});
  EXPECT_THAT(
      text, testing::ContainsRegex("start +base +pct +floor +1.100 +1.350 +1.227 +1.[0-9]+-1.[0-9]+ +WORSE"));
  EXPECT_THAT(
      text, HasSubstr("failed: start of pct, variant base: 1.227 times worse to floor, the bound is 1.15\n"));
  EXPECT_THAT(text, HasSubstr("2 series, 1 judged with bound 1.15, 1 failed\n"));
}

}  // namespace
}  // namespace hutch::bench
