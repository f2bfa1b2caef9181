#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "cgroupv2/freezer.h"
#include "runtime/attach.h"
#include "runtime/stop.h"
#include "runtime/waiter.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;

class LifecycleTest : public ContainerTest {
 protected:
  void run_as_init(const std::string& script) { spec.init.argv = {"/bin/sh", "-c", script}; }
  bool halt(const ContainerState& running, std::chrono::milliseconds timeout) {
    return halt_container(sysroot(), running, timeout, [](const auto& action) { action(); });
  }
  std::string cgroup() { return formatted("{}/lxc/{}", cgroupv2::detect_layout().unified, vmid()); }
};

TEST_F(LifecycleTest, AnInitThatEndsTakesEverythingWithIt) {
  run_as_init("sleep 1000 & exit 3");
  start();
  EXPECT_TRUE(wait_until_gone());
}

TEST_F(LifecycleTest, HaltFromInside) {
  run_as_init("poweroff -f");
  start();
  EXPECT_TRUE(wait_until_gone());
}

TEST_F(LifecycleTest, ARebootFromInsideStartsTheRestartCommand) {
  run_as_init("reboot -f");
  const std::string script = directory() + "/restarted";
  StartOptions options;
  // The supervisor becomes this very program again; as a test program it takes a filter that matches nothing
  // and leaves its XML report, which tells us that it ran.
  options.restart_command = {"restart", "--gtest_filter=-*", "--gtest_output=xml:" + script};
  start(options);
  EXPECT_TRUE(wait_for_file(script));
  EXPECT_TRUE(wait_until_gone());
}

TEST(ExitReason, ReadsTheSignalOfReboot2) {
  // W_EXITCODE: wait(2)'s encoding, exit status above, signal below.
  EXPECT_EQ(exit_reason(W_EXITCODE(0, SIGHUP)), ExitReason::rebooting);
  EXPECT_EQ(exit_reason(W_EXITCODE(0, SIGINT)), ExitReason::halted);
  EXPECT_EQ(exit_reason(W_EXITCODE(0, SIGKILL)), ExitReason::halted);
  EXPECT_EQ(exit_reason(W_EXITCODE(1, 0)), ExitReason::halted);
}

TEST_F(LifecycleTest, HaltSendsSigpwrToAnInitThatDoesNotBlockIt) {
  run_as_init("trap 'exit 0' PWR; touch /tmp/ready; while :; do sleep 0.05; done");
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  const ContainerState running = state();
  EXPECT_EQ(halt_signal(running), SIGPWR);
  EXPECT_TRUE(halt(running, std::chrono::seconds(10)));
}

