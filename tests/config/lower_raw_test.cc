#include <linux/mount.h>

#include <csignal>

#include "config/lower.h"
#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using cgroupv2::DeviceRule;
using cgroupv2::RawWrite;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

// The mount that one lxc.mount.entry line gives, without its origin.
MountSpec mount_of(const std::string& line) {
  auto mount = spec_of(kUnprivileged, "lxc.mount.entry: " + line + "\n").mounts.at(0);
  mount.origin = {};
  return mount;
}

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

TEST(RawCapabilities, AddToTheDropList) {
  EXPECT_THAT(values(spec_of(kUnprivileged, "lxc.cap.drop: sys_ptrace 21\nlxc.cap.drop: sys_ptrace\n")
                         .capabilities.drop),
              ElementsAre("sys_ptrace", "sys_admin"));
  EXPECT_THAT(spec_of(kPrivileged, "lxc.cap.drop: sys_ptrace\n").capabilities.drop, SizeIs(6));
}

TEST(RawCapabilities, AreClearedByAnEmptyDrop) {
  const auto capabilities =
      spec_of(kPrivileged, "lxc.cap.drop:\nlxc.cap.keep: chown setuid\nlxc.cap.keep: kill\n").capabilities;
  EXPECT_THAT(capabilities.drop, IsEmpty());
  EXPECT_THAT(values(capabilities.keep.value()), ElementsAre("chown", "setuid", "kill"));
}

TEST(RawCapabilities, KeepNoneDropsAll) {
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.cap.keep: none\n").capabilities.keep.value(), IsEmpty());
}

