#include "config/lower.h"
#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(LowerHooks, EveryPhaseHasAListInOrder) {
  for (std::size_t phase = 0; phase < kHookNames.size(); ++phase) {
    const std::string key = std::string("lxc.hook.") + kHookNames[phase];
    const auto spec = spec_of(kUnprivileged, key + ": /a one \"two three\"\n" + key + ": /b\n");
    EXPECT_THAT(spec.hooks.lists[phase],
                ElementsAre(Located<std::string>{"/a one \"two three\"", {"100.conf", 5}},
                            Located<std::string>{"/b", {"100.conf", 6}}))
        << key;
    for (std::size_t other = 0; other < kHookNames.size(); ++other) {
      EXPECT_EQ(spec.hooks.lists[other].empty(), other != phase) << key;
    }
  }
}

TEST(LowerHooks, AnEmptyValueClearsItsList) {
  const auto spec = spec_of(kUnprivileged, "lxc.hook.mount: /a\nlxc.hook.start: /b\nlxc.hook.mount:\n");
  EXPECT_THAT(spec.hooks.of(HookPhase::mount), IsEmpty());
  EXPECT_THAT(values(spec.hooks.of(HookPhase::start)), ElementsAre("/b"));
}

TEST(LowerHooks, TheBareKeyClearsAllAndTakesNothing) {
  const auto spec =
      spec_of(kUnprivileged, "lxc.hook.mount: /a\nlxc.hook.stop: /b\nlxc.hook:\nlxc.hook.stop: /c\n");
  EXPECT_THAT(spec.hooks.of(HookPhase::mount), IsEmpty());
  EXPECT_THAT(values(spec.hooks.of(HookPhase::stop)), ElementsAre("/c"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.hook: /a\n"),
              AllOf(HasSubstr("'lxc.hook'"), HasSubstr("[100.conf:5]")));
}

TEST(LowerHooks, TheVersionIsZeroOrOne) {
  EXPECT_EQ(spec_of(kUnprivileged).hook_version, 0U);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.hook.version: 1\n").hook_version, 1U);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.hook.version: 1\nlxc.hook.version:\n").hook_version, 0U);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.hook.version: 2\n"), HasSubstr("0 or 1"));
}

TEST(LowerHooks, CanBeReadAloneFromABrokenConfig) {
  Diagnostics ignored;
  const auto config = read_config("lxc.hook.destroy: /a\nlxc.idmap: nonsense\nlxc.hook.version: 1\n",
                                  "100.conf", 100, ignored);
  const auto settings = lower_hooks(config, test_context());
  EXPECT_EQ(settings.version, 1U);
  EXPECT_THAT(values(settings.hooks.of(HookPhase::destroy)), ElementsAre("/a"));
}

TEST(LowerHookscript, IsResolvedToItsFile) {
  const auto spec = spec_of(kUnprivileged, "hookscript: local:snippets/hook.sh\n");
  EXPECT_EQ(spec.hookscript.value, "/var/lib/vz/snippets/hook.sh");
  EXPECT_EQ(spec.hookscript.origin.line, 5);
}

TEST(LowerHookscript, MustBeThere) {
  EXPECT_THAT(error_of(kUnprivileged, "hookscript: local:snippets/none.sh\n"),
              AllOf(HasSubstr("option 'hookscript'"), HasSubstr("ENOENT"), HasSubstr("100.conf:")));
}

TEST(LowerEnvironment, GoesToHooksToInitOrToBoth) {
  const auto spec = spec_of(kUnprivileged,
                            "lxc.environment: BOTH=1\nlxc.environment.runtime: INIT=2\n"
                            "lxc.environment.hooks: HOOKS=3\n");
  EXPECT_THAT(values(spec.init.environment), ElementsAre("TERM=linux", "BOTH=1", "INIT=2"));
  EXPECT_THAT(values(spec.hooks.environment), ElementsAre("TERM=linux", "BOTH=1", "HOOKS=3"));
}

TEST(LowerEnvironment, LaterValuesWinAndTheListsAreClearedOneByOne) {
  const auto spec = spec_of(kUnprivileged,
                            "lxc.environment: A=1\nlxc.environment.runtime: A=2\nlxc.environment.hooks: A=3\n"
                            "lxc.environment: B=x=y\nlxc.environment: B=\n");
  EXPECT_THAT(values(spec.init.environment), ElementsAre("TERM=linux", "B=", "A=2"));
  EXPECT_THAT(values(spec.hooks.environment), ElementsAre("TERM=linux", "B=", "A=3"));
  const auto cleared = spec_of(kUnprivileged,
                               "lxc.environment: A=1\nlxc.environment.hooks: C=3\nlxc.environment:\n"
                               "lxc.environment.runtime: D=4\n");
  EXPECT_THAT(values(cleared.init.environment), ElementsAre("D=4"));
  EXPECT_THAT(values(cleared.hooks.environment), ElementsAre("C=3"));
}