// What blocks everything for a moment, as fork(3) does, is no systemd, and what blocks only that signal is.
TEST(HaltSignal, IsNotToldFromTheMiddleOfAFork) {
  for (const bool systemd : {false, true}) {
    sigset_t before;
    sigset_t all;
    ::sigfillset(&all);
    ASSERT_EQ(::sigprocmask(SIG_SETMASK, &all, &before), 0);
    ContainerState state;
    state.init.pid = ::fork();
    ASSERT_GE(state.init.pid, 0);
    if (state.init.pid == 0) {
      ::usleep(100'000);
      sigset_t later;
      ::sigemptyset(&later);
      if (systemd) ::sigaddset(&later, SIGRTMIN + 3);
      ::sigprocmask(SIG_SETMASK, &later, nullptr);
      for (;;) ::pause();
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(halt_signal(state), systemd ? SIGRTMIN + 3 : SIGPWR);
    ::kill(state.init.pid, SIGKILL);
    ::waitpid(state.init.pid, nullptr, 0);
    EXPECT_NO_THROW(halt_signal(state)) << "of one that has just ended";
  }
}

TEST_F(LifecycleTest, AConfiguredHaltSignalIsUsed) {
  run_as_init("trap 'exit 0' USR1; touch /tmp/ready; while :; do sleep 0.05; done");
  spec.signals.halt = SIGUSR1;
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  EXPECT_TRUE(halt(state(), std::chrono::seconds(10)));
}

TEST_F(LifecycleTest, HaltTimesOutAndTheContainerStays) {
  start();  // sleep(1) as init ignores SIGPWR: no handler in a pid namespace's init
  EXPECT_FALSE(halt(state(), std::chrono::milliseconds(100)));
  EXPECT_NO_THROW(state());
}

TEST_F(LifecycleTest, AFrozenContainerCanBeKilled) {
  start();
  cgroupv2::freeze(cgroup(), std::chrono::seconds(10));
  kill_container(sysroot(), state());
  EXPECT_FALSE(find_running(sysroot(), vmid()));
}

TEST_F(LifecycleTest, EverythingWorksWithoutASupervisor) {
  start();
  const ContainerState running = state();
  const auto supervisor = open_process(running.supervisor);
  ASSERT_EQ(::kill(running.supervisor.pid, SIGKILL), 0);
  while (is_alive(running.supervisor)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(sh("echo alive"), "alive");
  kill_container(sysroot(), state());
  EXPECT_FALSE(path_exists(AT_FDCWD, state_directory(sysroot(), vmid())));
  EXPECT_FALSE(path_exists(AT_FDCWD, cgroup()));
}

TEST_F(LifecycleTest, TheNextStartCleansUpAfterADeadSupervisor) {
  start();
  const ContainerState running = state();
  ASSERT_EQ(::kill(running.supervisor.pid, SIGKILL), 0);
  while (is_alive(running.supervisor)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ASSERT_EQ(::kill(running.init.pid, SIGKILL), 0);
  while (is_alive(running.init)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(path_exists(AT_FDCWD, cgroup()));
  clean_up_leftovers(sysroot(), vmid());
  start();
  EXPECT_EQ(sh("echo again"), "again");
}

TEST_F(LifecycleTest, TheSupervisorPassesSignalsOn) {
  run_as_init("trap 'touch /tmp/got' USR2; touch /tmp/ready; while :; do sleep 0.05; done");
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  ASSERT_EQ(::kill(state().supervisor.pid, SIGUSR2), 0);
  EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/got"));
}

TEST_F(LifecycleTest, ExitStatusOfJoinedPrograms) {
  start();
  EXPECT_EQ(exec({"/bin/true"}).status, 0);
  EXPECT_EQ(exec({"/bin/sh", "-c", "exit 42"}).status, 42);
  EXPECT_EQ(exec({"/bin/sh", "-c", "kill -9 $$"}).status, 137);
  EXPECT_EQ(exec({"/does/not/exist"}).status, 127);
  EXPECT_EQ(exec({"/etc/passwd"}).status, 126);
  EXPECT_THAT(exec({"/does/not/exist"}).out, HasSubstr("ENOENT"));
}

TEST_F(LifecycleTest, EnvironmentOfJoinedPrograms) {
  start();
  ::setenv("HUTCH_TEST_VARIABLE", "mine", 1);
  EXPECT_THAT(exec({"/bin/env"}, true).out, HasSubstr("HUTCH_TEST_VARIABLE=mine"));
  const std::string cleared = exec({"/bin/env"}, false).out;
  EXPECT_EQ(cleared, "container=lxc\nTERM=linux\nPATH=/bin:/sbin\n");
  ::unsetenv("HUTCH_TEST_VARIABLE");
}

// The process that fails works in the caller's memory.
TEST_F(LifecycleTest, AFailedJoinLeavesTheCallerAsItWas) {
  start();
  const ContainerState good = state();
  ContainerState bad = good;
  bad.resource_limits = {"99 1 1"};
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    try {
      attach(sysroot(), bad, {{"/bin/true"}, true});
      ::_exit(1);
    } catch (const Error& error) {
      if (std::string(error.what()).find("99 1 1") == std::string::npos) ::_exit(2);
    }
    const std::string path = ::getenv("PATH");
    const int status = attach(sysroot(), good, {{"/bin/sh", "-c", "exit 42"}, false});
    ::_exit(path == ::getenv("PATH") ? status : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST_F(LifecycleTest, EnteringRunsTheShellOfRoot) {
  replace_file(AT_FDCWD, rootfs() + "/bin/greeting", "#!/bin/sh\necho this is root\n", 0755,
               Owner{100000, 100000});
  replace_file(AT_FDCWD, rootfs() + "/etc/passwd",
               "daemon:x:1:1::/:/bin/false\nroot:x:0:0:root:/root:/bin/greeting\n", 0644);
  start();
  EXPECT_EQ(exec({}).out, "this is root\n");
}

TEST_F(LifecycleTest, AShellThatDoesNotExistGivesWayToSh) {
  replace_file(AT_FDCWD, rootfs() + "/etc/passwd", "root:x:0:0:root:/root:/bin/nosuch\n", 0644);
  start();
  EXPECT_EQ(exec({}).status, 0);  // sh reads end-of-file
}

TEST_F(LifecycleTest, AProgramOnATerminalGetsOneOfTheContainers) {
  start();
  const ContainerState joined = state();
  int master = -1;
  const winsize size{33, 101, 0, 0};
  const pid_t pid = ::forkpty(&master, nullptr, nullptr, &size);
  ASSERT_GE(pid, 0);
  if (pid == 0) ::_exit(attach(sysroot(), joined, {{"/bin/sh", "-c", "tty; stty size; exit 5"}, false}));
  const UniqueFd held(master);
  std::string shown;
  char buffer[256];
  for (ssize_t count = 0; (count = ::read(master, buffer, sizeof buffer)) > 0;) {
    shown.append(buffer, static_cast<std::size_t>(count));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(shown, "/dev/pts/0\r\n33 101\r\n");
  EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST_F(LifecycleTest, AProgramKnowsItsTerminalsSizeFromTheBeginning) {
  start();
  const ContainerState joined = state();
  int master = -1;
  const winsize size{33, 101, 0, 0};
  const pid_t session = ::forkpty(&master, nullptr, nullptr, &size);
  ASSERT_GE(session, 0);
  if (session == 0) {
    // In the background it is stopped (SIGTTOU) when it wants to relay.
    const pid_t background = ::fork();
    if (background == 0) {
      ::setpgid(0, 0);
      ::_exit(
          attach(sysroot(), joined, {{"/bin/sh", "-c", "stty size >/tmp/size; touch /tmp/ready"}, false}));
    }
    int status = 0;
    ::waitpid(background, &status, WUNTRACED);
    ::_exit(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU && wait_for_file(rootfs() + "/tmp/ready") ? 0
                                                                                                        : 1);
  }
  const UniqueFd held(master);
  int status = 0;
  ASSERT_EQ(::waitpid(session, &status, 0), session);
  EXPECT_EQ(status, 0) << "not stopped, or the program did not end";
  EXPECT_EQ(sh("cat /tmp/size"), "33 101");
}

TEST_F(LifecycleTest, JoinedProgramsAreInTheContainersGroups) {
  spec.resources.memory_max = Located<cgroupv2::Limit>{cgroupv2::Limit::of(64U << 20), {}};
  start();
  EXPECT_EQ(sh("cat /proc/1/cgroup"), sh("cat /proc/self/cgroup"));
}

TEST_F(LifecycleTest, TheConsoleIsInitsTerminal) {
  spec.console = true;
  spec.tty_count = 2;
  run_as_init(
      "tty > /tmp/tty; touch /tmp/ready; i=0; while [ $i -lt 3000 ]; do echo 'a line on the console'; "
      "i=$((i+1)); done; "
      "touch /tmp/written; sleep 1000");
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  EXPECT_EQ(sh("cat /tmp/tty"), "/dev/pts/0");
  EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/written")) << "nobody drains the console";
  EXPECT_EQ(sh("stat -c %t:%T /dev/console /dev/tty1 /dev/tty2"), "88:0\n88:1\n88:2");
}

TEST_F(LifecycleTest, AnInitThatDoesNotExist) {
  spec.init.argv = {"/sbin/init"};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("/sbin/init"));
  EXPECT_THAT(error, HasSubstr("ENOENT"));
}

TEST_F(LifecycleTest, AnInitThatIsNotExecutable) {
  spec.init.argv = {"/etc/passwd"};
  EXPECT_THAT(start_error(), HasSubstr("EACCES"));
}

}  // namespace
}  // namespace hutch::kernel_test
