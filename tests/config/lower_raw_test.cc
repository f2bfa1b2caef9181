#include <csignal>

#include "config/lower.h"
#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using cgroupv2::RawWrite;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

TEST(RawIdMap, ReplacesTheDefault) {
  const auto spec = spec_of(kUnprivileged,
                            "lxc.idmap: u 0 200000 1000\nlxc.idmap: g 0 300000 65536\nlxc.idmap: u 1000 "
                            "1000 1\n");
  EXPECT_THAT(spec.id_map.uids, ElementsAre(IdRange{0, 200000, 1000, {"100.conf", 5}},
                                            IdRange{1000, 1000, 1, {"100.conf", 7}}));
  EXPECT_THAT(spec.id_map.gids, ElementsAre(IdRange{0, 300000, 65536, {"100.conf", 6}}));
}

TEST(RawIdMap, MakesAContainerUnprivileged) {
  const auto spec = spec_of(kPrivileged, "lxc.idmap: u 0 100000 65536\nlxc.idmap: g 0 100000 65536\n");
  EXPECT_TRUE(spec.unprivileged);
  EXPECT_TRUE(spec.namespaces.user);
  EXPECT_TRUE(spec.devices.allow_by_default);
  EXPECT_THAT(spec.capabilities.drop, IsEmpty());
  EXPECT_EQ(spec.tty_directory, "");
}

TEST(RawIdMap, NeverEndsAsNoMap) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.idmap:\n"), AllOf(HasSubstr("id map"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.idmap: u 0 100000 65536\n"), HasSubstr("no group id"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.idmap: g 0 100000 65536\n"), HasSubstr("no user id"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.idmap: u 1 100000 9\nlxc.idmap: g 0 100000 9\n"),
              HasSubstr("no user id"));
}

TEST(RawIdMap, TakesInitsIdsAsTheRoot) {
  EXPECT_EQ(error_of(kUnprivileged,
                     "lxc.idmap: u 1000 100000 9\nlxc.idmap: g 1000 100000 9\nlxc.init.uid: 1000\n"
                     "lxc.init.gid: 1008\n"),
            "no error");
}

TEST(RawIdMap, RefusesBadLines) {
  for (const auto* bad : {"b 0 100000 65536", "u 0 100000", "u 0 100000 0", "u -1 100000 1",
                          "u 0 4294967295 1", "u 0 1 4294967295", "u 0 100000 1 1"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.idmap: ") + bad + "\n"),
                AllOf(HasSubstr("'lxc.idmap'"), HasSubstr("[100.conf:5]")))
        << bad;
  }
}

TEST(RawIdMap, WarnsAboutOverlaps) {
  EXPECT_THAT(
      diagnostics_of(kUnprivileged,
                     "lxc.idmap: u 0 100000 10\nlxc.idmap: g 0 100000 10\nlxc.idmap: u 9 5 1\n"),
      ElementsAre(HasSubstr("warning 100.conf:7: 'lxc.idmap': 'u 9 5 1' overlaps the range of 100.conf:5")));
}

TEST(RawInit, TakesCommandIdsAndDirectory) {
  const auto init =
      spec_of(kUnprivileged,
              "lxc.init.cmd: /usr/bin/myapp --flag \"two words\"\nlxc.init.uid: 1000\n"
              "lxc.init.gid: 0x10\nlxc.init.cwd: /srv\nlxc.init.groups: 1, 2\nlxc.init.groups: 3\n")
          .init;
  EXPECT_THAT(init.argv, ElementsAre("/usr/bin/myapp", "--flag", "two words"));
  EXPECT_EQ(init.origin, (Origin{"100.conf", 5}));
  EXPECT_EQ(init.uid, 1000U);
  EXPECT_EQ(init.gid, 16U);
  EXPECT_EQ(init.cwd, "/srv");
  EXPECT_THAT(init.groups, ElementsAre(1U, 2U, 3U));
}

TEST(RawInit, RefusesBadValues) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.init.cwd: srv\n"), HasSubstr("absolute path"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.init.uid: root\n"), HasSubstr("[100.conf:5]"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.init.groups: 1,,2\n"), HasSubstr("lxc.init.groups"));
}

TEST(RawEnvironment, AddsUpAndLaterOnesWin) {
  EXPECT_THAT(
      values(spec_of(kUnprivileged, "lxc.environment: A=1\nlxc.environment: B=x=y\nlxc.environment: A=2\n")
                 .init.environment),
      ElementsAre("TERM=linux", "B=x=y", "A=2"));
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.environment: A=1\nlxc.environment:\n").init.environment, IsEmpty());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.environment: PATH\n"), HasSubstr("NAME=value"));
}

TEST(RawCgroup, WritesFilesInOrder) {
  EXPECT_THAT(
      spec_of(kUnprivileged, "lxc.cgroup2.pids.max: 4096\nlxc.cgroup2.io.max: 8:0 rbps=10\n").resources.raw,
      ElementsAre(RawWrite{"pids.max", "4096", {"100.conf", 5}},
                  RawWrite{"io.max", "8:0 rbps=10", {"100.conf", 6}}));
}

