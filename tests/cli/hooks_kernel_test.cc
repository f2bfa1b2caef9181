#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "base/format.h"
#include "base/text.h"
#include "runtime/state.h"
#include "tests/cli/container_fixture.h"

// The hookscript, and what of hooks and the console is the command line's part, with real containers.
namespace hutch::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class HooksOfCommands : public testing::ContainerFixture {
 protected:
  void SetUp() override {
    ContainerFixture::SetUp();
    if (IsSkipped()) return;
    const auto created =
        pct({"create", vmid_, "local:vztmpl/debian.tar.gz", "--rootfs", "0", "--unprivileged", "1"});
    ASSERT_EQ(created.status, 0) << created.err;
    // Hooks inside run as the container's root.
    ASSERT_EQ(::chmod(host.root().c_str(), 0755), 0);
    add_to_config("lxc.init.cmd: /bin/sh -c 'sleep 1000'\n");
  }
  void TearDown() override {
    if (IsSkipped()) return;
    pct({"stop", vmid_});
    // One that ended by itself is cleaned up beside us.
    EXPECT_TRUE(
        wait_for([&] { return !std::filesystem::exists(state_directory(host.sysroot(), number())); }));
    EXPECT_THAT(kernel_leftovers(), IsEmpty());
  }

  void add_to_config(const std::string& lines) {
    host.add_container(number(), host.config(number()) + lines);
  }
  void add_hookscript(const std::string& script) {
    const std::string path = "var/lib/vz/snippets/tell.sh";
    host.write(path, "#!/bin/sh\n" + script);
    ASSERT_EQ(::chmod(host.path(path).c_str(), 0755), 0);
    const auto config = host.config(number());
    host.add_container(number(), "hookscript: local:snippets/tell.sh\n" + config);
  }
  std::string told() const { return host.read("told"); }
  std::string note(const std::string& text = "$*") const {
    return formatted("echo \"{}\" >> {}\n", text, host.path("told"));
  }
  std::string rootfs() const {
    return host.path(formatted("var/lib/vz/images/{0}/subvol-{0}-disk-0.subvol", vmid_));
  }
  unsigned number() const { return static_cast<unsigned>(std::stoul(vmid_)); }
  bool wait_for(const std::function<bool()>& there) const {
    for (int tries = 0; tries < 6000 && !there(); ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return there();
  }

  const std::string vmid_ = std::to_string(700'000'000 + ::getpid());
};

TEST_F(HooksOfCommands, TheHookscriptIsToldEveryPhase) {
  add_hookscript(note());
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_EQ(told(), formatted("{0} pre-start\n{0} post-start\n", vmid_));
  EXPECT_EQ(pct({"stop", vmid_}).status, 0);
  EXPECT_EQ(told(), formatted("{0} pre-start\n{0} post-start\n{0} pre-stop\n{0} post-stop\n", vmid_));
}

TEST_F(HooksOfCommands, AFailingPreStartAborts) {
  add_hookscript(note() + "[ $2 != pre-start ]\n");
  const auto outcome = pct({"start", vmid_});
  EXPECT_EQ(outcome.status, 255);
  EXPECT_THAT(outcome.err, HasSubstr(formatted("hookscript error for {} on pre-start", vmid_)));
  EXPECT_EQ(told(), vmid_ + " pre-start\n");
  EXPECT_FALSE(find_running(host.sysroot(), number()));
}

TEST_F(HooksOfCommands, OtherFailuresWarn) {
  add_hookscript("[ $2 = pre-start ]\n");
  const auto started = pct({"start", vmid_});
  EXPECT_EQ(started.status, 0);
  EXPECT_THAT(started.out + started.err, HasSubstr("WARN: hookscript error for " + vmid_ + " on post-start"));
  const auto stopped = pct({"stop", vmid_});
  EXPECT_EQ(stopped.status, 0);
  EXPECT_THAT(stopped.out + stopped.err, HasSubstr("WARN: hookscript error for " + vmid_ + " on pre-stop"));
}

TEST_F(HooksOfCommands, AMissingScriptIsNamedWithItsLine) {
  add_hookscript("true\n");
  ASSERT_TRUE(std::filesystem::remove(host.path("var/lib/vz/snippets/tell.sh")));
  const auto outcome = pct({"start", vmid_});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("option 'hookscript'"), HasSubstr(vmid_ + ".conf:1")));
}

// The guest ends by itself: no pre-stop. It reboots: neither stopped nor started.
TEST_F(HooksOfCommands, AGuestThatEndsItselfIsToldAfterwardsOnly) {
  add_hookscript(note());
  add_to_config("lxc.init.cmd: /bin/sh -c 'exit 0'\n");
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_TRUE(wait_for([&] { return told().ends_with("post-stop\n"); })) << told();
  EXPECT_EQ(told(), formatted("{0} pre-start\n{0} post-start\n{0} post-stop\n", vmid_));
}

