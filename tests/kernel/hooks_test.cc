#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/stop.h"
#include "tests/kernel/hooks_fixture.h"

// Hooks of every phase, in containers that run.
namespace hutch::kernel_test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(HooksTest, RunInOrderWithTheirArguments) {
  note_every_phase();
  start();
  EXPECT_EQ(order(), "pre-start pre-mount mount autodev start-host");
  EXPECT_THAT(sh("cat /tmp/start"), StartsWith(formatted("args: own {} lxc start\n", vmid())));
  kill_container(sysroot(), state());
  EXPECT_EQ(order(), "pre-start pre-mount mount autodev start-host stop post-stop");
  for (const std::string phase : {"pre-start", "pre-mount", "mount", "autodev", "start-host", "post-stop"}) {
    EXPECT_EQ(lines(phase).at(0), formatted("args: {} lxc {}", vmid(), phase));
  }
  EXPECT_THAT(lines("stop").at(0), StartsWith(formatted("args: {} lxc stop user:/proc/", vmid())));
}

TEST_F(HooksTest, VersionOneHasItInTheEnvironment) {
  note_every_phase();
  spec.hook_version = 1;
  start();
  EXPECT_THAT(sh("cat /tmp/start"), AllOf(StartsWith("args: own\n"), HasSubstr("LXC_HOOK_TYPE=start\n")));
  kill_container(sysroot(), state());
  for (const std::string phase :
       {"pre-start", "pre-mount", "mount", "autodev", "start-host", "stop", "post-stop"}) {
    const auto seen = lines(phase);
    EXPECT_EQ(seen.at(0), "args: ") << phase;
    EXPECT_THAT(seen, Contains("LXC_HOOK_TYPE=" + phase));
    EXPECT_THAT(seen, Contains("LXC_HOOK_SECTION=lxc"));
    EXPECT_THAT(seen, Contains("LXC_HOOK_VERSION=1"));
  }
  for (const auto* name : {"USER", "MNT", "PID", "UTS", "IPC", "NET", "CGROUP"}) {
    EXPECT_THAT(lines("stop"), Contains(StartsWith(formatted("LXC_{}_NS=/proc/", name)))) << name;
  }
}

TEST_F(HooksTest, AllAreToldTheContainer) {
  note_every_phase();
  spec.config_path = "/etc/pve/lxc/x.conf";
  spec.hooks.environment = {{"FOR_HOOKS=yes = yes", {}}};
  start();
  const std::string init = std::to_string(state().init.pid);
  kill_container(sysroot(), state());
  for (const std::string phase :
       {"pre-start", "pre-mount", "mount", "autodev", "start-host", "stop", "post-stop"}) {
    const auto seen = lines(phase);
    EXPECT_THAT(seen, Contains(formatted("LXC_NAME={}", vmid()))) << phase;
    EXPECT_THAT(seen, Contains("LXC_CONFIG_FILE=/etc/pve/lxc/x.conf")) << phase;
    EXPECT_THAT(seen, Contains("LXC_ROOTFS_MOUNT=" + mount_path())) << phase;
    EXPECT_THAT(seen, Contains("LXC_ROOTFS_PATH=" + rootfs())) << phase;
    EXPECT_THAT(seen, Contains("LXC_CGNS_AWARE=1")) << phase;
    EXPECT_THAT(seen, Contains("LXC_LOG_LEVEL=ERROR")) << phase;
    const bool inside = phase == "pre-mount" || phase == "mount" || phase == "autodev";
    EXPECT_EQ(std::count(seen.begin(), seen.end(), "FOR_HOOKS=yes = yes"), inside ? 1 : 0) << phase;
    const bool after_clone = phase == "start-host" || phase == "stop" || phase == "post-stop";
    EXPECT_EQ(std::count(seen.begin(), seen.end(), "LXC_PID=" + init), after_clone ? 1 : 0) << phase;
    const bool at_end = phase == "stop" || phase == "post-stop";
    EXPECT_EQ(std::count(seen.begin(), seen.end(), "LXC_TARGET=stop"), at_end ? 1 : 0) << phase;
  }
}