TEST(RawCapabilities, RefusesMixturesAndUnknownNames) {
  EXPECT_THAT(error_of(kPrivileged, "lxc.cap.keep: chown\n"),
              AllOf(HasSubstr("lxc.cap.drop:"), HasSubstr("[100.conf:4]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cap.keep: chown\nlxc.cap.drop: kill\n"),
              HasSubstr("after 'lxc.cap.keep'"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cap.drop: CAP_KILL\n"),
              HasSubstr("unknown capability 'CAP_KILL'"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cap.drop: none\n"), HasSubstr("unknown capability 'none'"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cap.drop: 41\n"), HasSubstr("'41'"));
}

TEST(RawMountEntry, TakesTheRecipes) {
  MountSpec tun;
  tun.source = "/dev/net/tun";
  tun.target = "dev/net/tun";
  tun.type = "none";
  tun.bind = true;
  tun.create = MountSpec::Create::file;
  EXPECT_EQ(mount_of("/dev/net/tun dev/net/tun none bind,create=file"), tun);
  MountSpec data;
  data.source = "/srv/data";
  data.target = "srv/data";
  data.type = "none";
  data.bind = data.recursive = data.id_mapped = true;
  data.create = MountSpec::Create::directory;
  EXPECT_EQ(mount_of("/srv/data srv/data none rbind,create=dir,idmap=container 0 0"), data);
  const auto iso = mount_of("/tank/iso mnt/iso none bind,ro,optional,create=dir,mode=0666 0 0");
  EXPECT_TRUE(iso.optional);
  EXPECT_EQ(iso.attributes_set, std::uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_THAT(iso.fs_options, IsEmpty());
}

TEST(RawMountEntry, TakesFileSystemOptions) {
  EXPECT_THAT(mount_of("tmpfs tmp tmpfs rw,size=512m,mode=1777,create=dir 0 0").fs_options,
              ElementsAre(Pair("size", "512m"), Pair("mode", "1777")));
  EXPECT_THAT(
      mount_of("overlay opt/app overlay lowerdir=/a,upperdir=/b,workdir=/c,index=off,userxattr").fs_options,
      ElementsAre(Pair("lowerdir", "/a"), Pair("upperdir", "/b"), Pair("workdir", "/c"), Pair("index", "off"),
                  Pair("userxattr", "")));
  // Whole words only: this is no "ro".
  EXPECT_THAT(mount_of("t t tmpfs rootcontext=x").fs_options, ElementsAre(Pair("rootcontext", "x")));
}

TEST(RawMountEntry, LetsTheLastAttributeWin) {
  const auto mount = mount_of("/t t none bind,ro,rw,dev,nodev,noatime,strictatime,defaults,sync");
  EXPECT_EQ(mount.attributes_set, std::uint64_t{MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME});
  EXPECT_EQ(mount.attributes_clear, std::uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME});
}

TEST(RawMountEntry, TakesPropagationAndRelativeSources) {
  const auto mount = mount_of("etc mnt none bind,relative,rslave");
  EXPECT_TRUE(mount.source_in_root);
  EXPECT_EQ(mount.propagation, MountSpec::Propagation::slave);
  EXPECT_TRUE(mount.propagation_recursive);
}

TEST(RawMountEntry, DecodesBlanksInFields) {
  EXPECT_EQ(mount_of("/a\\040b\\134c x\\011y none bind").source, "/a b\\c");
  EXPECT_EQ(mount_of("/a x\\011y none bind").target, "x\ty");
}

TEST(RawMountEntry, TakesAbsoluteTargetsFromTheContainersRoot) {
  const auto result = lower_text(kUnprivileged, "lxc.mount.entry: /a /mnt//x none bind\n");
  EXPECT_EQ(result.spec.mounts.at(0).target, "mnt/x");
  ASSERT_THAT(result.diagnostics, SizeIs(1));
  EXPECT_EQ(result.diagnostics[0].origin, (Origin{"100.conf", 5}));
  EXPECT_EQ(mount_of("/a /var/lib/lxc/100/rootfs/mnt/x none bind").target, "mnt/x");
}

TEST(RawMountEntry, RefusesBadLines) {
  for (const auto* bad :
       {"/a", "/a b", "/a ../b none bind", "/a b/../../c none bind", "/a / none bind", "a b none bind",
        "/a b none create=dir", "/a b none bind,move", "/a b none bind,idmap=/proc/1/ns/user",
        "t b tmpfs idmap=container", "../a b none bind,relative", "/a b c d 0 0 0"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.mount.entry: ") + bad + "\n"),
                AllOf(HasSubstr("mount entry"), HasSubstr("[100.conf:5]")))
        << bad;
  }
}

TEST(RawMountEntry, IsClearedByAnEmptyLine) {
  EXPECT_THAT(spec_of(kPrivileged, "lxc.mount.entry:\n").mounts, IsEmpty());
}

TEST(RawMountFstab, ComesBeforeTheEntries) {
  const auto mounts =
      spec_of(kUnprivileged, "lxc.mount.entry: /c c none bind\nlxc.mount.fstab: /fstab\n").mounts;
  ASSERT_THAT(mounts, SizeIs(3));
  EXPECT_EQ(mounts[0].source, "/a");
  EXPECT_EQ(mounts[0].origin, (Origin{"/fstab", 3}));
  EXPECT_EQ(mounts[1].source, "/b");
  EXPECT_EQ(mounts[2].source, "/c");
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.mount: /fstab\nlxc.mount.fstab:\n").mounts, IsEmpty());
}

TEST(RawMountFstab, RefusesMissingFilesAndBadLines) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.mount.fstab: /none\n"),
              AllOf(HasSubstr("ENOENT"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.mount.fstab: /bad-fstab\n"), HasSubstr("[/bad-fstab:2]"));
}

TEST(RawMountAuto, ReplacesOnlyItsCategory) {
  const auto spec = spec_of(kUnprivileged, "lxc.mount.auto: \"proc:rw sys:ro\"\n");
  EXPECT_EQ(spec.proc, ProcMount::read_write);
  EXPECT_EQ(spec.sys, SysMount::read_only);
  EXPECT_EQ(spec.cgroup, CgroupMount::read_write);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.mount.auto: cgroup:ro:force\n").cgroup, CgroupMount::read_only);
}

TEST(RawMountAuto, IsClearedByAnEmptyLine) {
  const auto spec = spec_of(kUnprivileged, "lxc.mount.auto:\nlxc.mount.auto: proc\n");
  EXPECT_EQ(spec.proc, ProcMount::mixed);
  EXPECT_EQ(spec.sys, SysMount::none);
  EXPECT_EQ(spec.cgroup, CgroupMount::none);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.mount.auto: proc:ro\n"), HasSubstr("unknown mount 'proc:ro'"));
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

DeviceRule rule(bool allow, char type, std::optional<std::uint32_t> major, std::optional<std::uint32_t> minor,
                int line) {
  return {allow, type, major, minor, true, true, true, {"100.conf", line}};
}

TEST(RawDevices, AppendTheNewestRuleLast) {
  const auto devices =
      spec_of(kPrivileged, "lxc.cgroup2.devices.allow: c 10:200 rwm\nlxc.cgroup.devices.allow = b *:* rwm\n")
          .devices;
  ASSERT_THAT(devices.rules, SizeIs(14));
  EXPECT_EQ(devices.rules[12], rule(true, 'c', 10, 200, 4));
  EXPECT_EQ(devices.rules[13], rule(true, 'b', std::nullopt, std::nullopt, 5));
}

TEST(RawDevices, ReplaceTheSameRule) {
  const auto devices = spec_of(kUnprivileged,
                               "lxc.cgroup2.devices.deny: c 5:1 rwm\nlxc.cgroup2.devices.deny: c 5:2 rwm\n"
                               "lxc.cgroup2.devices.allow: c 5:1 mwr\n")
                           .devices;
  EXPECT_THAT(devices.rules, ElementsAre(rule(false, 'c', 5, 2, 6), rule(true, 'c', 5, 1, 7)));
}

TEST(RawDevices, SwitchThePolicy) {
  EXPECT_EQ(spec_of(kPrivileged, "lxc.cgroup2.devices.allow: a\n").devices, cgroupv2::DevicePolicy{});
  const auto devices = spec_of(kUnprivileged,
                               "lxc.cgroup2.devices.deny: c 1:3 w\nlxc.cgroup2.devices.deny: a\n"
                               "lxc.cgroup2.devices.allow: a *:* rwm\n")
                           .devices;
  EXPECT_FALSE(devices.allow_by_default);
  EXPECT_THAT(devices.rules, ElementsAre(rule(true, 'a', std::nullopt, std::nullopt, 7)));
}

TEST(RawDevices, TakeThePathOfANode) {
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.cgroup2.devices.allow: /dev/kfd rwm\n").devices.rules,
              ElementsAre(rule(true, 'c', 510, 0, 5)));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cgroup2.devices.allow: /dev/none rwm\n"),
              AllOf(HasSubstr("ENOENT"), HasSubstr("[100.conf:5]")));
}

TEST(RawDevices, RefuseBadRules) {
  for (const auto* bad : {"c 10:200", "x 1:1 r", "c 10 r", "c 1:1 rx", "c 1:1 rwmr", "c -1:1 r", "c 1: r"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.cgroup2.devices.deny: ") + bad + "\n"),
                HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(RawAppArmor, OwnProfileSuppressesTheGeneratedOne) {
  const auto result = lower_text(kUnprivileged, "features: nesting=1\nlxc.aa_profile: unconfined\n");
  EXPECT_EQ(result.spec.apparmor, (AppArmorSpec{.profile = "unconfined", .origin = {"100.conf", 6}}));
  EXPECT_FALSE(result.spec.nesting_mounts);
  ASSERT_THAT(result.diagnostics, SizeIs(1));
  EXPECT_THAT(result.diagnostics[0].text(), HasSubstr("100.conf:5: option 'features'"));
}

TEST(RawAppArmor, AddsRules) {
  const auto spec =
      spec_of(kUnprivileged,
              "lxc.apparmor.raw: mount,\nlxc.apparmor.allow_incomplete: 1\nlxc.apparmor.allow_nesting: 1\n");
  EXPECT_EQ(spec.apparmor.raw_rules.back(), (Located<std::string>{"mount,", {"100.conf", 5}}));
  EXPECT_TRUE(spec.apparmor.allow_incomplete);
  EXPECT_TRUE(spec.apparmor.allow_nesting);
  EXPECT_TRUE(spec.nesting_mounts);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.apparmor.allow_nesting: yes\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawSeccomp, ReadsTheProfileFile) {
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.seccomp.profile: /policy\n").seccomp,
            (SeccompSpec{"2\ndenylist\n", {"100.conf", 5}}));
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.seccomp.profile:\n").seccomp.policy, "");
}

TEST(RawSeccomp, NeverTurnsAMissingFileIntoNoFilter) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.seccomp.profile: /none\n"),
              AllOf(HasSubstr("ENOENT"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.seccomp: /empty\n"), HasSubstr("[100.conf:5]"));
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
  for (const auto* bad :
       {"lxc.tty.dir: a/b", "lxc.tty.dir: ..", "lxc.arch: pdp11", "lxc.arch:", "lxc.autodev: 2",
        "lxc.tty.max: -1", "lxc.pty.max: 4294967296", "lxc.tty.max: 09"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string(bad) + "\n"), HasSubstr("[100.conf:5]")) << bad;
  }
}

class Refused : public testing::TestWithParam<const char*> {};
TEST_P(Refused, MustNotBeLeftOut) {
  EXPECT_THAT(diagnostics_of(kUnprivileged, std::string(GetParam()) + "\n"),
              ElementsAre(HasSubstr("error 100.conf:5: '")));
}
INSTANTIATE_TEST_SUITE_P(Table, Refused,
                         testing::Values("lxc.include: /x", "lxc.selinux.context: x", "lxc.se_context: x",
                                         "lxc.seccomp.notify.proxy: unix:/x", "lxc.mount.auto: shmounts:/x"));

class NotHonoured : public testing::TestWithParam<const char*> {};
TEST_P(NotHonoured, IsReportedWithItsLine) {
  EXPECT_THAT(diagnostics_of(kUnprivileged, std::string(GetParam()) + "\n"),
              ElementsAre(HasSubstr("warning 100.conf:5: '")));
}
INSTANTIATE_TEST_SUITE_P(Table, NotHonoured,
                         testing::Values("lxc.group: a", "lxc.start.auto: 1", "lxc.net.1.type: phys",
                                         "lxc.kmsg: 1", "lxc.rootfs.mount: /x", "lxc.network.type: veth"));

TEST(RawKeys, AreSilentWhereNothingIsLost) {
  spec_of(kUnprivileged,
          "lxc.kmsg: 0\nlxc.hook.version: 1\nlxc.hook.start:\nlxc.selinux.context: unconfined_t\n");
}

}  // namespace
}  // namespace hutch::config
