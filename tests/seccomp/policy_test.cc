#include "seccomp/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <limits>

#include "base/error.h"
#include "policies.h"

namespace hutch::seccomp {
namespace {

using Compare = Condition::Compare;
using ::testing::HasSubstr;

const Origin file{"test.seccomp", 0};

Action errno_action(unsigned number) {
  return {Action::Kind::fail, number};
}

Profile parse(const std::string& text) {
  return parse_policy(text, file);
}

// The one rule of a deny list.
Rule rule_of(const std::string& line) {
  const Profile profile = parse("2\ndenylist\n" + line + "\n");
  EXPECT_EQ(profile.rules.size(), 1U) << line;
  return profile.rules.empty() ? Rule{} : profile.rules[0];
}

void expect_error(const std::string& text, const std::string& where, const std::string& message) {
  try {
    parse(text);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.origin().text(), where) << text;
    EXPECT_THAT(error.what(), HasSubstr(message)) << text;
  }
}

TEST(Policy, CommonPolicyByValue) {
  const Profile profile = parse(common_policy);
  EXPECT_EQ(profile.version, 2U);
  EXPECT_EQ(profile.default_action, Action{});
  ASSERT_EQ(profile.rules.size(), 6U);
  const Condition forced{1, Compare::masked_equal, 1, 1};
  EXPECT_EQ(
      profile.rules[0],
      (Rule{std::nullopt, "umount2", std::nullopt, errno_action(EACCES), {forced}, {"test.seccomp", 3}}));
  EXPECT_EQ(profile.rules[1],
            (Rule{std::nullopt, "kexec_load", std::nullopt, errno_action(EPERM), {}, {"test.seccomp", 5}}));
}

TEST(Policy, StylesAndDefaultActions) {
  const Action allow{};
  const Action kill{Action::Kind::kill_thread, 0};
  const struct {
    const char* line;
    Action unlisted;
    Action rule;
  } cases[] = {
      {"denylist", allow, kill},
      {"blacklist", allow, kill},
      {"allowlist", kill, allow},
      {"whitelist", kill, allow},
      {"denylistish", allow, kill},
      {"denylist allow", allow, kill},
      {"denylist errno 5", errno_action(5), kill},
      {"allowlist errno 38", errno_action(38), allow},
      {"allowlist trap", {Action::Kind::trap, 0}, allow},
      {"denylist kill", kill, kill},
  };
  for (const auto& c : cases) {
    const Profile profile = parse(std::string("2\n") + c.line + "\nread\n");
    EXPECT_EQ(profile.default_action, c.unlisted) << c.line;
    ASSERT_EQ(profile.rules.size(), 1U) << c.line;
    EXPECT_EQ(profile.rules[0].action, c.rule) << c.line;
  }
}

TEST(Policy, ActionsMatchByPrefix) {
  EXPECT_EQ(rule_of("a kill").action.kind, Action::Kind::kill_thread);
  EXPECT_EQ(rule_of("a kill_process").action.kind, Action::Kind::kill_thread);
  EXPECT_EQ(rule_of("a allow").action.kind, Action::Kind::allow);
  EXPECT_EQ(rule_of("a trap").action.kind, Action::Kind::trap);
  EXPECT_EQ(rule_of("a notify").action.kind, Action::Kind::notify);
  EXPECT_EQ(rule_of("a   errno   38").action, errno_action(38));
  EXPECT_EQ(rule_of("a errno 0").action, errno_action(0));
  EXPECT_EQ(rule_of("a errno 4095").action, errno_action(4095));
}

TEST(Policy, CommentsAndBlankLines) {
  EXPECT_EQ(parse("2\ndenylist\n# kexec_load\n\n   \n").rules.size(), 0U);
  EXPECT_EQ(rule_of("name   # text [0,1").action.kind, Action::Kind::kill_thread);
  EXPECT_EQ(rule_of("name errno 1 # text").action, errno_action(1));
  EXPECT_EQ(rule_of("name errno 1 [0,1,==] # text").conditions.size(), 1U);
  EXPECT_EQ(rule_of("name errno 1\r").action, errno_action(1));
  EXPECT_EQ(rule_of("  name errno 1").syscall, "name");
}

TEST(Policy, TabBelongsToTheName) {
  EXPECT_EQ(rule_of("keyctl\t errno 1").syscall, "keyctl\t");
  expect_error("2\ndenylist\nkeyctl\terrno 1\n", "test.seccomp:3", "unknown action '1'");
}

TEST(Policy, SectionsHoldUntilTheNextOne) {
  const Profile profile = parse("2\ndenylist\na\n[x86]\nb\nc\n[ARM64]  \nd\n[all]\ne\n");
  ASSERT_EQ(profile.rules.size(), 5U);
  EXPECT_EQ(profile.rules[0].section, std::nullopt);
  EXPECT_EQ(profile.rules[1].section, Abi::x86);
  EXPECT_EQ(profile.rules[2].section, Abi::x86);
  EXPECT_EQ(profile.rules[3].section, Abi::arm64);
  EXPECT_EQ(profile.rules[4].section, std::nullopt);
}

TEST(Policy, EverySectionOfTheFormatIsKnown) {
  for (const char* tag :
       {"all", "x86", "x86_64", "x32", "arm", "arm64", "ppc", "ppc64", "ppc64le", "mips", "mips64",
        "mips64n32", "mipsel", "mipsel64", "mipsel64n32", "s390", "s390x", "loongarch64"}) {
    EXPECT_NO_THROW(parse("2\ndenylist\n[" + std::string(tag) + "]\n")) << tag;
  }
}

TEST(Policy, Conditions) {
  const Rule rule = rule_of("a errno 1 [0,010,==][1, 0x10 , &= ,0xf0][5,-1,SCMP_CMP_NE]");
  const std::vector<Condition> expected = {
      {0, Compare::equal, 8, 0},
      {1, Compare::masked_equal, 0x10, 0xf0},
      {5, Compare::not_equal, std::numeric_limits<std::uint64_t>::max(), 0}};
  EXPECT_EQ(rule.conditions, expected);
  EXPECT_EQ(rule_of("a errno 1[2,0,&=]").conditions,
            (std::vector<Condition>{{2, Compare::masked_equal, 0, 0}}));
}

TEST(Policy, EveryComparisonHasTwoSpellings) {
  const struct {
    const char* name;
    const char* sign;
    Compare compare;
  } cases[] = {{"SCMP_CMP_NE", "!=", Compare::not_equal},          {"SCMP_CMP_LT", "<", Compare::less},
               {"SCMP_CMP_LE", "<=", Compare::less_or_equal},      {"SCMP_CMP_EQ", "==", Compare::equal},
               {"SCMP_CMP_GE", ">=", Compare::greater_or_equal},   {"SCMP_CMP_GT", ">", Compare::greater},
               {"SCMP_CMP_MASKED_EQ", "&=", Compare::masked_equal}};
  for (const auto& c : cases) {
    for (const char* word : {c.name, c.sign}) {
      const Rule rule = rule_of("a allow [0,0," + std::string(word) + "]");
      ASSERT_EQ(rule.conditions.size(), 1U);
      EXPECT_EQ(rule.conditions[0].compare, c.compare) << word;
    }
  }
}

TEST(Policy, VersionOneIsAListOfNumbers) {
  const Profile profile = parse("1\nallowlist\n0\n1 write\n60\n");
  EXPECT_EQ(profile.version, 1U);
  EXPECT_EQ(profile.default_action.kind, Action::Kind::kill_process);
  ASSERT_EQ(profile.rules.size(), 3U);
  EXPECT_EQ(profile.rules[1], (Rule{std::nullopt, "", 1U, {}, {}, {"test.seccomp", 4}}));
}

TEST(Policy, ErrorsNameTheirLine) {
  const struct {
    const char* text;
    const char* where;
    const char* message;
  } cases[] = {
      {"", "test.seccomp:1", "no policy line"},
      {"2", "test.seccomp:1", "no policy line"},
      {"3\ndenylist\n", "test.seccomp:1", "unknown version '3'"},
      {"x\ndenylist\n", "test.seccomp:1", "unknown version 'x'"},
      {"2\nfoolist\n", "test.seccomp:2", "unknown style 'foolist'"},
      {"2\ndenylist debug\n", "test.seccomp:2", "'debug' is not supported"},
      {"1\nallowlist debug\n", "test.seccomp:2", "'debug' is not supported"},
      {"2\ndenylist frob\n", "test.seccomp:2", "unknown action 'frob'"},
      {"1\ndenylist\n", "test.seccomp:2", "no style 'denylist'"},
      {"1\nallowlist\nread\n", "test.seccomp:3", "'read' is not a system call number"},
      {"2\ndenylist\n\n[sparc]\n", "test.seccomp:4", "unknown architecture section '[sparc]'"},
      {"2\ndenylist\n[x86] a\n", "test.seccomp:3", "unknown architecture section '[x86] a'"},
      {"2\ndenylist\n[x86\n", "test.seccomp:3", "unknown architecture section"},
      {"2\ndenylist\na frob\n", "test.seccomp:3", "unknown action 'frob'"},
      {"2\ndenylist\na errno\n", "test.seccomp:3", "needs a decimal number"},
      {"2\ndenylist\na errno EPERM\n", "test.seccomp:3", "needs a decimal number"},
      {"2\ndenylist\na errno 4096\n", "test.seccomp:3", "needs a decimal number"},
      {"2\ndenylist\na errno 0x1\n", "test.seccomp:3", "needs a decimal number"},
      {"2\ndenylist\na errno -1\n", "test.seccomp:3", "needs a decimal number"},
      {"2\ndenylist\na kill [6,0,==]\n", "test.seccomp:3", "bad argument index '6'"},
      {"2\ndenylist\na kill [0,zz,==]\n", "test.seccomp:3", "bad value 'zz'"},
      {"2\ndenylist\na kill [0,0,=]\n", "test.seccomp:3", "unknown comparison '='"},
      {"2\ndenylist\na kill [0,0,&=,q]\n", "test.seccomp:3", "bad mask 'q'"},
      {"2\ndenylist\na kill [0,0]\n", "test.seccomp:3", "bad argument condition '[0,0]'"},
      {"2\ndenylist\na kill [0,0,==\n", "test.seccomp:3", "unexpected text"},
      {"2\ndenylist\na kill [0,0,==] 1,2,==]\n", "test.seccomp:3", "unexpected text"},
      {"2\ndenylist\na kill [0,1,>][0,5,<]\n", "test.seccomp:3", "argument 0 is tested twice"},
      {"2\ndenylist\na kill [1,0x9400,&=]\n", "test.seccomp:3", "can never hold"},
      {"2\ndenylist\na kill [1,0x18446744073709551616,==]\n", "test.seccomp:3", "bad value"},
  };
  for (const auto& c : cases) expect_error(c.text, c.where, c.message);
}

TEST(Policy, TextAskedForByAConfigLineKeepsThatOrigin) {
  const Origin config{"100.conf", 7};
  EXPECT_EQ(parse_policy("2\ndenylist\nread\n", config).rules[0].origin, config);
  try {
    parse_policy("2\ndenylist\nread frob\n", config);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin(), config);
    EXPECT_THAT(error.what(), HasSubstr("line 3 of the policy"));
  }
}

}  // namespace
}  // namespace hutch::seccomp
