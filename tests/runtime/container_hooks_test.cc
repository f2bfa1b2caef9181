#include "runtime/container_hooks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/format.h"
#include "base/held_signals.h"
#include "runtime/console_watch.h"
#include "runtime/container_log.h"
#include "runtime/planner.h"
#include "runtime/state.h"
#include "runtime/stop_hooks.h"
#include "tests/base/error_of.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(HookProgram, IsTheFirstWordWhereTheShellWouldTakeItAsItIs) {
  EXPECT_EQ(hook_program("/usr/bin/ready --now"), "/usr/bin/ready");
  EXPECT_EQ(hook_program("  /a"), "/a");
  for (const auto* command : {"sh -c x", "/a;b", "\"/a\" b", "/a$X", "$(/a)", "", "/a*", "X=1 /a"}) {
    EXPECT_EQ(hook_program(command), "") << command;
  }
}

TEST(InnerHookEnvironment, IsTheConfigsAndLxcs) {
  ContainerSpec spec;
  spec.vmid = 100;
  spec.hooks.environment = {{"A=1", {}}, {"LXC_NAME=forged", {}}, {"PATH=/own", {}}};
  const auto hook = hook_command(HookPhase::mount, {"/x", {}}, 1, 100, {"LXC_NAME=100"});
  EXPECT_THAT(inner_hook_environment(spec, hook),
              ElementsAre("A=1", "PATH=/own", "LXC_NAME=100", "LXC_HOOK_SECTION=lxc", "LXC_HOOK_TYPE=mount"));
}

TEST(LogLine, IsAsLxcWritesIt) {
  const auto place = std::source_location::current();
  const std::string line = log_line("100", 1767323045678, LogLevel::warn, "start", place, "two\nlines");
  EXPECT_THAT(line,
              StartsWith("lxc 100 20260102030405.678 WARN     start - container_hooks_test.cc:TestBody:"));
  EXPECT_THAT(line, EndsWith(" - two lines\n"));
}

class ContainerLogTest : public ScratchDirectory {};

TEST_F(ContainerLogTest, TakesItsLevelAndAbove) {
  LogSpec spec;
  spec.file.value = below("log");
  spec.level = 3;
  const ContainerLog log(spec, 100);
  EXPECT_FALSE(log.takes(LogLevel::info));
  EXPECT_TRUE(log.takes(LogLevel::notice));
  log.write(LogLevel::info, "start", "quiet");
  log.write(LogLevel::fatal, "stop", "loud");
  const std::string text = read_file(AT_FDCWD, below("log"));
  EXPECT_THAT(text, HasSubstr(" FATAL    stop - container_hooks_test.cc:"));
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
  EXPECT_FALSE(ContainerLog().takes(LogLevel::fatal));
}

class ConsoleLogFileTest : public ScratchDirectory {
 protected:
  std::string path;
  ConsoleLogFile open(std::uint64_t limit, bool rotate) {
    path = below("log");
    return {open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0640), path, limit, rotate};
  }
};

TEST_F(ConsoleLogFileTest, NeverGrowsOverItsLimit) {
  auto log = open(10, true);
  log.write("0123456789abc");
  EXPECT_EQ(read_file(AT_FDCWD, path), "abc");
  EXPECT_EQ(read_file(AT_FDCWD, path + ".1"), "0123456789");
  log.write("defghijklmnopqrstuvwxyz");
  EXPECT_EQ(read_file(AT_FDCWD, path + ".1"), "klmnopqrst");
  EXPECT_EQ(read_file(AT_FDCWD, path), "uvwxyz");
}

TEST_F(ConsoleLogFileTest, BeginsAnewWithoutRotation) {
  auto log = open(10, false);
  log.write("0123456789abc");
  EXPECT_EQ(read_file(AT_FDCWD, path), "abc");
  EXPECT_FALSE(path_exists(AT_FDCWD, path + ".1"));
}

TEST_F(ConsoleLogFileTest, WithoutALimitItGrows) {
  auto log = open(0, true);
  log.write(std::string(100000, 'x'));
  EXPECT_EQ(read_file(AT_FDCWD, path).size(), 100000U);
}

TEST_F(ConsoleLogFileTest, DoesNotFollowALinkWhenItRotates) {
  auto log = open(10, true);
  log.write("0123456789");
  ASSERT_EQ(::rename(path.c_str(), (path + ".away").c_str()), 0);
  replace_file(AT_FDCWD, below("victim"), "", 0600);
  ASSERT_EQ(::symlink(below("victim").c_str(), path.c_str()), 0);
  log.write("abc");
  EXPECT_EQ(read_file(AT_FDCWD, below("victim")), "");
}

