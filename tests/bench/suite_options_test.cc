#include "bench/suite_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace hutch::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string failure(const std::vector<std::string>& words) {
  try {
    parse_suite_options(words);
  } catch (const Error& error) {
    return error.what();
  }
  return "no failure";
}

TEST(SuiteOptions, DefaultIsEverything) {
  const auto options = parse_suite_options({});
  EXPECT_EQ(options.rounds, 40);
  EXPECT_EQ(options.density, 100);
  EXPECT_EQ(options.groups, group_names());
  EXPECT_EQ(options.tools, tool_names());
  EXPECT_EQ(options.variants.size(), 7U);
  EXPECT_EQ(options.variants.front(), "base");
  EXPECT_FALSE(options.quick);
  EXPECT_TRUE(options.json.empty());
}

TEST(SuiteOptions, ReadsValues) {
  const auto options = parse_suite_options(
      {"--rounds", "7", "--only", "stop,start", "--variants", "privileged,base", "--density", "1000",
       "--json", "/tmp/r.json", "--pictures", "/tmp/p", "--pct", "/usr/bin/pct", "--tools", "pct,floor"});
  EXPECT_EQ(options.rounds, 7);
  EXPECT_THAT(options.groups, ElementsAre("start", "stop")) << "in the order of the suite";
  EXPECT_THAT(options.variants, ElementsAre("privileged", "base"));
  EXPECT_THAT(options.tools, ElementsAre("floor", "pct"));
  EXPECT_EQ(options.density, 1000);
  EXPECT_EQ(options.json, "/tmp/r.json");
  EXPECT_EQ(options.pictures, "/tmp/p");
  EXPECT_EQ(options.pct, "/usr/bin/pct");
}

TEST(SuiteOptions, PathsBecomeAbsolute) {
  const auto options = parse_suite_options({"--json", "r.json"});
  EXPECT_EQ(options.json.front(), '/');
  EXPECT_TRUE(options.json.ends_with("/r.json"));
}

TEST(SuiteOptions, QuickIsSmallAndLaterWordsWin) {
  const auto quick = parse_suite_options({"--quick"});
  EXPECT_TRUE(quick.quick);
  EXPECT_EQ(quick.rounds, 2);
  EXPECT_EQ(quick.density, 1);
  EXPECT_EQ(parse_suite_options({"--quick", "--rounds", "9"}).rounds, 9);
}

TEST(SuiteOptions, MistakesAreNamed) {
  EXPECT_THAT(failure({"--bogus"}), HasSubstr("'--bogus'"));
  EXPECT_THAT(failure({"--rounds"}), HasSubstr("needs a value"));
  EXPECT_THAT(failure({"--json", ""}), HasSubstr("needs a value"));
  for (const char* value : {"0", "-1", "x", "1.5", "99999999999"})
    EXPECT_THAT(failure({"--rounds", value}), HasSubstr("a number from 1")) << value;
  EXPECT_THAT(failure({"--density", "1001"}), HasSubstr("1 to 1000"));
  EXPECT_THAT(failure({"--only", "start,finish"}), HasSubstr("'finish'"));
  EXPECT_THAT(failure({"--only", "start,"}), HasSubstr("empty"));
  EXPECT_THAT(failure({"--tools", "docker"}), HasSubstr("nspawn"));
  EXPECT_THAT(failure({"--variants", "sideways"}), HasSubstr("no-network"));
}

TEST(SuiteOptions, UsageNamesEveryOptionGroupAndVariant) {
  const std::string usage = suite_usage();
  for (const char* word : {"--rounds N", "--only", "--variants", "--tools", "--density N", "--json FILE",
                           "--pictures DIR", "--pct PATH", "--quick", "overlay-rootfs"})
    EXPECT_THAT(usage, HasSubstr(word));
  for (const auto& group : group_names()) EXPECT_THAT(usage, HasSubstr(group));
}

}  // namespace
}  // namespace hutch::bench
