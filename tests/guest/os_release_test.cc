#include "guest/os_release.h"

#include <gtest/gtest.h>

namespace hutch::guest {
namespace {

TEST(OsRelease, Quoting) {
  auto values = parse_os_release(
      "# comment\n"
      "ID=debian\n"
      "VERSION_ID=15.6\n"
      "SINGLE='a \"b\" \\n' rest\n"
      "DOUBLE=\"a \\\"b\\\" \\$x \\\\ \\t\\n \\'\\` \\q\" rest\n"
      "OPEN=\"no end\n"
      "HYPHEN=opensuse-leap # x\n"
      "EMPTY=\n"
      "not an assignment\n"
      "B-D=x\n"
      "ID=last\n");
  EXPECT_EQ("last", values["ID"]);
  EXPECT_EQ("15.6", values["VERSION_ID"]);
  EXPECT_EQ("a \"b\" \\n", values["SINGLE"]);
  EXPECT_EQ("a \"b\" $x \\ \t\n '` \\q", values["DOUBLE"]);
  EXPECT_EQ("no end", values["OPEN"]);
  EXPECT_EQ("opensuse-leap", values["HYPHEN"]);
  EXPECT_EQ("", values["EMPTY"]);
  EXPECT_FALSE(values.contains("B-D"));
}

TEST(OsRelease, UnclosedSingleQuoteReadsToTheEnd) {
  auto values = parse_os_release("A='x y");
  EXPECT_EQ("x y", values["A"]);
}

}  // namespace
}  // namespace hutch::guest
