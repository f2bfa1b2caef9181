#include "base/text.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace hutch {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Text, Trim) {
  EXPECT_EQ("a b", trim(" \t\r\n\v\fa b \n"));
  EXPECT_EQ("", trim(" \t"));
  EXPECT_EQ("", trim(""));
  EXPECT_FALSE(is_blank('\0'));
  EXPECT_FALSE(is_blank('\xa0'));
}

TEST(Text, Split) {
  EXPECT_EQ((Parts{"a", "", "b"}), split("a,,b", ','));
  EXPECT_EQ((Parts{""}), split("", ','));
  EXPECT_EQ((Parts{"", ""}), split(",", ','));
}

TEST(Text, SplitBlanks) {
  EXPECT_EQ((Parts{"a", "b", "c"}), split_blanks("  a\tb \n c"));
  EXPECT_EQ(Parts{}, split_blanks(" \t "));
  EXPECT_EQ(Parts{}, split_blanks(""));
}

TEST(Text, Join) {
  EXPECT_EQ("", join({}, ","));
  EXPECT_EQ("a", join({"a"}, ","));
  EXPECT_EQ("a, , b", join({"a", "", "b"}, ", "));
}

TEST(Text, ToLowerIsAsciiOnly) {
  EXPECT_EQ("abz\xc4\x30[", to_lower("AbZ\xc4\x30["));
}

TEST(Text, ParseUnsigned) {
  EXPECT_EQ(0U, parse_unsigned("0"));
  EXPECT_EQ(18446744073709551615ULL, parse_unsigned("18446744073709551615"));
  EXPECT_EQ(7U, parse_unsigned("007"));
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1k", "0x10", "18446744073709551616"}) {
    EXPECT_FALSE(parse_unsigned(text)) << text;
  }
}

TEST(Text, ParseSigned) {
  EXPECT_EQ(-5, parse_signed("-5"));
  EXPECT_EQ(INT64_MIN, parse_signed("-9223372036854775808"));
  for (const char* text : {"", "-", "+1", "--1", "9223372036854775808"})
    EXPECT_FALSE(parse_signed(text)) << text;
}

TEST(Text, ParseOctal) {
  EXPECT_EQ(0755U, parse_octal("0755"));
  EXPECT_FALSE(parse_octal("8"));
  EXPECT_FALSE(parse_octal(""));
}

TEST(Text, TerminalSafeKeepsTextAndShowsWhatActsOnATerminal) {
  EXPECT_EQ("plain, \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
            terminal_safe("plain, \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT_EQ("a\\x1b[2Jb", terminal_safe("a\x1b[2Jb"));
  EXPECT_EQ("a\\x0ab\\x0d\t\\x7f", terminal_safe("a\nb\r\t\x7f"));
  EXPECT_EQ("\\x00", terminal_safe(std::string_view("\0", 1)));
  EXPECT_EQ("\\xc2\\x9b2J", terminal_safe("\xc2\x9b"
                                          "2J"));                       // CSI of C1
  EXPECT_EQ("\\xe2\\x80\\xaeroot", terminal_safe("\xe2\x80\xaeroot"));  // right to left
  EXPECT_EQ("\\xe9t\\xe9", terminal_safe("\xe9t\xe9"));                 // Latin-1
  EXPECT_EQ("\\xe2\\x82", terminal_safe("\xe2\x82"));                   // cut off
  EXPECT_EQ("", terminal_safe(""));
  EXPECT_EQ("a\\x1b\n\\x07b\n", terminal_safe_lines("a\x1b\n\x07"
                                                    "b\n"));
}

// Test vectors of the algorithm's authors.
TEST(Text, Fnv1a) {
  EXPECT_EQ(0xcbf29ce484222325ULL, fnv1a(""));
  EXPECT_EQ(0xaf63dc4c8601ec8cULL, fnv1a("a"));
  EXPECT_EQ(0x85944171f73967e8ULL, fnv1a("foobar"));
  EXPECT_EQ(fnv1a("foobar"), fnv1a("bar", fnv1a("foo")));
}

TEST(Format, FormatsAllKinds) {
  EXPECT_EQ("cannot open 'x': 5 of 0x1F", formatted("cannot open '{}': {} of 0x{:X}", "x", 5, 31));
  EXPECT_EQ("", formatted(""));
}

TEST(ParseDouble, TakesWholeDecimalNumbersOnly) {
  EXPECT_EQ(parse_double("0.5"), 0.5);
  EXPECT_EQ(parse_double("12"), 12.0);
  EXPECT_EQ(parse_double("-1e3"), -1000.0);
  for (const auto* text : {"", " 1", "1 ", "inf", "nan", "0x10", "1.2.3", "1e", "1e999", "--1"}) {
    EXPECT_FALSE(parse_double(text)) << text;
  }
}

}  // namespace
}  // namespace hutch
