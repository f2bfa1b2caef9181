#include "bench/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace hutch::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(SvgNumber, HasTwoDecimalsAtMost) {
  EXPECT_EQ(svg_number(3), "3");
  EXPECT_EQ(svg_number(12.5), "12.5");
  EXPECT_EQ(svg_number(1.0 / 3), "0.33");
  EXPECT_EQ(svg_number(100), "100");
  EXPECT_EQ(svg_number(-0.001), "0");
  EXPECT_EQ(svg_number(-0.25), "-0.25");
}

TEST(SvgNumber, RefusesWhatIsNoPlace) {
  EXPECT_THROW(svg_number(std::nan("")), Error);
  EXPECT_THROW(svg_number(INFINITY), Error);
}

TEST(SvgEscaped, LeavesNoMarkup) {
  EXPECT_EQ(svg_escaped("a<b> & \"c\"\n\x01é"), "a&lt;b&gt; &amp; &quot;c&quot;  é");
}

TEST(Drawing, EscapesTextTitleAndAttributes) {
  Drawing drawing(10, 10, "<title> \"x\"");
  drawing.text({1, 2}, "</text><script>");
  drawing.rect(0, 0, 1, 1, {.fill = "\"><script>", .tooltip = "<script>"});
  EXPECT_THAT(drawing.svg(), Not(HasSubstr("<script>")));
  EXPECT_THAT(drawing.svg(), HasSubstr("aria-label=\"&lt;title&gt; &quot;x&quot;\""));
}

TEST(Drawing, WritesShapes) {
  Drawing drawing(100, 50, "shapes");
  drawing.line({0, 1}, {2, 3.5}, {.stroke = "#000000", .dashes = "3 2"});
  drawing.polyline({{0, 0}, {1, 2}}, {.stroke = "#111111", .stroke_width = 2});
  drawing.circle({5, 6}, 1.5, {.fill = "#222222", .opacity = 0.5});
  drawing.rect(1, 2, 3, 4, {.fill = "#333333", .tooltip = "a step"});
  const std::string svg = drawing.svg();
  EXPECT_THAT(svg, HasSubstr("<line x1=\"0\" y1=\"1\" x2=\"2\" y2=\"3.5\" fill=\"none\" stroke=\"#000000\" "
                             "stroke-width=\"1\" stroke-dasharray=\"3 2\"/>"));
  EXPECT_THAT(
      svg, HasSubstr("<polyline points=\"0,0 1,2\" fill=\"none\" stroke=\"#111111\" stroke-width=\"2\"/>"));
  EXPECT_THAT(svg, HasSubstr("<circle cx=\"5\" cy=\"6\" r=\"1.5\" fill=\"#222222\" opacity=\"0.5\"/>"));
  EXPECT_THAT(svg, HasSubstr("<rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" fill=\"#333333\">"
                             "<title>a step</title></rect>"));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

// Readable where the page is dark: the first thing painted covers the picture.
TEST(Drawing, HasItsOwnBackground) {
  EXPECT_THAT(Drawing(100, 50, "x").svg(), HasSubstr("width=\"99\" height=\"49\" rx=\"6\" fill=\"#ffffff\""));
}

TEST(Fitted, CutsAtWholeLetters) {
  EXPECT_EQ(fitted("short", 100), "short");
  const std::string cut = fitted("é é é é é é é é", 60);
  EXPECT_TRUE(cut.ends_with("é…")) << cut;
  EXPECT_LE(text_width(cut), 60);
  EXPECT_EQ(fitted("wide", 3), "");
}

TEST(Wrapped, BreaksAtBlanks) {
  EXPECT_THAT(wrapped("one two three", text_width("one two") + 1), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("", 50), ElementsAre());
  const auto lines = wrapped("incomprehensibilities a", 60);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].ends_with("…")) << lines[0];
}

}  // namespace
}  // namespace hutch::bench
