#include "cli/arguments.h"

#include <gtest/gtest.h>

#include "cli/config_option_rows.h"

namespace hutch::cli {
namespace {

using Words = std::vector<std::string>;

std::vector<OptionRow> rows() {
  return {{.name = "memory", .type = ValueType::integer},
          {.name = "mp1"},
          {.name = "mp10"},
          {.name = "mp11"},
          {.name = "net0"},
          {.name = "net1"},
          {.name = "verbose", .type = ValueType::boolean},
          {.name = "onboot", .type = ValueType::config_option, .boolean_config = true},
          {.name = "password", .optional_value = true},
          {.name = "forceStop", .type = ValueType::boolean}};
}

CanonicalArguments parse(const Words& words) {
  return normalise_arguments(words, rows());
}

std::string failure(const Words& words) {
  try {
    parse(words);
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "no failure";
}

struct Case {
  Words words;
  CanonicalArguments expected;
};

class Spelling : public ::testing::TestWithParam<Case> {};

TEST_P(Spelling, IsUnderstood) {
  EXPECT_EQ(parse(GetParam().words), GetParam().expected);
}

const Case kSpellings[] = {
    {{}, {}},
    {{"100"}, {{}, {"100"}}},
    // Non-boolean: the next word whatever it is, or after "=".
    {{"--memory", "512"}, {{{"memory", "512"}}, {}}},
    {{"-memory", "512"}, {{{"memory", "512"}}, {}}},
    {{"--memory=512"}, {{{"memory", "512"}}, {}}},
    {{"-memory=512"}, {{{"memory", "512"}}, {}}},
    {{"--memory", "-5"}, {{{"memory", "-5"}}, {}}},
    {{"--memory", "--verbose"}, {{{"memory", "--verbose"}}, {}}},
    {{"--memory", "--"}, {{{"memory", "--"}}, {}}},
    {{"--memory", ""}, {{{"memory", ""}}, {}}},
    {{"--net0=name=eth0,ip=dhcp"}, {{{"net0", "name=eth0,ip=dhcp"}}, {}}},
    // Case and abbreviation; an exact name wins.
    {{"--MEMORY", "1"}, {{{"memory", "1"}}, {}}},
    {{"--mem", "1"}, {{{"memory", "1"}}, {}}},
    {{"--mp1", "x"}, {{{"mp1", "x"}}, {}}},
    {{"--mp11", "x"}, {{{"mp11", "x"}}, {}}},
    {{"--FORCES"}, {{{"forceStop", ""}}, {}}},
    {{"--forcestop", "1"}, {{{"forceStop", "1"}}, {}}},
    // Boolean: the next word unless it looks like an option.
    {{"--verbose"}, {{{"verbose", ""}}, {}}},
    {{"--verbose", "1"}, {{{"verbose", "1"}}, {}}},
    {{"--verbose=0"}, {{{"verbose", "0"}}, {}}},
    {{"--verbose="}, {{{"verbose", ""}}, {}}},
    {{"--verbose", ""}, {{{"verbose", ""}}, {}}},
    {{"--verbose", "-"}, {{{"verbose", "-"}}, {}}},
    {{"--verbose", "100"}, {{{"verbose", "100"}}, {}}},
    {{"--verbose", "--memory", "1"}, {{{"verbose", ""}, {"memory", "1"}}, {}}},
    {{"--verbose", "-memory", "1"}, {{{"verbose", ""}, {"memory", "1"}}, {}}},
    {{"--verbose", "--", "100"}, {{{"verbose", ""}}, {"100"}}},
    {{"--onboot"}, {{{"onboot", ""}}, {}}},
    {{"100", "--verbose"}, {{{"verbose", ""}}, {"100"}}},
    // The same for an option whose value may be left out.
    {{"--password"}, {{{"password", ""}}, {}}},
    {{"--password", "--verbose"}, {{{"password", ""}, {"verbose", ""}}, {}}},
    {{"--password", "secret"}, {{{"password", "secret"}}, {}}},
    // Order, "--", "-", repetition.
    {{"--memory", "1", "100", "--net0", "x", "y"}, {{{"memory", "1"}, {"net0", "x"}}, {"100", "y"}}},
    {{"100", "--", "ls", "-l", "--", "--x"}, {{}, {"100", "ls", "-l", "--", "--x"}}},
    {{"--"}, {}},
    {{"-", "x"}, {{}, {"-", "x"}}},
    {{"", "x"}, {{}, {"", "x"}}},
    {{"--memory", "1", "--memory", "2"}, {{{"memory", "1"}, {"memory", "2"}}, {}}},
};

INSTANTIATE_TEST_SUITE_P(Arguments, Spelling, ::testing::ValuesIn(kSpellings));

struct Failure {
  Words words;
  std::string text;
};

class Mistake : public ::testing::TestWithParam<Failure> {};

TEST_P(Mistake, IsNamed) {
  EXPECT_EQ(failure(GetParam().words), GetParam().text + "\n400 unable to parse option");
}

const Failure kMistakes[] = {
    {{"--nosuch"}, "Unknown option: nosuch"},
    {{"-l"}, "Unknown option: l"},
    {{"--no-verbose"}, "Unknown option: no-verbose"},
    {{"--noverbose"}, "Unknown option: noverbose"},
    {{"---memory", "1"}, "Unknown option: -memory"},
    {{"--=x"}, "Unknown option: =x"},
    {{"--nosuch=1", "--other"}, "Unknown option: nosuch\nUnknown option: other"},
    {{"-5"}, "Unknown option: 5"},
    {{"--net"}, "Option net is ambiguous (net0, net1)"},
    {{"--NET", "x"}, "Option net is ambiguous (net0, net1)"},
    {{"-m=1"}, "Option m is ambiguous (memory, mp1, mp10, mp11)"},
    {{"--memory"}, "Option memory requires an argument"},
    {{"--memory="}, "Option memory requires an argument"},
    {{"100", "--mem"}, "Option mem requires an argument"},
    {{"--memory", "1", "--bad", "--net0"}, "Unknown option: bad\nOption net0 requires an argument"},
};

INSTANTIATE_TEST_SUITE_P(Arguments, Mistake, ::testing::ValuesIn(kMistakes));

TEST(Arguments, EveryConfigOptionIsKnownUnderItsOwnName) {
  const auto table = config_option_rows();
  for (const auto& row : table) {
    const auto parsed = normalise_arguments({"--" + row.name + "=1"}, table);
    ASSERT_EQ(parsed.options.size(), 1U);
    EXPECT_EQ(parsed.options[0].first, row.name);
  }
  for (const char* internal : {"--parent=x", "--snaptime=1", "--snapstate=prepare"}) {
    EXPECT_THROW(normalise_arguments({internal}, table), ArgumentError) << internal;
  }
}

}  // namespace
}  // namespace hutch::cli
