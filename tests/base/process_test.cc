#include "base/process.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <stdexcept>

#include "base/text.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

ProgramResult shell(const std::string& script, const ProgramOptions& options = {}) {
  return run_program({"sh", "-c", script}, options);
}

TEST(RunProgram, CapturesBothOutputsAndTheStatus) {
  const ProgramResult result = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ("out\n", result.out);
  EXPECT_EQ("err\n", result.err);
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ("exited with status 3", result.status_text());
  EXPECT_TRUE(shell("true").succeeded());
}

TEST(RunProgram, NamesTheSignal) {
  const ProgramResult result = shell("kill -TERM $$");
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ("killed by SIGTERM", result.status_text());
}

TEST(RunProgram, SearchesItsOwnPathWithTheCLocale) {
  ASSERT_EQ(0, ::setenv("LC_ALL", "de_DE.UTF-8", 1));
  const std::string before = ::getenv("PATH");
  ASSERT_EQ(0, ::setenv("PATH", "/nowhere", 1));
  EXPECT_EQ("C", trim(shell("echo $LC_ALL").out));
  ASSERT_EQ(0, ::setenv("PATH", before.c_str(), 1));
  ASSERT_EQ(0, ::unsetenv("LC_ALL"));
}

TEST(RunProgram, MissingProgramIsAnErrorThatNamesIt) {
  const auto run = [] { run_program({"no-such-program-here"}); };
  EXPECT_EQ(ENOENT, errno_of(run));
  EXPECT_THAT(error_of(run), HasSubstr("install the program 'no-such-program-here'"));
  EXPECT_EQ(EACCES, errno_of([] { run_program({"/etc/passwd"}); }));
}

TEST(RunProgram, FeedsInputAndReadsOutputAtTheSameTime) {
  ProgramOptions options;
  options.input.assign(1U << 20, 'x');
  const ProgramResult result = run_program({"cat"}, options);
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(options.input.size(), result.out.size());
}

TEST(RunProgram, SurvivesAProgramThatReadsNoInput) {
  ProgramOptions options;
  options.input.assign(1U << 20, 'x');
  EXPECT_EQ("exited with status 5", shell("exec <&-; exit 5", options).status_text());
  struct sigaction now {};
  ASSERT_EQ(0, ::sigaction(SIGPIPE, nullptr, &now));
  EXPECT_EQ(SIG_DFL, now.sa_handler);
  EXPECT_EQ("killed by SIGPIPE", shell("kill -PIPE $$").status_text());
}

TEST(RunProgram, KeepsTheFirstPartOfALongErrorText) {
  const ProgramResult result = shell("head -c 1000000 /dev/zero >&2");
  EXPECT_TRUE(result.succeeded());
  EXPECT_LE(64U << 10, result.err.size());
  EXPECT_GT(100000U, result.err.size());
}

TEST(RunProgram, BeforeExecRunsInTheChild) {
  ProgramOptions options;
  options.before_exec = [] { check(::chdir("/proc"), "cannot enter"); };
  EXPECT_EQ("/proc\n", shell("pwd", options).out);
  EXPECT_NE("/proc\n", shell("pwd").out);
}

TEST(RunProgram, BeforeExecThrowing) {
  ProgramOptions options;
  options.before_exec = [] { throw Error("cannot enter the namespace", EPERM); };
  EXPECT_EQ(EPERM, errno_of([&] { shell("true", options); }));
  EXPECT_THAT(error_of([&] { shell("true", options); }), HasSubstr("cannot enter the namespace"));
  options.before_exec = [] { throw std::runtime_error("broken"); };
  EXPECT_EQ("broken", error_of([&] { shell("true", options); }));
}

TEST(RunProgram, PassesOnlyTheDescriptorsAskedFor) {
  const UniqueFd file = open_file(AT_FDCWD, "/dev/null", O_RDONLY);
  const std::string script = "test -e /proc/self/fd/" + std::to_string(file.get());
  EXPECT_FALSE(shell(script).succeeded());
  ProgramOptions options;
  options.keep_fds = {file.get()};
  EXPECT_TRUE(shell(script, options).succeeded());
  EXPECT_EQ(FD_CLOEXEC, ::fcntl(file.get(), F_GETFD));
}

TEST(RunningProgram, WorksBesideItsStarter) {
  auto [read_end, write_end] = [] {
    int fds[2];
    check(::pipe2(fds, O_CLOEXEC), "cannot create a pipe");
    return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
  }();
  ProgramOptions options;
  options.keep_fds = {read_end.get()};
  options.input = "in\n";
  RunningProgram program({"sh", "-c", "cat; read line <&" + std::to_string(read_end.get()) + "; echo $line"},
                         options);
  write_fd(write_end.get(), "later\n", "a pipe");  // would block a program that is waited for already
  EXPECT_EQ("in\nlater\n", program.wait().out);
}

using RunningProgramFiles = ScratchDirectory;

TEST_F(RunningProgramFiles, EndWithTheirOwner) {
  const std::string file = below("pid");
  std::string pid;
  {
    const RunningProgram program(
        {"sh", "-c", "echo $$ > " + file + ".new; mv " + file + ".new " + file + "; exec sleep 1000"});
    while (!path_exists(AT_FDCWD, file)) ::usleep(1000);
    pid = trim(read_file(AT_FDCWD, file));
    EXPECT_TRUE(path_exists(AT_FDCWD, "/proc/" + pid));
  }
  EXPECT_FALSE(path_exists(AT_FDCWD, "/proc/" + pid));
  EXPECT_EQ(-1, ::waitpid(-1, nullptr, WNOHANG));
  EXPECT_EQ(ECHILD, errno);
}

TEST(RunningProgram, MissingProgramIsToldByWait) {
  RunningProgram program({"no-such-program-here"});
  EXPECT_EQ(ENOENT, errno_of([&] { program.wait(); }));
}

TEST(RunChecked, FailureCarriesTheErrorText) {
  EXPECT_EQ("ok\n", run_checked({"echo", "ok"}).out);
  EXPECT_EQ("'sh -c echo one >&2; echo two >&2; exit 7' exited with status 7: one two", error_of([] {
              run_checked({"sh", "-c", "echo one >&2; echo two >&2; exit 7"});
            }));
}

}  // namespace
}  // namespace hutch
