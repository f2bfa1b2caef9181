#include "runtime/hook_command.h"

#include <gmock/gmock.h>
#include <signal.h>

#include "base/text.h"
#include "tests/base/error_of.h"

namespace hutch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HookCommand net_up() {
  HookCommand hook;
  hook.command = "/bin/plug --fast";
  hook.key = "lxc.net.0.script.up";
  hook.container = "100";
  hook.section = "net";
  hook.type = "up";
  hook.extras = {"veth", "vmbr0", "veth100i0"};
  hook.origin = {"100.conf", 4};
  return hook;
}

TEST(HookCommandLine, HasTheThreeStandardArgumentsInQuotes) {
  EXPECT_EQ("exec /bin/plug --fast '100' 'net' 'up' veth vmbr0 veth100i0", hook_command_line(net_up()));
}

TEST(HookCommandLine, AnEmptyExtraDisappears) {
  HookCommand hook = net_up();
  hook.extras[1] = "";
  EXPECT_EQ("exec /bin/plug --fast '100' 'net' 'up' veth veth100i0", hook_command_line(hook));
}

// A container can give a link back under such a name.
TEST(HookCommandLine, ALinksNameIsNoCommand) {
  HookCommand hook = net_up();
  hook.extras[1] = "eth;reboot";
  hook.extras[2] = "$(x)";
  EXPECT_EQ("exec /bin/plug --fast '100' 'net' 'up' veth 'eth;reboot' '$(x)'", hook_command_line(hook));
}

TEST(HookCommandLine, VersionOneLeavesThemToTheEnvironment) {
  HookCommand hook = net_up();
  hook.version = 1;
  hook.environment = {"LXC_NAME=100"};
  EXPECT_EQ("exec /bin/plug --fast veth vmbr0 veth100i0", hook_command_line(hook));
  EXPECT_THAT(hook_environment(hook),
              ElementsAre("LXC_NAME=100", "LXC_HOOK_SECTION=net", "LXC_HOOK_TYPE=up"));
}

TEST(HookCommandLine, AQuoteCannotEndTheQuotes) {
  HookCommand hook = net_up();
  hook.container = "it's";
  hook.extras.clear();
  EXPECT_EQ("exec /bin/plug --fast 'it'\\''s' 'net' 'up'", hook_command_line(hook));
}

TEST(HookEnvironment, LeavesOutWhatIsNotKnown) {
  HookContainer container;
  container.name = "100";
  container.rootfs_path = "dir:/srv/100";
  EXPECT_THAT(common_hook_environment(container), ElementsAre("LXC_NAME=100", "LXC_ROOTFS_PATH=dir:/srv/100",
                                                              "LXC_CGNS_AWARE=1", "LXC_HOOK_VERSION=0"));
}

HookCommand shell(const std::string& script) {
  HookCommand hook = net_up();
  hook.command = "sh -c '" + script + "' sh";
  hook.environment = {"LXC_NAME=100"};
  return hook;
}

TEST(RunHook, GivesArgumentsEnvironmentAndOutput) {
  EXPECT_EQ("100 net up veth vmbr0 veth100i0 in / for 100\n",
            run_hook(shell("echo \"$@\" in $PWD for $LXC_NAME")));
}

TEST(RunHook, AFailureNamesKeyStatusAndLine) {
  const std::string error = error_of([] { run_hook(shell("exit 3")); });
  EXPECT_THAT(error, HasSubstr("'lxc.net.0.script.up'"));
  EXPECT_THAT(error, HasSubstr("exited with status 3"));
  EXPECT_THAT(error, HasSubstr("[100.conf:4]"));
  EXPECT_THAT(error_of([] { run_hook(shell("kill -9 $$")); }), HasSubstr("killed by SIGKILL"));
}

TEST(RunHook, MoreOutputThanAPipeHoldsIsDrained) {
  const std::string out = run_hook(shell("head -c 3000000 /dev/zero; echo >&2 -n"));
  EXPECT_GE(out.size(), kHookOutputLimit);
  EXPECT_LT(out.size(), 2 * kHookOutputLimit);
}

TEST(RunHook, ABackgroundProcessIsNotWaitedFor) {
  const std::string out = run_hook(shell("sleep 1000 & echo $!"));
  const auto background = static_cast<pid_t>(parse_unsigned(trim(out)).value_or(0));
  ASSERT_GT(background, 1);
  EXPECT_EQ(0, ::kill(background, SIGKILL));
}

TEST(RunHook, NoSignalIsBlocked) {
  sigset_t one, before;
  ::sigemptyset(&one);
  ::sigaddset(&one, SIGTERM);
  ASSERT_EQ(0, ::sigprocmask(SIG_BLOCK, &one, &before));
  EXPECT_THAT(run_hook(shell("grep SigBlk /proc/self/status")), HasSubstr("0000000000000000"));
  ASSERT_EQ(0, ::sigprocmask(SIG_SETMASK, &before, nullptr));
}

}  // namespace
}  // namespace hutch
