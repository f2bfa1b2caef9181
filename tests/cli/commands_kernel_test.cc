#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>

#include "runtime/state.h"
#include "tests/cli/command_line.h"

// The commands that only read or edit the config, from the command line to the exit status. They need root
// because pct refuses to run without.
namespace hutch::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::run_pct;
using ::testing::StartsWith;
using testing::TemporaryHost;

class Commands : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: geteuid() is not 0";
  }
  Outcome pct(const std::vector<std::string>& words) { return run_pct(host, words); }
  // Makes the container look running: its init is this process.
  void run_as_this_process(unsigned vmid) {
    ContainerState state;
    state.vmid = vmid;
    state.init = identify_process(::getpid()).value();
    state.supervisor = state.init;
    state.cgroup = "hutch-test-without-cgroup";
    host.write("run/hutch/" + std::to_string(vmid) + "/state", print_state(state));
  }
  std::string display_path(unsigned vmid) { return ConfigStore(host.sysroot()).display_path(vmid); }

  TemporaryHost host;
};

TEST_F(Commands, NotRoot) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) < 0 || ::setuid(65534) < 0) ::_exit(100);
    const Outcome outcome = run_pct({"list"});
    const auto written = ::write(ends[1], outcome.err.data(), outcome.err.size());
    ::_exit(written < 0 ? 101 : outcome.status);
  }
  ::close(ends[1]);
  char text[200] = {};
  ASSERT_GE(::read(ends[0], text, sizeof text - 1), 0);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 255);
  EXPECT_STREQ(text, "please run as root\n");
}

TEST_F(Commands, UnknownAndMissingCommand) {
  const auto unknown = pct({"frobnicate", "100"});
  EXPECT_EQ(unknown.status, 255);
  EXPECT_EQ(unknown.out, "");
  EXPECT_EQ(unknown.err, "ERROR: unknown command 'pct frobnicate'\n" + usage_overview());
  const auto none = pct({});
  EXPECT_EQ(none.status, 255);
  EXPECT_EQ(none.err, "ERROR: no command specified\n" + usage_overview());
  EXPECT_THAT(pct({"st", "100"}).err, StartsWith("ERROR: unknown command 'pct st'\n"));
  EXPECT_EQ(run_pct({"--root"}).status, 255);
}

TEST_F(Commands, ArgumentErrorsEndWithTheUsage) {
  const std::string usage = "pct status <vmid> [OPTIONS]\n";
  const struct {
    std::vector<std::string> words;
    std::string err;
  } cases[] = {
      {{"status"}, "400 not enough arguments\n" + usage},
      {{"status", "100", "101"}, "400 too many arguments\n" + usage},
      {{"list", "5"}, "400 too many arguments\npct list\n"},
      {{"status", "100", "--x"}, "Unknown option: x\n400 unable to parse option\n" + usage},
      {{"status", "--verbose", "100"}, "400 not enough arguments\n" + usage},
      {{"status", "100", "--verbose", "100"}, "400 unable to parse boolean option\n" + usage},
      {{"status", "99"},
       "400 Parameter verification failed.\nvmid: value must have a minimum value of 100\n" + usage},
      {{"exec", "100", "ls", "-l"},
       "Unknown option: l\n400 unable to parse option\npct exec <vmid> [<extra-args>] [OPTIONS]\n"},
      {{"shutdown", "100", "--timeout", "-1"},
       "400 Parameter verification failed.\ntimeout: value must have a minimum value of 0\n"
       "pct shutdown <vmid> [OPTIONS]\n"},
  };
  for (const auto& c : cases) {
    const auto outcome = pct(c.words);
    EXPECT_EQ(outcome.err, c.err);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.status, 255);
  }
}

TEST_F(Commands, RefusalsSayWhatToDo) {
  host.add_container(100, "arch: amd64\nostype: unmanaged\nrootfs: /srv\ntemplate: 1\n");
  EXPECT_EQ(
      pct({"start", "100"}).err,
      "you can't start a CT if it's a template (CT 100) [100.conf:4]; 'pct set 100 --template 0' makes it a "
      "container again\n");
  EXPECT_EQ(pct({"exec", "100"}).err, "missing command; 'pct exec 100 -- <command>'\n");
  EXPECT_EQ(pct({"set", "100", "--delete", "ostype"}).err,
            "unable to delete required option 'ostype'; 'pct set 100 --ostype ...' gives it another value\n");
  EXPECT_EQ(
      pct({"set", "100", "--unprivileged", "1"}).err,
      "unable to modify read-only option 'unprivileged' [--unprivileged]; it is chosen when the container is "
      "created\n");
  EXPECT_EQ(pct({"set", "100", "--dev0", "/dev/hutch-nosuch"}).err,
            "device '/dev/hutch-nosuch' cannot be used: ENOENT (No such file or directory) [--dev0]; connect "
            "it, or "
            "load its driver\n");
}

