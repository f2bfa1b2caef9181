#include "cli/option_values.h"

#include <gtest/gtest.h>

#include "cli/arguments.h"

namespace hutch::cli {
namespace {

std::vector<OptionRow> rows() {
  return {{.name = "timeout", .type = ValueType::integer, .minimum = 0, .maximum = 100},
          {.name = "limit", .type = ValueType::number, .minimum = 0},
          {.name = "verbose", .type = ValueType::boolean},
          {.name = "text", .minimum_length = 2, .maximum_length = 4},
          {.name = "list", .collects = true},
          {.name = "memory", .type = ValueType::config_option},
          {.name = "storage", .type = ValueType::storage_id},
          {.name = "snapshot", .type = ValueType::config_id, .maximum_length = 40}};
}

OptionValues parse(const std::vector<std::pair<std::string, std::string>>& words) {
  std::vector<Problem> problems;
  OptionValues values = parse_options(words, rows(), problems);
  raise_problems(std::move(problems));
  return values;
}

std::string failure(const std::vector<std::pair<std::string, std::string>>& words) {
  try {
    parse(words);
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "no failure";
}

TEST(OptionValues, LastOneWinsAndListsCollect) {
  const auto values = parse({{"timeout", "1"}, {"list", "a"}, {"timeout", "2"}, {"list", "b,c"}});
  EXPECT_EQ(values.value("timeout"), "2");
  EXPECT_EQ(values.integer("timeout"), 2);
  EXPECT_EQ(values.value("list"), "a,b,c");
  EXPECT_FALSE(values.has("text"));
  EXPECT_EQ(values.integer("limit"), std::nullopt);
}

TEST(OptionValues, ValuesPassUnchanged) {
  for (const char* text : {"--", "-x", "--timeout", "{}", "[a]", "[a,b]", "a=b", "\"q\"", "a b"}) {
    EXPECT_EQ(parse({{"list", text}}).value("list"), text);
  }
  EXPECT_EQ(parse({{"list", ""}}).value("list"), "");
}

TEST(OptionValues, Booleans) {
  for (const char* word : {"", "1", "on", "ON", "yes", "True"}) {
    EXPECT_TRUE(parse({{"verbose", word}}).flag("verbose")) << word;
  }
  for (const char* word : {"0", "off", "No", "FALSE"}) {
    const auto values = parse({{"verbose", word}});
    EXPECT_FALSE(values.flag("verbose", true)) << word;
    EXPECT_EQ(values.value("verbose"), "0");
  }
  EXPECT_TRUE(parse({}).flag("verbose", true));
  EXPECT_EQ(failure({{"verbose", "100"}}), "400 unable to parse boolean option");
  EXPECT_EQ(failure({{"verbose", "2"}}), "400 unable to parse boolean option");
}

TEST(OptionValues, EveryProblemIsListedSorted) {
  EXPECT_EQ(failure({{"timeout", "x"}, {"text", "abcde"}, {"limit", "-1"}}),
            "400 Parameter verification failed.\n"
            "limit: value must have a minimum value of 0\n"
            "text: value may only be 4 characters long\n"
            "timeout: type check ('integer') failed - got 'x'");
}

struct Check {
  const char* option;
  const char* value;
  bool good;
};

class ValueRule : public ::testing::TestWithParam<Check> {};

TEST_P(ValueRule, Holds) {
  const auto& check = GetParam();
  EXPECT_EQ(failure({{check.option, check.value}}) == "no failure", check.good)
      << check.option << "=" << check.value << ": " << failure({{check.option, check.value}});
}

const Check kChecks[] = {
    {"timeout", "0", true},     {"timeout", "+100", true}, {"timeout", "101", false},
    {"timeout", "-1", false},   {"timeout", "", false},    {"timeout", "1.5", false},
    {"timeout", "0x10", false}, {"timeout", "+", false},   {"limit", "1.5", true},
    {"limit", "1e3", true},     {"limit", "+.5", true},    {"limit", "inf", false},
    {"limit", "nan", false},    {"limit", "1e", false},    {"limit", "", false},
    {"limit", "0x1", false},    {"text", "ab", true},      {"text", "a", false},
    {"memory", "512", true},    {"memory", "15", false},   {"storage", "local", true},
    {"storage", "l", false},    {"storage", "1a", false},  {"storage", "a-", false},
    {"snapshot", "s1", true},   {"snapshot", "s", false},  {"snapshot", "1s", false},
    {"snapshot", "a.b", false},
};

INSTANTIATE_TEST_SUITE_P(OptionValues, ValueRule, ::testing::ValuesIn(kChecks));

TEST(OptionValues, Vmid) {
  for (const char* good : {"100", "999999999"}) EXPECT_EQ(check_vmid(good), std::nullopt) << good;
  for (const char* bad :
       {"", "99", "1000000000", "0100", "abc", "-100", "1e3", "100 ", "99999999999999999999999"}) {
    EXPECT_NE(check_vmid(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace hutch::cli
