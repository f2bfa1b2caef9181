#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/stop.h"
#include "tests/kernel/hooks_fixture.h"

// The hooks of the end: when init ends, after a start that failed or was interrupted, before a reboot.
namespace hutch::kernel_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// The stop hook finds the namespaces that its arguments name, after the last process is gone.
TEST_F(HooksTest, StopHooksHaveTheNamespaces) {
  write_script("look", R"sh(#!/bin/sh
for ns in "$@"; do case $ns in mnt:*) nsenter --mount=${ns#mnt:} cat /tmp/of-the-container > NOTES/content;; esac; done
for ns in "$@"; do case $ns in *:/proc/*) readlink ${ns#*:} >> NOTES/links;; esac; done
kill -0 $LXC_PID && echo alive >> NOTES/links
true
)sh");
  hook(HookPhase::stop, directory() + "/look");
  spec.init.argv = {"/bin/sh", "-c", "echo hello > /tmp/of-the-container; sleep 1000"};
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/of-the-container"));
  const std::string net = sh("readlink /proc/1/ns/net");
  kill_container(sysroot(), state());
  EXPECT_THAT(lines("links"), Contains(net));
  EXPECT_EQ(lines("links").size(), 7U);
  EXPECT_EQ(join(lines("content"), "\n"), "hello");
}

TEST_F(HooksTest, EndHooksRunOnceWhenInitEnds) {
  for (const std::string way : {"exit 0", "poweroff -f", "kill -9 1; sleep 1000"}) {
    spec.hooks = {};
    hook(HookPhase::stop, directory() + "/note");
    hook(HookPhase::post_stop, directory() + "/note");
    spec.init.argv = {"/bin/sh", "-c", way};
    start();
    if (way.starts_with("kill")) ::kill(state().init.pid, SIGKILL);
    EXPECT_TRUE(wait_until_gone()) << way;
    EXPECT_EQ(order(), "stop post-stop") << way;
    forget();
    kill();
  }
}

// The last host steps, each with an init that has ended by then.
TEST_F(HooksTest, AnInitMayEndBeforeItsStartIsDone) {
  hook(HookPhase::stop, directory() + "/note");
  hook(HookPhase::post_stop, directory() + "/note");
  spec.console = true;
  spec.console_output.log_file = {directory() + "/console.log", {}};
  spec.init.argv = {"/bin/sh", "-c", "echo last words"};
  StartPlan planned = plan();
  const auto waits = std::find_if(planned.host.begin(), planned.host.end(), [](const auto& step) {
    return std::holds_alternative<host::AwaitExec>(step.action);
  });
  ASSERT_NE(waits, planned.host.end());
  HostStep dhcp;  // whether there is a client or not
  dhcp.action = host::StartDhcpClient{{AF_INET, "eth0"}};
  planned.host.insert(waits + 1, dhcp);
  StartOptions options;
  bool executed = false;
  options.before_step = [&](std::size_t at) {
    if (executed) {
      const auto record = read_unpublished_state(sysroot(), vmid());
      while (record && is_alive(record->init)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    executed |= at < planned.host.size() && std::holds_alternative<host::AwaitExec>(planned.host[at].action);
  };
  start_container(planned, options);
  EXPECT_TRUE(wait_until_gone());
  EXPECT_EQ(order(), "stop post-stop");
  EXPECT_THAT(lines("stop"), Contains(HasSubstr("LXC_TARGET=stop")));
  EXPECT_EQ(read_file(AT_FDCWD, directory() + "/console.log"), "last words\r\n");
}

TEST_F(HooksTest, EndHooksRunOnceWithoutASupervisor) {
  hook(HookPhase::stop, directory() + "/note");
  hook(HookPhase::post_stop, directory() + "/note");
  const auto kill_supervisor = [&] {
    const ContainerState running = state();
    ASSERT_EQ(::kill(running.supervisor.pid, SIGKILL), 0);
    while (is_alive(running.supervisor)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  };
  start();
  kill_supervisor();
  kill_container(sysroot(), state());
  EXPECT_EQ(order(), "stop post-stop");
  EXPECT_THAT(lines("stop").at(0), HasSubstr(" mnt:/proc/")) << "held by who stops it";
  forget();
  // The namespaces of one that ended alone are gone.
  start();
  kill_supervisor();
  const ContainerState running = state();
  ASSERT_EQ(::kill(running.init.pid, SIGKILL), 0);
  while (is_alive(running.init)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(order(), "");
  clean_up_leftovers(sysroot(), vmid());
  EXPECT_EQ(order(), "stop post-stop");
  EXPECT_EQ(lines("stop").at(0), formatted("args: {} lxc stop", vmid()));
}

TEST_F(HooksTest, EndHooksRunWhenTheStarterIsKilled) {
  note_every_phase();
  const StartPlan planned = plan();
  std::size_t limited = 0;
  for (std::size_t at = 0; at < planned.host.size(); ++at) {
    if (std::holds_alternative<host::AwaitReady>(planned.host[at].action)) limited = at;
  }
  const pid_t starter = ::fork();
  if (starter == 0) {
    StartOptions options;
    options.before_step = [limited](std::size_t at) {
      if (at == limited) ::raise(SIGKILL);
    };
    try {
      start_container(planned, options);
    } catch (const Error&) {
    }
    ::_exit(0);
  }
  ::waitpid(starter, nullptr, 0);
  EXPECT_TRUE(wait_until_gone());
  EXPECT_THAT(order(), ::testing::EndsWith("stop post-stop"));
  // Its process, which is nobody's child here, ends a moment after its work.
  for (int tries = 0; tries < 500; ++tries) {
    if (host_snapshot(directory(), vmid()).find("process ") == std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// An init that asks for a reboot right away; the restart command of this program leaves a report.
class RebootTest : public HooksTest {
 protected:
  std::string report() const { return directory() + "/restarted"; }
  void reboot_with(const std::string& command) {
    hook(HookPhase::stop, directory() + "/note");
    hook(HookPhase::post_stop, command);
    spec.init.argv = {"/bin/sh", "-c", "reboot -f"};
    StartOptions options;
    options.restart_command = {"restart", "--gtest_filter=-*", "--gtest_output=xml:" + report()};
    start(options);
    EXPECT_TRUE(wait_until_gone());
  }
};

TEST_F(RebootTest, HooksAreToldTheTarget) {
  reboot_with(directory() + "/note");
  EXPECT_TRUE(wait_for_file(report()));
  EXPECT_EQ(order(), "stop post-stop");
  EXPECT_THAT(lines("stop"), Contains("LXC_TARGET=reboot"));
  EXPECT_THAT(lines("post-stop"), Contains("LXC_TARGET=reboot"));
}

TEST_F(RebootTest, AFailingPostStopHookCancelsIt) {
  reboot_with("/bin/false");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(path_exists(AT_FDCWD, report()));
  EXPECT_EQ(order(), "stop");
}

// A start in a process of its own that is told to stop while a hook sleeps.
class InterruptionTest : public HooksTest, public ::testing::WithParamInterface<std::pair<HookPhase, int>> {};

TEST_P(InterruptionTest, TakesEverythingBack) {
  const auto [phase, number] = GetParam();
  write_script("sleep", "#!/bin/sh\necho begun > NOTES/begun\nexec sleep 1000\n");
  replace_file(AT_FDCWD, rootfs() + "/bin/doze", "#!/bin/sh\necho begun > /tmp/begun\nexec sleep 1000\n",
               0755, Owner{100000, 100000});
  hook(phase, phase == HookPhase::start ? "/bin/doze" : directory() + "/sleep");
  hook(HookPhase::post_stop, directory() + "/note");
  const StartPlan planned = plan();
  const std::string errors = directory() + "/errors";
  const pid_t starter = ::fork();
  if (starter == 0) {
    int status = 0;
    try {
      start_container(planned, {});
    } catch (const Error& error) {
      replace_file(AT_FDCWD, errors, error.what(), 0644);
      status = 3;
    }
    ::_exit(status);
  }
  ASSERT_TRUE(wait_for_file(phase == HookPhase::start ? rootfs() + "/tmp/begun" : notes() + "/begun"));
  ASSERT_EQ(::kill(starter, number), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(starter, &status, 0), starter);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_THAT(read_file(AT_FDCWD, errors),
              HasSubstr(formatted("interrupted by SIG{}", ::sigabbrev_np(number))));
  EXPECT_EQ(order(), "post-stop");
}

INSTANTIATE_TEST_SUITE_P(Phases, InterruptionTest,
                         ::testing::Values(std::pair{HookPhase::pre_start, SIGINT},
                                           std::pair{HookPhase::mount, SIGTERM},
                                           std::pair{HookPhase::start, SIGINT},
                                           std::pair{HookPhase::start_host, SIGTERM}));

}  // namespace
}  // namespace hutch::kernel_test