TEST(ConsoleRing, KeepsTheLastBytes) {
  const UniqueFd file(::memfd_create("ring", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(ConsoleRing::file_size(8))), 0);
  ConsoleRing ring(file.get());
  EXPECT_EQ(ring.text(), "");
  ring.write("abc");
  EXPECT_EQ(ring.text(), "abc");
  ring.write("defghijk");
  EXPECT_EQ(ring.text(), "defghijk");
  ring.write(std::string(20, 'x') + "!");
  EXPECT_EQ(ConsoleRing(file.get()).text(), "xxxxxxx!");
}

TEST(ConsoleRing, ADamagedFileIsAnError) {
  const UniqueFd file(::memfd_create("ring", MFD_CLOEXEC));
  EXPECT_THAT(error_of([&] { ConsoleRing ring(file.get()); }), HasSubstr("damaged"));
}

TEST(StateOfHooks, SurvivesPrintingAndParsing) {
  ContainerState state;
  state.vmid = 100;
  state.hook_version = 1;
  state.stop_hooks = {{"sh -c \"a\tb\"", {"/etc/pve/my conf", 7}}, {"/b", {}}};
  state.post_stop_hooks = {{"/c d", {"100.conf", 8}}};
  state.hookscript = "/var/lib/vz/snippets/a b.sh";
  state.log.file.value = "/var/log/a b";
  state.log.level = 2;
  state.log.syslog = "local0";
  state.console_watch = {12, 34};
  state.copied_environment = {"A=1 2"};
  EXPECT_EQ(parse_state(print_state(state), "state"), state);
  state.log.syslog.clear();
  EXPECT_EQ(parse_state(print_state(state), "state"), state);
}

TEST(StateOfHooks, IsNotInTheRecordsOfOtherContainers) {
  const std::string text = print_state(ContainerState{});
  for (const auto* word : {"hook", "log", "console-watch", "copied"}) EXPECT_THAT(text, Not(HasSubstr(word)));
  EXPECT_THAT(error_of([] { parse_state("stop-hook 7\n", "state"); }), HasSubstr("stop-hook"));
}

class StopHooksTest : public ScratchDirectory {
 protected:
  void SetUp() override {
    ScratchDirectory::SetUp();
    state_.vmid = 100;
    state_.stop_hooks = {{formatted("echo stop >> {}; true", below("ran")), {}}};
    state_.post_stop_hooks = {{formatted("echo post-stop >> {}; true", below("ran")), {}}};
    state_.log.file.value = below("log");
    make_directories(below("run/hutch"));
  }
  // What runs when a process ends the container.
  std::string run() {
    StopHooks hooks(Sysroot(path_), state_, {}, false);
    hooks.run_stop();
    hooks.run_post_stop();
    const auto ran = read_file_if_exists(AT_FDCWD, below("ran"));
    remove_tree(AT_FDCWD, below("ran"));
    return ran.value_or("nothing");
  }

  ContainerState state_;
};

TEST_F(StopHooksTest, RunOnceWhereTheirMarkCanBeMade) {
  make_directories(below("run/hutch/100"));
  EXPECT_EQ(run(), "stop\npost-stop\n");
  EXPECT_EQ(run(), "nothing");
}

TEST_F(StopHooksTest, RunWithoutAStateDirectory) {
  EXPECT_EQ(run(), "stop\npost-stop\n");
}

TEST_F(StopHooksTest, RunWhenTheirMarkCannotBeMadeAndSaySo) {
  replace_file(AT_FDCWD, below("run/hutch/100"), "no directory", 0600);
  EXPECT_EQ(run(), "stop\npost-stop\n");
  EXPECT_THAT(read_file(AT_FDCWD, below("log")), HasSubstr("/100/stop-hooks': ENOTDIR"));
}

TEST(HeldSignals, WaitInTheDescriptor) {
  {
    const HeldSignals held;
    held.check();
    ASSERT_EQ(::raise(SIGTERM), 0);
    EXPECT_EQ(error_of([&] { held.check(); }).substr(0, 22), "interrupted by SIGTERM");
    held.check();
  }
  sigset_t blocked;
  ASSERT_EQ(::sigprocmask(SIG_BLOCK, nullptr, &blocked), 0);
  EXPECT_EQ(::sigismember(&blocked, SIGTERM), 0);
}

TEST(RunHookInterrupted, PassesTheSignalOnAndFails) {
  const HeldSignals held;
  auto hook = hook_command(HookPhase::pre_start, {"sh -c 'kill -INT '$PPID'; exec sleep 100'", {"x.conf", 3}},
                           0, 100, {});
  hook.signals = held.fd();
  const std::string error = error_of([&] { run_hook(hook); });
  EXPECT_THAT(error, HasSubstr("'lxc.hook.pre-start': interrupted by SIGINT"));
}

}  // namespace
}  // namespace hutch