// What a hook inside holds is passed on to it by nobody.
TEST_F(HooksTest, ThoseInsideHaveNoDescriptorOfTheHosts) {
  ::setenv("HUTCH_TEST_SECRET", "of the host", 1);
  note_every_phase();
  start();
  ::unsetenv("HUTCH_TEST_SECRET");
  for (const std::string phase : {"pre-mount", "mount", "autodev"}) {
    const auto seen = lines(phase);
    EXPECT_THAT(seen, Contains("user: 0"));
    EXPECT_THAT(seen, Contains(HasSubstr(" 100000 "))) << "in the container's user namespace";
    EXPECT_THAT(seen, Not(Contains(StartsWith("HUTCH_TEST_SECRET")))) << phase;
    for (const auto& line : seen) {
      if (!line.starts_with("fd: ")) continue;
      EXPECT_THAT(line, ::testing::AnyOf(HasSubstr("/dev/null"), HasSubstr("pipe:"), HasSubstr(notes()),
                                         HasSubstr("/note"), HasSubstr("/proc/")))
          << phase;
    }
  }
  EXPECT_THAT(sh("cat /tmp/start"), Not(HasSubstr("HUTCH_TEST_SECRET")));
  EXPECT_THAT(lines("pre-start"), Contains("HUTCH_TEST_SECRET=of the host"));
}

TEST_F(HooksTest, MountHooksSeeAndChangeTheStagedRoot) {
  write_script("stage", R"sh(#!/bin/sh
set -e
echo mounted > $LXC_ROOTFS_MOUNT/tmp/by-$3
ls -d $LXC_ROOTFS_MOUNT/proc/self $LXC_ROOTFS_MOUNT/sys/class > NOTES/seen-$3
mount -t tmpfs none $LXC_ROOTFS_MOUNT/mnt
echo inside > $LXC_ROOTFS_MOUNT/mnt/file
)sh");
  write_script("absent", "#!/bin/sh\n[ ! -e $LXC_ROOTFS_MOUNT/bin ]\n");
  hook(HookPhase::pre_mount, directory() + "/absent");
  hook(HookPhase::mount, directory() + "/stage");
  start();
  EXPECT_EQ(lines("seen-mount").size(), 2U);
  EXPECT_EQ(sh("cat /tmp/by-mount /mnt/file"), "mounted\ninside");
  EXPECT_EQ(sh("ls /"), "bin\ndev\netc\nmnt\nproc\nroot\nsbin\nsys\ntmp") << "the old root is gone";
  EXPECT_FALSE(path_exists(AT_FDCWD, mount_path() + "/mnt/file")) << "the host does not see it";
}

// Device nodes need a right that a user namespace never has (mknod(2)); links and directories do not.
TEST_F(HooksTest, AutodevMakesWhatTheKernelLets) {
  write_script("dev", R"sh(#!/bin/sh
cd $LXC_ROOTFS_MOUNT/dev || exit 1
mkdir -p net && ln -s null net/link && mknod pipe p || exit 2
mknod net/tun c 10 200; echo $? > NOTES/mknod
true
)sh");
  hook(HookPhase::autodev, directory() + "/dev");
  start();
  EXPECT_EQ(sh("echo x > /dev/net/link; [ -p /dev/pipe ] && echo fifo"), "fifo");
  EXPECT_EQ(lines("mknod").at(0), "1");
}

TEST_F(HooksTest, AutodevMakesDeviceNodesForAPrivilegedContainer) {
  make_privileged();
  // The container itself may not make any.
  spec.devices.allow_by_default = false;
  spec.devices.rules = {{.allow = true, .type = 'c', .major = 1, .read = true, .write = true, .mknod = true}};
  write_script(
      "dev",
      "#!/bin/sh\nmkdir -p $LXC_ROOTFS_MOUNT/dev/net && mknod $LXC_ROOTFS_MOUNT/dev/net/tun c 10 200\n");
  hook(HookPhase::autodev, directory() + "/dev");
  start();
  EXPECT_EQ(sh("stat -c %t:%T /dev/net/tun"), "a:c8");
}

TEST_F(HooksTest, WithoutADevOfItsOwnThereIsNoAutodev) {
  spec.autodev = false;
  hook(HookPhase::autodev, "/bin/false");
  start();
}

TEST_F(HooksTest, ListsRunInOrderUntilOneFails) {
  for (const auto* name : {"one", "two"})
    write_script(name, formatted("#!/bin/sh\necho {} >> NOTES/order\n", name));
  hook(HookPhase::mount, directory() + "/one");
  hook(HookPhase::mount, "/bin/false");
  hook(HookPhase::mount, directory() + "/two");
  start_error();
  EXPECT_EQ(order(), "one");
}

