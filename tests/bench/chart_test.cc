#include "bench/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <set>

#include "base/error.h"

namespace hutch::bench {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Scale, MapsBothEndsAndTheMiddle) {
  const Scale linear(Scale::Kind::linear, 0, 10, 100, 200);
  EXPECT_DOUBLE_EQ(linear.at(0), 100);
  EXPECT_DOUBLE_EQ(linear.at(5), 150);
  const Scale upwards(Scale::Kind::linear, 0, 10, 200, 100);
  EXPECT_DOUBLE_EQ(upwards.at(10), 100);
  const Scale logarithmic(Scale::Kind::logarithmic, 1, 100, 0, 200);
  EXPECT_DOUBLE_EQ(logarithmic.at(10), 100);
}

TEST(Scale, RefusesWhatIsNoAxis) {
  EXPECT_THROW(Scale(Scale::Kind::linear, 1, 1, 0, 10), Error);
  EXPECT_THROW(Scale(Scale::Kind::logarithmic, 0, 1, 0, 10), Error);
}

TEST(Ticks, AreRoundNumbers) {
  EXPECT_THAT(nice_ticks(0, 3.4, 8), ElementsAre(0, 0.5, 1, 1.5, 2, 2.5, 3));
  EXPECT_THAT(nice_ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(nice_ticks(0, 0.03, 3), ElementsAre(0, DoubleEq(0.01), DoubleEq(0.02), DoubleEq(0.03)));
  EXPECT_THAT(logarithmic_ticks(1, 20), ElementsAre(1, 2, 5, 10, 20));
  EXPECT_THAT(logarithmic_ticks(0.2, 1), ElementsAre(DoubleNear(0.2, 1e-9), DoubleNear(0.5, 1e-9), 1));
  EXPECT_THAT(logarithmic_ticks(3, 4), ElementsAre());
}

TEST(Nice, RoundsToOneTwoFive) {
  EXPECT_DOUBLE_EQ(nice_floor(3.7), 2);
  EXPECT_DOUBLE_EQ(nice_ceiling(3.7), 5);
  EXPECT_DOUBLE_EQ(nice_ceiling(7), 10);
  EXPECT_DOUBLE_EQ(nice_floor(0.05), 0.05);
  EXPECT_DOUBLE_EQ(nice_ceiling(0.05), 0.05);
  EXPECT_DOUBLE_EQ(nice_floor(1000), 1000);
  EXPECT_DOUBLE_EQ(nice_ceiling(1000), 1000);
}

TEST(NumberText, HasAboutThreeDigits) {
  EXPECT_EQ(number_text(0.125), "0.125");
  EXPECT_EQ(number_text(2.4), "2.40");
  EXPECT_EQ(number_text(35.12), "35.1");
  EXPECT_EQ(number_text(1204.4), "1204");
  EXPECT_EQ(number_text(2, true), "2");
  EXPECT_EQ(number_text(100, true), "100");
  EXPECT_EQ(number_text(0, true), "0");
}

TEST(XAxis, LeavesOutTextsThatWouldTouch) {
  Drawing drawing(200, 100, "axis");
  draw_x_axis(drawing, Scale(Scale::Kind::linear, 0, 1000, 0, 100), {0, 500, 510, 1000}, 0, 50, "x");
  EXPECT_THAT(drawing.svg(), HasSubstr(">500<"));
  EXPECT_THAT(drawing.svg(), Not(HasSubstr(">510<")));
  EXPECT_THAT(drawing.svg(), HasSubstr(">1000<"));
}

TEST(Tools, HaveColoursOfTheirOwn) {
  std::set<std::string> colours;
  for (const char* tool : {"floor", "pct", "lxc", "crun", "runc", "nspawn", "bwrap", "another"}) {
    EXPECT_TRUE(colours.insert(tool_colour(tool)).second) << tool;
  }
  EXPECT_EQ(tool_label("nspawn"), "systemd-nspawn");
  EXPECT_EQ(tool_label("another"), "another");
}

}  // namespace
}  // namespace hutch::bench