TEST_F(Commands, MissingConfigExitsWithEnoent) {
  for (const char* command : {"status", "config", "unlock", "destroy"}) {
    const auto outcome = pct({command, "100"});
    EXPECT_EQ(outcome.status, ENOENT) << command;
    EXPECT_THAT(outcome.err, StartsWith("Configuration file '" + display_path(100) + "' does not exist"))
        << command;
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Commands, ListOfNothingPrintsNothing) {
  const auto outcome = pct({"list"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_F(Commands, List) {
  host.add_container(1000, "hostname: db\nlock: backup\n");
  host.add_container(101, "memory: 512\nthis line is wrong\n");
  host.add_container(102, "hostname: a-very-long-host-name.example.org\n");
  run_as_this_process(102);
  const auto outcome = pct({"list"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.out,
            "VMID       Status     Lock         Name                \n"
            "101        stopped                 CT101               \n"
            "102        running                 a-very-long-host-name.example.org\n"
            "1000       stopped    backup       db                  \n");
}

TEST_F(Commands, Status) {
  host.add_container(100, "memory: 1024\n");
  EXPECT_EQ(pct({"status", "100"}).out, "status: stopped\n");
  run_as_this_process(100);
  EXPECT_EQ(pct({"status", "100"}).out, "status: running\n");
}

TEST_F(Commands, StatusOfADeadInitIsStopped) {
  host.add_container(100, "memory: 1024\n");
  ContainerState state;
  state.vmid = 100;
  state.init = {::getpid(), 1};  // same pid, another start time
  host.write("run/hutch/100/state", print_state(state));
  EXPECT_EQ(pct({"status", "100"}).out, "status: stopped\n");
}

TEST_F(Commands, VerboseStatusStopped) {
  host.add_container(100,
                     "cores: 2\nhostname: web\nlock: backup\nmemory: 1024\n"
                     "rootfs: local:100/vm-100-disk-0.raw,size=8G\nswap: 256\ntags: a;b\ntemplate: 1\n");
  const auto outcome = pct({"status", "100", "--verbose"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(
      outcome.out,
      "cpus: 2\ndisk: 0\ndiskread: 0\ndiskwrite: 0\nlock: backup\nmaxdisk: 8589934592\n"
      "maxmem: 1073741824\nmaxswap: 268435456\nmem: 0\nname: web\nnetin: 0\nnetout: 0\nstatus: stopped\n"
      "swap: 0\ntags: a;b\ntemplate: 1\ntype: lxc\nuptime: 0\nvmid: 100\n");
}

TEST_F(Commands, VerboseStatusDefaults) {
  host.add_container(100, "cpulimit: 0.5\nmemory: many\n");
  const auto outcome = pct({"status", "100", "--verbose", "1"});
  EXPECT_THAT(outcome.out, HasSubstr("cpus: 0.5\n"));
  EXPECT_THAT(outcome.out, HasSubstr("maxdisk: 4294967296\nmaxmem: 536870912\nmaxswap: 0\n"));
  EXPECT_THAT(outcome.out, HasSubstr("name: CT100\n"));
}

TEST_F(Commands, VerboseStatusRunning) {
  host.add_container(100, "memory: 1024\n");
  run_as_this_process(100);
  const auto outcome = pct({"status", "100", "--verbose"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\npid: " + std::to_string(::getpid()) + "\n"));
  EXPECT_THAT(outcome.out, HasSubstr("status: running\n"));
  EXPECT_THAT(outcome.out, ContainsRegex("\ndisk: [1-9][0-9]*\n"));
  EXPECT_THAT(outcome.out, ContainsRegex("\nuptime: [0-9]+\n"));
}

constexpr const char* kConfig =
    "#notes%3A one\n#two\n"
    "arch: amd64\nhostname: web\nmemory: 512\nmp1: /a,mp=/a\nmp10: /c,mp=/c\nmp2: /b,mp=/b\n"
    "lxc.environment.runtime: A=1\n"
    "lxc.cap.drop: sys_time\nlxc.apparmor.profile: unconfined\n\n"
    "[pve:pending]\ndelete: hostname\nmemory: 1024\nnameserver: 10.0.0.1\n\n"
    "[snap]\nhostname: old\nsnaptime: 1767225600\n";

TEST_F(Commands, ConfigIncludesPendingChanges) {
  host.add_container(100, kConfig);
  const auto outcome = pct({"config", "100"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.out,
            "arch: amd64\ndescription: notes%3A one%0Atwo%0A\nenv: A=1\nmemory: 1024\n"
            "mp1: /a,mp=/a\nmp10: /c,mp=/c\nmp2: /b,mp=/b\nnameserver: 10.0.0.1\n"
            "lxc.cap.drop: sys_time\nlxc.apparmor.profile: unconfined\n");
}

TEST_F(Commands, CurrentConfigAndSnapshot) {
  host.add_container(100, kConfig);
  const auto current = pct({"config", "100", "--current", "1"});
  EXPECT_THAT(current.out, HasSubstr("hostname: web\nmemory: 512\n"));
  EXPECT_THAT(current.out, ::testing::Not(HasSubstr("nameserver")));
  EXPECT_EQ(pct({"config", "100", "--snapshot", "snap"}).out, "hostname: old\nsnaptime: 1767225600\n");

  const auto missing = pct({"config", "100", "--snapshot", "other"});
  EXPECT_EQ(missing.status, 255);
  EXPECT_EQ(missing.err, "snapshot 'other' does not exist\n");
  const auto both = pct({"config", "100", "--snapshot", "snap", "--current"});
  EXPECT_EQ(both.status, 255);
  EXPECT_THAT(both.err, StartsWith("400 Parameter verification failed.\nsnapshot: "));
}

TEST_F(Commands, ConfigTellsWhatItDoesNotUnderstand) {
  host.add_container(100, "memory: 512\nnonsense\n");
  const auto outcome = pct({"config", "100"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, "memory: 512\n");
  EXPECT_THAT(outcome.err, StartsWith("WARN: 100.conf:2: "));
}

TEST_F(Commands, UnreadableConfig) {
  std::filesystem::create_directories(ConfigStore(host.sysroot()).path(100));
  const auto outcome = pct({"config", "100"});
  EXPECT_EQ(outcome.status, EISDIR);
  EXPECT_THAT(outcome.err, HasSubstr("100.conf"));
}

TEST_F(Commands, UnlockRemovesTheLockAndNothingElse) {
  host.add_container(100, "hostname: web\nlock: backup\nunknown: kept\nlxc.cap.drop: sys_time\n");
  const auto outcome = pct({"unlock", "100"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(host.config(100), "hostname: web\nunknown: kept\nlxc.cap.drop: sys_time\n");
  const auto again = pct({"unlock", "100"});
  EXPECT_EQ(again.status, 255);
  EXPECT_THAT(again.err, HasSubstr("no lock found"));
}

TEST_F(Commands, Help) {
  const auto all = pct({"help"});
  EXPECT_EQ(all.status, 0);
  EXPECT_EQ(all.err, "");
  EXPECT_THAT(all.out, StartsWith(usage_overview()));
  EXPECT_THAT(all.out, HasSubstr("--ssh-public-keys"));
  EXPECT_EQ(pct({"help", "--verbose", "0"}).out, usage_overview());
  EXPECT_EQ(pct({"help", "stat"}).out, full_help(*find_command("status")));
  EXPECT_EQ(pct({"help", "status", "--verbose", "0"}).out, "USAGE: pct status <vmid> [OPTIONS]\n");
  EXPECT_EQ(pct({"help", "nosuch"}).status, 255);
}

TEST_F(Commands, OutputThatCannotBeWrittenIsAnError) {
  host.add_container(100, "memory: 512\n");
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  EXPECT_EQ(run_command_line({"--root", host.root(), "config", "100"}, full, stderr), ENOSPC);
  std::fclose(full);
}

}  // namespace
}  // namespace hutch::cli
