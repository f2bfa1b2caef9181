#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <regex>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "bench/picture_density.h"
#include "bench/picture_distribution.h"
#include "bench/picture_variants.h"
#include "bench/picture_waterfall.h"
#include "bench/svg.h"

// The pictures of tests/bench/pictures/results.json compared with those beside it. Run with
// HUTCH_UPDATE_GOLDEN=1 to write them anew, then look at the difference.
namespace hutch::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kDirectory = "tests/bench/pictures/";

struct Picture {
  const char* name;
  std::optional<std::string> (*draw)(const Results&);
};
constexpr Picture kPictures[] = {{"start-waterfall", draw_start_waterfall},
                                 {"start-distribution", draw_start_distribution},
                                 {"density", draw_density},
                                 {"start-variants", draw_start_variants}};

struct Text {
  double left = 0;
  double right = 0;
  double base = 0;
  double size = 0;
  std::string words;
};

double number(const std::ssub_match& text) {
  return parse_double(text.str()).value_or(std::numeric_limits<double>::quiet_NaN());
}

std::string unescaped(std::string text) {
  for (const auto& [escape, letter] :
       {std::pair("&lt;", "<"), std::pair("&gt;", ">"), std::pair("&quot;", "\""), std::pair("&amp;", "&")}) {
    text = std::regex_replace(text, std::regex(escape), letter);
  }
  return text;
}

std::vector<Text> texts_of(const std::string& svg) {
  const std::regex element(
      "<text x=\"([^\"]*)\" y=\"([^\"]*)\" font-size=\"([^\"]*)\" "
      "text-anchor=\"([^\"]*)\"[^>]*>([^<]*)</text>");
  std::vector<Text> texts;
  for (std::sregex_iterator match(svg.begin(), svg.end(), element), end; match != end; ++match) {
    Text text{number((*match)[1]), 0, number((*match)[2]), number((*match)[3]), unescaped((*match)[5])};
    const double width = text_width(text.words, text.size);
    if ((*match)[4] == "middle") text.left -= width / 2;
    if ((*match)[4] == "end") text.left -= width;
    text.right = text.left + width;
    texts.push_back(text);
  }
  return texts;
}

void expect_legible(const std::string& svg) {
  std::smatch size;
  ASSERT_TRUE(std::regex_search(svg, size, std::regex("viewBox=\"0 0 ([^ ]*) ([^\"]*)\"")));
  const auto texts = texts_of(svg);
  EXPECT_FALSE(texts.empty());
  for (const Text& text : texts) {
    EXPECT_GE(text.size, kSmallTextSize) << text.words;
    EXPECT_GE(text.left, 0) << text.words;
    EXPECT_LE(text.right, number(size[1])) << text.words;
    EXPECT_GE(text.base - text.size, 0) << text.words;
    EXPECT_LE(text.base + 3, number(size[2])) << text.words;
  }
  for (auto one = texts.begin(); one != texts.end(); ++one) {
    for (auto other = one + 1; other != texts.end(); ++other) {
      const bool beside = one->right <= other->left || other->right <= one->left;
      const double height = std::max(one->size, other->size);
      EXPECT_TRUE(beside || std::abs(one->base - other->base) >= height)
          << '\'' << one->words << "' touches '" << other->words << '\'';
    }
  }
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
}

// No line from a bar to its label goes through the text of another label.
void expect_free_leaders(const std::string& svg) {
  const std::regex leader(
      "<line x1=\"([^\"]*)\" y1=\"([^\"]*)\" x2=\"[^\"]*\" y2=\"([^\"]*)\" fill=\"none\" stroke=\"#9ca3af\"");
  const auto texts = texts_of(svg);
  int leaders = 0;
  for (std::sregex_iterator match(svg.begin(), svg.end(), leader), end; match != end; ++match, ++leaders) {
    const double x = number((*match)[1]);
    for (const Text& text : texts) {
      const bool beside = x <= text.left || x >= text.right;
      const bool above_or_below =
          text.base <= number((*match)[2]) || text.base - text.size >= number((*match)[3]);
      EXPECT_TRUE(beside || above_or_below) << "a line at " << x << " goes through '" << text.words << '\'';
    }
  }
  EXPECT_GT(leaders, 0);
}