// However long the script is busy with the start.
TEST_F(HooksOfCommands, AGuestThatEndsItselfIsToldAfterItsStart) {
  add_hookscript(formatted("if [ $2 = post-start ]; then : > {}/told; sleep 1; fi\n", rootfs()) + note());
  add_to_config("lxc.init.cmd: /bin/sh -c 'until [ -e /told ]; do sleep 0.05; done'\n");
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_EQ(told(), formatted("{0} pre-start\n{0} post-start\n", vmid_));
  EXPECT_TRUE(wait_for([&] { return told().ends_with("post-stop\n"); })) << told();
}

TEST_F(HooksOfCommands, AScriptMayStopWhatItIsToldOf) {
  add_hookscript(formatted("if [ $2 = post-start ]; then HUTCH_ROOT={} {} pct stop $1; fi\n", host.root(),
                           "/proc/" + std::to_string(::getpid()) + "/exe") +
                 note());
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_EQ(told(), formatted("{0} pre-start\n{0} pre-stop\n{0} post-stop\n{0} post-start\n", vmid_));
}

TEST_F(HooksOfCommands, ARebootFromInsideIsNotToldAndCopiesTheEnvironmentAgain) {
  add_hookscript(note());
  ::setenv("HUTCH_TEST_COPIED", "from the first starter", 1);
  add_to_config(
      "lxc.environment: HUTCH_TEST_COPIED\nlxc.hook.post-stop: " +
      formatted("sh -c 'echo target $LXC_TARGET >> {}'\n", host.path("told")) +
      "lxc.init.cmd: /bin/sh -c 'if [ -e /again ]; then env > /environment; sleep 1000; else : > /again; "
      "exec /bin/reboot -f; fi'\n");
  std::filesystem::create_symlink("/bin/sh", rootfs() + "/bin/reboot");
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  ::unsetenv("HUTCH_TEST_COPIED");
  ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(rootfs() + "/environment"); }));
  EXPECT_TRUE(wait_for([&] { return find_running(host.sysroot(), number()).has_value(); }));
  EXPECT_TRUE(wait_for([&] {
    std::ifstream file(rootfs() + "/environment");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.find("HUTCH_TEST_COPIED=from the first starter") != std::string::npos;
  }));
  // A hook does not wait for the hookscript.
  const std::string phases = told();
  EXPECT_THAT(split(phases, '\n'),
              UnorderedElementsAre(vmid_ + " pre-start", vmid_ + " post-start", "target reboot", ""));
}

TEST_F(HooksOfCommands, ADestroyHookRunsBeforeAndMayForbidIt) {
  add_to_config("lxc.hook.destroy: " +
                formatted("sh -c 'echo $3 $LXC_NAME >> {}; [ -e {} ]' destroy", host.path("told"),
                          host.path("allowed")) +
                "\n");
  const auto refused = pct({"destroy", vmid_});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("'lxc.hook.destroy'"));
  EXPECT_EQ(told(), "destroy " + vmid_ + "\n");
  EXPECT_THAT(host.config(number()), HasSubstr("rootfs:"));
  host.write("allowed", "");
  const auto destroyed = pct({"destroy", vmid_});
  EXPECT_EQ(destroyed.status, 0) << destroyed.err;
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(number()));
}

TEST_F(HooksOfCommands, ABrokenConfigDoesNotKeepAContainer) {
  add_to_config("lxc.hook.version: 7\n");
  const auto destroyed = pct({"destroy", vmid_});
  EXPECT_EQ(destroyed.status, 0) << destroyed.err;
  EXPECT_THAT(destroyed.out + destroyed.err,
              AllOf(HasSubstr("WARN: its destroy hooks are not run"), HasSubstr("lxc.hook.version")));
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(number()));
}

TEST_F(HooksOfCommands, HooksFindTheConfig) {
  add_to_config("lxc.hook.pre-start: sh -c 'cp $LXC_CONFIG_FILE " + host.path("told") + "'\n");
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_EQ(told(), host.config(number()));
}

TEST_F(HooksOfCommands, TheLastOutputOfTheConsoleIsShown) {
  add_to_config("lxc.console.buffer.size: auto\nlxc.init.cmd: /bin/sh -c 'echo hello; sleep 1000'\n");
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_TRUE(wait_for([&] { return pct({"console-log", vmid_}).out == "hello\r\n"; }));
  EXPECT_EQ(pct({"stop", vmid_}).status, 0);
  EXPECT_THAT(pct({"console-log", vmid_}).err, HasSubstr("not running"));
}

TEST_F(HooksOfCommands, AConsoleThatIsNotKeptIsAnError) {
  ASSERT_EQ(pct({"start", vmid_}).status, 0);
  EXPECT_THAT(pct({"console-log", vmid_}).err, HasSubstr("lxc.console.buffer.size"));
}

}  // namespace
}  // namespace hutch::cli