// Each phase of a start: the message names key, command, status and line, and the hooks of the end run.
TEST_F(HooksTest, AFailingHookOfEveryPhaseLeavesNothing) {
  const HookPhase all[] = {HookPhase::pre_start, HookPhase::pre_mount, HookPhase::mount,
                           HookPhase::autodev,   HookPhase::start,     HookPhase::start_host};
  write_script("fail", "#!/bin/sh\nexit 7\n");
  replace_file(AT_FDCWD, rootfs() + "/bin/fail", "#!/bin/sh\nexit 7\n", 0755, Owner{100000, 100000});
  hook(HookPhase::stop, directory() + "/note");
  hook(HookPhase::post_stop, directory() + "/note");
  const std::string before = host_snapshot(directory(), vmid());
  for (const auto phase : all) {
    const std::string command = phase == HookPhase::start ? "/bin/fail" : directory() + "/fail";
    hook(phase, command);
    const std::string error = start_error();
    EXPECT_THAT(error, HasSubstr(formatted("lxc.hook.{}", hook_name(phase))));
    EXPECT_THAT(error, HasSubstr(command));
    EXPECT_THAT(error, HasSubstr("exited with status 7"));
    EXPECT_THAT(error, HasSubstr(formatted("[test.conf:{}]", 10 + static_cast<int>(phase))));
    EXPECT_EQ(order(), "stop post-stop") << hook_name(phase);
    forget();
    ASSERT_EQ(host_snapshot(directory(), vmid()), before) << hook_name(phase);
    spec.hooks.of(phase).clear();
  }
}

TEST_F(HooksTest, AHookThatIsKilled) {
  hook(HookPhase::mount, "sh -c 'kill -9 $$'");
  EXPECT_THAT(start_error(), AllOf(HasSubstr("killed by SIGKILL"), HasSubstr("lxc.hook.mount")));
  spec.hooks.of(HookPhase::mount).clear();
  hook(HookPhase::pre_start, "sh -c 'kill -TERM $$'");
  EXPECT_THAT(start_error(), AllOf(HasSubstr("killed by SIGTERM"), HasSubstr("lxc.hook.pre-start")));
}

TEST_F(HooksTest, AHookThatDoesNotExist) {
  hook(HookPhase::mount, "/no/such/hook");
  EXPECT_THAT(start_error(), HasSubstr("exited with status 127"));
  spec.hooks.of(HookPhase::mount).clear();
  hook(HookPhase::start, "/no/such/hook");
  const std::string error = start_error();
  EXPECT_THAT(error, AllOf(HasSubstr("find the start hook's program"), HasSubstr("ENOENT")));
}

TEST_F(HooksTest, AMegabyteOfOutputIsDrained) {
  write_script("loud", "#!/bin/sh\nhead -c 1048576 /dev/zero | tr '\\0' x\necho done >> NOTES/order\n");
  for (const auto phase : kHostPhases) hook(phase, directory() + "/loud");
  for (const auto phase : kStagedPhases) hook(phase, directory() + "/loud");
  hook(HookPhase::start, "/bin/sh -c 'head -c 1048576 /dev/zero'");
  start();
  kill_container(sysroot(), state());
  EXPECT_EQ(lines("order").size(), 7U);
}