class Pictures : public testing::TestWithParam<Picture> {
 protected:
  static Results results() { return read_results(kDirectory + "results.json"); }
};

TEST_P(Pictures, AreAsBefore) {
  const auto svg = GetParam().draw(results());
  ASSERT_TRUE(svg);
  const std::string file = kDirectory + GetParam().name + ".svg";
  if (std::getenv("HUTCH_UPDATE_GOLDEN") != nullptr) replace_file(AT_FDCWD, file, *svg, 0644);
  // Not EXPECT_EQ: a difference would be printed with both files in full.
  EXPECT_TRUE(read_file(AT_FDCWD, file) == *svg)
      << file << " differs; HUTCH_UPDATE_GOLDEN=1 writes it anew, then look at it";
}

TEST_P(Pictures, AreLegible) {
  expect_legible(GetParam().draw(results()).value_or(""));
}

TEST_P(Pictures, AreNotMadeWithoutData) {
  Results empty = results();
  empty.series.clear();
  empty.trace.clear();
  EXPECT_FALSE(GetParam().draw(empty));
}

INSTANTIATE_TEST_SUITE_P(All, Pictures, testing::ValuesIn(kPictures), [](const auto& test) {
  return std::regex_replace(test.param.name, std::regex("-"), "_");
});

Results with_series(std::vector<Series> series) {
  return {"run.json", {"6.18", 1, "unified", "2026-11-21", "pct"}, "plan", std::move(series), {}};
}

Results with_trace(std::vector<TraceStep> trace) {
  Results results = with_series({});
  results.trace = std::move(trace);
  return results;
}

TEST(Waterfall, LinesToLabelsCrossNoText) {
  expect_free_leaders(draw_start_waterfall(read_results(kDirectory + "results.json")).value_or(""));
}

TEST(Waterfall, WaitsAreHollowAndWorkIsFilled) {
  const auto svg =
      draw_start_waterfall(with_trace({{"pct", "pct", "work", 0, 1}, {"pct", "pct", "wait for <it>", 1, 1}}));
  ASSERT_TRUE(svg);
  EXPECT_TRUE(std::regex_search(*svg, std::regex("fill=\"#0072B2\"><title>work: 1.000 ms, from 0.000 ms<")));
  EXPECT_TRUE(std::regex_search(
      *svg,
      std::regex("fill=\"#ffffff\" stroke=\"#0072B2\" stroke-width=\"1.5\"><title>wait for &lt;it&gt;: ")));
  EXPECT_THAT(*svg, HasSubstr(">2 steps, 1.00 ms of work, 1.00 ms of waiting<"));
}

// A hundred steps of 1 % each is the most that must be labelled in a lane; then again as many short ones.
TEST(Waterfall, AllDueLabelsAreThereAndNoneTouch) {
  std::vector<TraceStep> steps;
  for (int i = 0; i < 97; ++i) {
    steps.push_back({"child", "child", formatted("mount the directory number {}", i), i * 0.0101, 0.01005});
    steps.push_back({"child", "child", formatted("short {}", i), i * 0.0101 + 0.01005, 0.00005});
  }
  const auto svg = draw_start_waterfall(with_trace(steps));
  ASSERT_TRUE(svg);
  for (int i = 0; i < 97; ++i)
    EXPECT_THAT(*svg, HasSubstr(formatted(">mount the directory number {} · 0.01 ms<", i)));
  expect_free_leaders(*svg);
  expect_legible(*svg);
}