TEST(LowerEnvironment, ABareNameIsCopiedFromTheStarter) {
  const auto spec = spec_of(kUnprivileged, "lxc.environment: COPIED\nlxc.environment.hooks: COPIED\n");
  EXPECT_THAT(values(spec.init.environment), Contains("COPIED=from = the starter"));
  EXPECT_THAT(spec.copied_environment, ElementsAre("COPIED=from = the starter"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.environment: MISSING\n"),
              AllOf(HasSubstr("'MISSING' is not set"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.environment: =x\n"), HasSubstr("NAME=value or NAME"));
}

TEST(LowerProcessFiles, AreAMapByName) {
  const auto spec =
      spec_of(kUnprivileged,
              "lxc.proc.oom_score_adj: 10\nlxc.proc.coredump_filter: 0x3\n"
              "lxc.proc.oom_score_adj: 20\nlxc.proc.timerslack_ns: 1\nlxc.proc.timerslack_ns:\n");
  EXPECT_THAT(spec.process_files,
              ElementsAre(Pair("coredump_filter", Located<std::string>{"0x3", {"100.conf", 6}}),
                          Pair("oom_score_adj", Located<std::string>{"20", {"100.conf", 7}})));
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.proc.oom_score_adj: 10\nlxc.proc:\n").process_files, IsEmpty());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.proc..hidden: x\n"), HasSubstr("not the name of a file"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.proc: x\n"), HasSubstr("empty"));
}

TEST(LowerConsole, ATerminalAndALog) {
  const auto spec = spec_of(
      kUnprivileged, "console: 0\nlxc.console.path: /dev//tty9\nlxc.console.logfile: /var/log//ct/./a.log\n");
  EXPECT_TRUE(spec.console);
  EXPECT_EQ(spec.console_output.path.value, "/dev/tty9");
  EXPECT_EQ(spec.console_output.log_file.value, "/var/log/ct/a.log");
  EXPECT_EQ(spec.console_output.log_file.origin.line, 7);
  EXPECT_TRUE(spec.console_output.watched());
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.console.path: /dev/tty9\nlxc.console.path: none\n").console);
  EXPECT_FALSE(spec_of(kUnprivileged).console_output.watched());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.console.logfile: x\n"), HasSubstr("an absolute path"));
}

class ConsoleSize : public testing::TestWithParam<std::pair<const char*, std::uint64_t>> {};
TEST_P(ConsoleSize, IsRounded) {
  const auto [text, bytes] = GetParam();
  for (const std::string key : {"size", "buffer.size"}) {
    const auto output = spec_of(kUnprivileged, "lxc.console." + key + ": " + text + "\n").console_output;
    EXPECT_EQ(key == "size" ? output.log_size : output.buffer_size, bytes) << key;
  }
}
INSTANTIATE_TEST_SUITE_P(Table, ConsoleSize,
                         testing::Values(std::pair{"auto", 131072U}, std::pair{"0", 0U},
                                         std::pair{"1", 4096U}, std::pair{"4096", 4096U},
                                         std::pair{"4097", 8192U}, std::pair{"100KB", 131072U},
                                         std::pair{"1 mb", 1048576U}, std::pair{"1GB", 1073741824U},
                                         std::pair{"5000B", 8192U}, std::pair{"5000K", 8192U}));

TEST(LowerConsole, RefusesOtherSizes) {
  for (const char* text : {"x", "1TB", "-1", "KB", "99999999999GB", "1.5MB"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.console.size: ") + text + "\n"),
                HasSubstr("size such as"))
        << text;
  }
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.console.rotate: 1\n").console_output.rotate);
}

TEST(LowerLog, LevelsAreNumbersOrWords) {
  EXPECT_EQ(spec_of(kUnprivileged).log.level, 5U);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.log.level: 1\n").log.level, 1U);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.log.level: TRACE\n").log.level, 0U);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.log.level: warn\n").log.level, 4U);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.log.level: 8\nlxc.log.level:\n").log.level, 5U);
  for (const char* text : {"9", "loud", "-1"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.log.level: ") + text + "\n"),
                AllOf(HasSubstr("'lxc.log.level'"), HasSubstr("[100.conf:5]")));
  }
}

TEST(LowerLog, FileAndFacility) {
  const auto log = spec_of(kUnprivileged, "lxc.log.file: /var/log/a\nlxc.log.syslog: local3\n").log;
  EXPECT_EQ(log.file.value, "/var/log/a");
  EXPECT_EQ(log.syslog, "local3");
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.log.syslog: daemon\nlxc.log.syslog:\n").log.syslog, "");
  for (const char* text : {"local8", "user", "local"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.log.syslog: ") + text + "\n"),
                HasSubstr("daemon or local0 to local7"));
  }
}

}  // namespace
}  // namespace hutch::config