TEST(RawCgroup, PicksTheCpusInsteadOfCores) {
  const auto resources = spec_of(kUnprivileged, "cores: 2\nlxc.cgroup2.cpuset.cpus: 0-3,8\n").resources;
  EXPECT_FALSE(resources.cpu_count);
  EXPECT_THAT(resources.raw, ElementsAre(RawWrite{"cpuset.cpus", "0-3,8", {"100.conf", 6}}));
}

TEST(RawCgroup, EmptyValuesTakeEarlierLinesAway) {
  const auto resources =
      spec_of(kUnprivileged, "lxc.cgroup2.pids.max: 4\nlxc.cgroup2.pids.max:\nlxc.cgroup2.memory.high:\n")
          .resources;
  EXPECT_THAT(resources.raw, IsEmpty());
  EXPECT_FALSE(resources.memory_high);
  EXPECT_TRUE(resources.memory_max);
}

TEST(RawCgroup, StaysInItsDirectory) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cgroup2...: 1\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawCgroup, TranslatesVersion1) {
  const auto result =
      lower_text(kUnprivileged,
                 "lxc.cgroup.memory.limit_in_bytes: 512M\nlxc.cgroup.cpu.shares: 1024\n"
                 "lxc.cgroup.memory.soft_limit_in_bytes: -1\nlxc.cgroup.net_cls.classid: 1\n");
  EXPECT_THAT(result.spec.resources.raw, ElementsAre(RawWrite{"memory.max", "536870912", {"100.conf", 5}},
                                                     RawWrite{"cpu.weight", "39", {"100.conf", 6}},
                                                     RawWrite{"memory.high", "max", {"100.conf", 7}}));
  ASSERT_THAT(result.diagnostics, SizeIs(1));
  EXPECT_THAT(result.diagnostics[0].text(), HasSubstr("100.conf:8: 'lxc.cgroup.net_cls.classid'"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cgroup.memory.limit_in_bytes: lots\n"), HasSubstr("byte count"));
}

TEST(RawMonitor, SaysWhatHappens) {
  EXPECT_EQ(spec_of(kUnprivileged).parent_death_signal, std::nullopt);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.monitor.signal.pdeath: SIGTERM\n").parent_death_signal,
            (Located<int>{SIGTERM, {"100.conf", 5}}));
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.monitor.signal.pdeath: 9\nlxc.monitor.signal.pdeath: 0\n")
                .parent_death_signal,
            std::nullopt);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.monitor.signal.pdeath: KILL\n"), HasSubstr("[100.conf:5]"));
  spec_of(kUnprivileged, "lxc.monitor.unshare: 1\nlxc.monitor.unshare:\n");
  EXPECT_THAT(diagnostics_of(kUnprivileged, "lxc.monitor.unshare: 0\n"),
              ElementsAre(HasSubstr("mount namespace of its own all the same")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.monitor.unshare: yes\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawLife, EphemeralBootAndExecute) {
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.ephemeral: 1\n").ephemeral);
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.ephemeral: 1\nlxc.ephemeral:\n").ephemeral);
  // For the boot, and for a mode that containers here have not: checked, without a word.
  spec_of(kUnprivileged,
          "lxc.start.auto: 1\nlxc.start.delay: 10\nlxc.start.order: -5\nlxc.group: web db\nlxc.group:\n"
          "lxc.execute.cmd: /bin/sh -c 'a b'\nlxc.execute.cmd:\n");
  for (const auto* bad : {"lxc.ephemeral: 2", "lxc.start.auto: 2", "lxc.start.delay: -1",
                          "lxc.start.order: x", "lxc.start.order: -", "lxc.execute.cmd: 'a"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string(bad) + "\n"), HasSubstr("[100.conf:5]")) << bad;
  }
}

TEST(RawInit, EmptyValuesAreTheDefaults) {
  const auto spec = spec_of(kUnprivileged,
                            "lxc.init.cmd: /a\nlxc.init.cmd:\nlxc.init.cwd: /srv//x/./y/\nlxc.init.uid: 5\n"
                            "lxc.init.uid:\nlxc.init.gid: 0x10\nlxc.init.groups: 1,2\nlxc.init.groups: 3\n"
                            "lxc.uts.name:\nlxc.no_new_privs: 1\nlxc.no_new_privs:\n");
  EXPECT_THAT(spec.init.argv, ElementsAre("/sbin/init"));
  EXPECT_EQ(spec.init.cwd, "/srv/x/y");
  EXPECT_EQ(spec.init.uid, 0U);
  EXPECT_EQ(spec.init.gid, 16U);
  EXPECT_THAT(spec.init.groups, ElementsAre(1, 2, 3));
  EXPECT_EQ(spec.hostname, "");
  EXPECT_FALSE(spec.no_new_privs);
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.init.groups: 1\nlxc.init.groups:\n").init.groups, IsEmpty());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.init.groups: ,\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawSignals, TakeNamesAndNumbers) {
  const auto signals =
      spec_of(kUnprivileged, "lxc.signal.halt: SIGTERM\nlxc.signal.reboot: sigrtmin+3\nlxc.signal.stop: 9\n")
          .signals;
  EXPECT_EQ(signals, (SignalSpec{SIGTERM, SIGRTMIN + 3, SIGKILL}));
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.stopsignal: SIGRTMAX-2\n").signals.stop, SIGRTMAX - 2);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.signal.halt: SIGTERM\nlxc.signal.halt: 0\n").signals.halt,
            std::nullopt);
  for (const auto* bad : {"TERM", "SIGRTMIN", "SIGNONE", "SIGRTMIN+99", "65", "-9"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.signal.halt: ") + bad + "\n"),
                HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(RawLimits, TakeSoftAndHard) {
  const auto rlimits = spec_of(kUnprivileged,
                               "lxc.prlimit.nofile: 1024 : 4096\nlxc.prlimit.memlock: unlimited\n"
                               "lxc.limit.6: 7\nlxc.prlimit.nofile: 5:unlimited\n")
                           .rlimits;
  EXPECT_THAT(rlimits, ElementsAre(RlimitSpec{"memlock", {}, {}, {"100.conf", 6}},
                                   RlimitSpec{"nproc", 7, 7, {"100.conf", 7}},
                                   RlimitSpec{"nofile", 5, {}, {"100.conf", 8}}));
  for (const auto* bad : {"nofile: x", "nofile: 5:4", "nofile: unlimited:4", "files: 1", "16: 1"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.prlimit.") + bad + "\n"), HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(RawLimits, AreTakenAway) {
  EXPECT_THAT(
      spec_of(kUnprivileged, "lxc.prlimit.nofile: 5\nlxc.prlimit.core: 0\nlxc.prlimit.nofile:\n").rlimits,
      ElementsAre(RlimitSpec{"core", 0, 0, {"100.conf", 6}}));
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.prlimit.nofile: 5\nlxc.prlimit.core: 0\nlxc.prlimit:\n").rlimits,
              IsEmpty());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.prlimit: 5\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawSysctl, IsTakenAway) {
  EXPECT_THAT(spec_of(kUnprivileged,
                      "lxc.sysctl.kernel.msgmax: 1\nlxc.sysctl.kernel.sem: 1\nlxc.sysctl.kernel.msgmax:\n")
                  .sysctls,
              ElementsAre(Pair("kernel.sem", Located<std::string>{"1", {"100.conf", 6}})));
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.sysctl.kernel.msgmax: 1\nlxc.sysctl:\n").sysctls, IsEmpty());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.sysctl: 1\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawSysctl, KeepsTheLastValue) {
  EXPECT_THAT(
      spec_of(kUnprivileged,
              "lxc.sysctl.kernel.msgmax: 1\nlxc.sysctl.kernel.sem: 1 2\nlxc.sysctl.kernel.msgmax: 3\n")
          .sysctls,
      ElementsAre(Pair("kernel.sem", Located<std::string>{"1 2", {"100.conf", 6}}),
                  Pair("kernel.msgmax", Located<std::string>{"3", {"100.conf", 7}})));
}

TEST(RawScalars, OverrideTheGeneratedOnes) {
  const auto spec = spec_of(kPrivileged,
                            "tty: 4\nlxc.tty.max: 0\nlxc.pty.max: 7\nlxc.autodev: 0\nlxc.uts.name: other\n"
                            "lxc.devttydir: d\nlxc.arch: i686\nlxc.console.path: none\nlxc.no_new_privs: 1\n"
                            "lxc.autodev.tmpfs.size: 1000000\n");
  EXPECT_EQ(spec.tty_count, 0U);
  EXPECT_EQ(spec.pty_max, 7U);
  EXPECT_FALSE(spec.autodev);
  EXPECT_EQ(spec.hostname, "other");
  EXPECT_EQ(spec.tty_directory, "d");
  EXPECT_TRUE(spec.personality_32bit);
  EXPECT_FALSE(spec.console);
  EXPECT_TRUE(spec.no_new_privs);
  EXPECT_EQ(spec.dev_size, 1000000U);
}

TEST(RawScalars, RefuseBadValues) {
  for (const auto* bad : {"lxc.tty.dir: a/b", "lxc.tty.dir: ..", "lxc.arch: pdp11",
                          "lxc.arch:", "lxc.autodev: 2", "lxc.tty.max: -1", "lxc.tty.max: 41",
                          "lxc.pty.max: 1048577", "lxc.pty.max: 4294967296", "lxc.tty.max: 09"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string(bad) + "\n"), HasSubstr("[100.conf:5]")) << bad;
  }
}

TEST(RawKeys, AreSilentWhereNothingIsLost) {
  spec_of(kUnprivileged,
          "lxc.kmsg: 0\nlxc.hook.version: 1\nlxc.hook.start:\nlxc.selinux.context: unconfined_t\n");
}

}  // namespace
}  // namespace hutch::config