TEST_F(HooksTest, AnOutputThatIsLeftOpenIsNotWaitedFor) {
  hook(HookPhase::mount, "sh -c 'sleep 20 & exit 0'");
  hook(HookPhase::pre_mount, "sh -c 'exec 1>&- 2>&-; sleep 0.2'");
  const auto begin = std::chrono::steady_clock::now();
  start();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

// A start hook is a program of the guest's, beside a first process that is still ours.
TEST_F(HooksTest, StartHooksOfAPrivilegedContainerHaveItsRightsOnly) {
  make_privileged();
  spec.devices = {.allow_by_default = false, .rules = {}};
  replace_file(AT_FDCWD, rootfs() + "/bin/spy",
               "#!/bin/sh\nbusybox mknod /tmp/kmsg c 1 11\n"
               "(: </tmp/kmsg) && echo kmsg >/tmp/seen\n"
               "for fd in /proc/1/fd/*; do test -c $fd -a \"$(readlink $fd)\" = /dev/tty && echo tty "
               ">>/tmp/seen; done\n"
               "echo looked >>/tmp/seen\n",
               0755);
  spec.hooks.of(HookPhase::start).push_back({"/bin/spy", {}});
  start();
  EXPECT_EQ(trim(read_file(AT_FDCWD, rootfs() + "/tmp/seen")), "looked");
  EXPECT_FALSE(plan().shares_memory);
}

// Programs of a privileged container may trace a first process that they see.
TEST_F(HooksTest, TheFirstProcessHasNoMoreThanAStartHookThatCouldTraceIt) {
  make_privileged();
  spec.capabilities.drop = {{"sys_module", {}}, {"sys_time", {}}, {"mac_admin", {}}};
  hook(HookPhase::start, "sh -c 'grep ^Cap[PEI] /proc/1/status > /tmp/first'");
  start();
  const std::string sets = read_file(AT_FDCWD, rootfs() + "/tmp/first");
  for (const auto line : split(sets, '\n')) {
    if (line.empty()) continue;
    const auto bits = std::stoull(std::string(split_blanks(line).back()), nullptr, 16);
    for (const unsigned number : {16U, 25U, 33U}) EXPECT_EQ(0U, bits >> number & 1U) << line;
  }
  EXPECT_THAT(sets, HasSubstr("CapPrm"));
}

// What pre-start mounts is there for the volumes and for post-stop, and never on the host.
TEST_F(HooksTest, MountsOfPreStartAreTheContainersOwn) {
  make_directories(directory() + "/extra");
  write_script("mount", "#!/bin/sh\nmount -t tmpfs none NOTES/../extra && echo data > NOTES/../extra/file\n");
  write_script("umount",
               "#!/bin/sh\nexec 2>NOTES/umount-error; umount NOTES/../extra && echo gone > NOTES/umount\n");
  hook(HookPhase::pre_start, directory() + "/mount");
  hook(HookPhase::post_stop, directory() + "/umount");
  MountSpec mount;
  mount.bind = true;
  mount.source = directory() + "/extra";
  mount.target = "mnt";
  spec.mounts = {mount};
  start();
  EXPECT_EQ(sh("cat /mnt/file"), "data");
  EXPECT_FALSE(path_exists(AT_FDCWD, directory() + "/extra/file"));
  kill_container(sysroot(), state());
  EXPECT_EQ(join(lines("umount"), ""), "gone") << join(lines("umount-error"), "\n");
}

TEST_F(HooksTest, ProcessFilesAreWrittenForInitAlone) {
  spec.process_files = {{"oom_score_adj", {"321", {"test.conf", 9}}}};
  start();
  const auto score = [](pid_t pid) {
    return std::string(trim(read_file(AT_FDCWD, formatted("/proc/{}/oom_score_adj", pid))));
  };
  EXPECT_EQ(score(state().init.pid), "321");
  EXPECT_NE(score(state().supervisor.pid), "321");
  EXPECT_NE(score(::getpid()), "321");
}

TEST_F(HooksTest, AProcessFileThatCannotBeWrittenFailsTheStart) {
  spec.process_files = {{"oom_score_adj", {"9999", {"test.conf", 9}}}};
  EXPECT_THAT(start_error(),
              AllOf(HasSubstr("oom_score_adj"), HasSubstr("EINVAL"), HasSubstr("[test.conf:9]")));
  spec.process_files = {{"no_such_file", {"1", {"test.conf", 9}}}};
  EXPECT_THAT(start_error(), AllOf(HasSubstr("no_such_file"), HasSubstr("ENOENT")));
}

TEST_F(HooksTest, TheLogHasTheStepsAndWhatHooksPrint) {
  spec.log.file = {directory() + "/log", {"test.conf", 4}};
  spec.log.level = 1;
  hook(HookPhase::mount, "echo from inside");
  hook(HookPhase::pre_start, "echo from the host");
  hook(HookPhase::post_stop, "sh -c 'exit 9'");
  start();
  kill_container(sysroot(), state());
  const std::string log = read_file(AT_FDCWD, directory() + "/log");
  const std::string begin = formatted("lxc {} 20", vmid());
  for (const auto line : split(log, '\n')) {
    EXPECT_TRUE(line.empty() || line.starts_with(begin)) << line;
  }
  EXPECT_THAT(log, HasSubstr("DEBUG    start - executor.cc:"));
  EXPECT_THAT(log, HasSubstr("from inside"));
  EXPECT_THAT(log, HasSubstr("from the host"));
  EXPECT_THAT(log, HasSubstr("INFO     start - host_steps.cc:"));
  EXPECT_THAT(log, HasSubstr("ERROR    stop - "));
  EXPECT_THAT(log, HasSubstr("exited with status 9"));
  struct stat status {};
  ASSERT_EQ(::stat((directory() + "/log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST_F(HooksTest, TheLogHasErrorsAtItsUsualLevel) {
  spec.log.file = {directory() + "/log", {"test.conf", 4}};
  spec.init.argv = {"/no/init"};
  start_error();
  const std::string log = read_file(AT_FDCWD, directory() + "/log");
  EXPECT_THAT(log, AllOf(HasSubstr("ERROR    start - "), HasSubstr("/no/init"), Not(HasSubstr("DEBUG"))));
  spec.log.file = {directory() + "/no/directory/log", {"test.conf", 4}};
  EXPECT_THAT(start_error(), AllOf(HasSubstr("cannot open the log"), HasSubstr("[test.conf:4]")));
}

}  // namespace
}  // namespace hutch::kernel_test