TEST(Waterfall, StepsThatOverlapAreBelowEachOther) {
  const auto svg = draw_start_waterfall(with_trace(
      {{"pct", "pct", "outer", 0, 2}, {"pct", "pct", "inner", 0.5, 1}, {"other", "x", "else", 1, 1}}));
  ASSERT_TRUE(svg);
  std::smatch outer;
  std::smatch inner;
  const std::string bar = "y=\"([0-9.]*)\" width=\"[0-9.]*\" height=\"14\" fill=\"#0072B2\"><title>";
  ASSERT_TRUE(std::regex_search(*svg, outer, std::regex(bar + "outer")));
  ASSERT_TRUE(std::regex_search(*svg, inner, std::regex(bar + "inner")));
  EXPECT_LT(number(outer[1]), number(inner[1]));
  EXPECT_THAT(*svg, HasSubstr(">2 steps, 2.00 ms of work, 0.00 ms of waiting<"));
}

TEST(Waterfall, WorkBesideAWaitIsWork) {
  const auto svg = draw_start_waterfall(with_trace({{"pct", "pct", "wait for the links", 0, 3},
                                                    {"pct", "pct", "create", 1, 1},
                                                    {"pct", "pct", "more", 1.5, 1}}));
  ASSERT_TRUE(svg);
  EXPECT_THAT(*svg, HasSubstr(">3 steps, 1.50 ms of work, 1.50 ms of waiting<"));
}

TEST(Waterfall, ATraceWithoutTimeIsNoPicture) {
  EXPECT_FALSE(draw_start_waterfall(with_trace({{"pct", "pct", "work", 0, 0}})));
}

TEST(Distribution, WorksWithoutAFloorAndWithEqualSamples) {
  const auto svg = draw_start_distribution(with_series({{"start", "base", "pct", "ms", "", {2, 2}}}));
  ASSERT_TRUE(svg);
  EXPECT_THAT(*svg, HasSubstr(">2.00 ms<"));
  EXPECT_THAT(*svg, HasSubstr(">–<"));
  expect_legible(*svg);
}

TEST(Distribution, LongNotesAreWrapped) {
  std::string most = "network";
  for (int i = 0; i < 60; ++i) most += formatted(", step {}", i);
  const auto svg = draw_start_distribution(
      with_series({{"start", "base", "an unusually long name of a tool", "ms", most, {2, 3}}}));
  ASSERT_TRUE(svg);
  expect_legible(*svg);
  EXPECT_THAT(*svg, HasSubstr("step 59"));
}

TEST(Headings, AreCutAtTheEdge) {
  Results results = read_results(kDirectory + "results.json");
  results.host.kernel = std::string(200, '6');
  for (const Picture& picture : kPictures) expect_legible(picture.draw(results).value_or(""));
}

TEST(Density, OneOfThePanelsIsEnough) {
  const auto svg = draw_density(with_series({{"density_list", "10", "pct", "ms", "", {2}}}));
  ASSERT_TRUE(svg);
  EXPECT_THAT(*svg, HasSubstr("Time to list"));
  EXPECT_THAT(*svg, Not(HasSubstr("Time to start")));
  expect_legible(*svg);
}

TEST(Density, AVariantThatIsNoNumberIsNamed) {
  for (const char* variant : {"many", "0", ""}) {
    try {
      draw_density(with_series({{"density_list", variant, "pct", "ms", "", {2}}}));
      ADD_FAILURE() << "drawn with variant '" << variant << "'";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("'run.json': density_list of pct, variant"));
    }
  }
}

TEST(Variants, AVariantWithoutFloorIsMarked) {
  const auto svg = draw_start_variants(with_series({{"start", "base", "floor", "ms", "", {2}},
                                                    {"start", "base", "pct", "ms", "", {3}},
                                                    {"start", "image", "pct", "ms", "", {5}}}));
  ASSERT_TRUE(svg);
  EXPECT_THAT(*svg, HasSubstr(">1.50<"));
  EXPECT_THAT(*svg, HasSubstr(">2.50<"));
  EXPECT_THAT(*svg, HasSubstr(">image *<"));
  EXPECT_THAT(*svg, HasSubstr(">base<"));
}

TEST(Variants, WithoutAnyFloorThereIsNoPicture) {
  EXPECT_FALSE(draw_start_variants(with_series({{"start", "base", "pct", "ms", "", {3}}})));
}

}  // namespace
}  // namespace hutch::bench
