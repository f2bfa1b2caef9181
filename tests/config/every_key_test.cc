#include "config/property_formats.h"
#include "tests/config/lowering_fixture.h"

// Keys that have no other test: what a line of each of them comes to.
namespace hutch::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::string> warnings_of(const std::string& text) {
  Diagnostics diagnostics;
  read_config(text, "100.conf", 100, diagnostics);
  std::vector<std::string> texts;
  for (const auto& diagnostic : diagnostics) texts.push_back(diagnostic.text());
  return texts;
}

TEST(RawFamily, SysctlClearsTheLinesBeforeItOnly) {
  const auto spec =
      spec_of(kPrivileged, "lxc.sysctl.kernel.msgmax: 1\nlxc.sysctl:\nlxc.sysctl.kernel.shmmni: 2\n");
  ASSERT_EQ(spec.sysctls.size(), 1U);
  EXPECT_EQ(spec.sysctls[0].first, "kernel.shmmni");
}

TEST(RawFamily, PrlimitClearsTheLinesBeforeItOnly) {
  const auto spec = spec_of(kPrivileged, "lxc.prlimit.nofile: 1\nlxc.prlimit:\nlxc.prlimit.core: 2\n");
  ASSERT_EQ(spec.rlimits.size(), 1U);
  EXPECT_EQ(spec.rlimits[0].name, "core");
}

TEST(RawFamily, Cgroup2ClearsTheLimitsBeforeIt) {
  const auto spec = spec_of(kPrivileged, "lxc.cgroup2.pids.max: 1\nlxc.cgroup2:\nlxc.cgroup2.pids.max: 2\n");
  ASSERT_EQ(spec.resources.raw.size(), 1U);
  EXPECT_EQ(spec.resources.raw[0].value, "2");
}

TEST(RawFamily, TakesNoValue) {
  EXPECT_THAT(error_of(kPrivileged, "lxc.sysctl: 1\n"), HasSubstr("'lxc.sysctl': '1' is not empty"));
  EXPECT_THAT(error_of(kPrivileged, "lxc.cgroup2: 1\n"), HasSubstr("100.conf:4"));
}

struct Sysctl {
  const char* line;
  const char* name;
  const char* value;
};

TEST(RawSysctl, TakesThoseThatPveKnows) {
  const std::vector<Sysctl> rows = {
      {"lxc.sysctl.fs.mqueue.msg_max: 10", "fs.mqueue.msg_max", "10"},
      {"lxc.sysctl.fs.mqueue: 10", "fs.mqueue", "10"},
      {"lxc.sysctl.kernel.msgmnb: 20000", "kernel.msgmnb", "20000"},
      {"lxc.sysctl.kernel.msgmni: 100", "kernel.msgmni", "100"},
      {"lxc.sysctl.kernel.sem: 250 32000 32 128", "kernel.sem", "250 32000 32 128"},
      {"lxc.sysctl.kernel.shm_rmid_forced: 1", "kernel.shm_rmid_forced", "1"},
      {"lxc.sysctl.kernel.shmall: 5", "kernel.shmall", "5"},
      {"lxc.sysctl.kernel.shmmax: 6", "kernel.shmmax", "6"},
      {"lxc.sysctl.kernel.shmmni: 7", "kernel.shmmni", "7"}};
  for (const auto& row : rows) {
    const auto spec = spec_of(kPrivileged, std::string(row.line) + "\n");
    ASSERT_EQ(spec.sysctls.size(), 1U) << row.line;
    EXPECT_EQ(spec.sysctls[0].first, row.name);
    EXPECT_EQ(spec.sysctls[0].second.value, row.value);
    EXPECT_EQ(spec.sysctls[0].second.origin.text(), "100.conf:4");
  }
}

TEST(RawTerminals, DevttyDirIsPvesSpellingOfTtyDir) {
  EXPECT_EQ(spec_of(kPrivileged, "lxc.devtty.dir: consoles\n").tty_directory, "consoles");
  EXPECT_THAT(error_of(kPrivileged, "lxc.devtty.dir: ../up\n"),
              HasSubstr("the name of a directory below /dev"));
}

TEST(RawObsolete, KeysAreToldAndHaveNoEffect) {
  for (const char* line : {"lxc.pivotdir: mnt", "lxc.pivotdir = "}) {
    EXPECT_THAT(warnings_of(line),
                ElementsAre("100.conf:1: CT 100: 'lxc.pivotdir' is obsolete and has no effect"));
    EXPECT_EQ(spec_of(kPrivileged, std::string(line) + "\n"), spec_of(kPrivileged)) << line;
  }
}

TEST(RawOldName, IsToldWithItsCurrentOneAndKeptAsItIs) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"lxc.aa_allow_incomplete: 1", "lxc.apparmor.allow_incomplete"},
      {"lxc.aa_profile: a", "lxc.apparmor.profile"},
      {"lxc.console: none", "lxc.console.path"},
      {"lxc.devttydir: lxc", "lxc.tty.dir"},
      {"lxc.haltsignal: SIGPWR", "lxc.signal.halt"},
      {"lxc.id_map: u 0 100000 65536", "lxc.idmap"},
      {"lxc.init_cmd: /sbin/init", "lxc.init.cmd"},
      {"lxc.init_gid: 0", "lxc.init.gid"},
      {"lxc.init_uid: 0", "lxc.init.uid"},
      {"lxc.limit.nofile: 5", "lxc.prlimit.nofile"},
      {"lxc.logfile: /var/log/ct", "lxc.log.file"},
      {"lxc.loglevel: 1", "lxc.log.level"},
      {"lxc.mount: /etc/fstab.ct", "lxc.mount.fstab"},
      {"lxc.pts: 1024", "lxc.pty.max"},
      {"lxc.rebootsignal: SIGINT", "lxc.signal.reboot"},
      {"lxc.se_context: a", "lxc.selinux.context"},
      {"lxc.seccomp: /policy", "lxc.seccomp.profile"},
      {"lxc.start.unshare: 1", "lxc.monitor.unshare"},
      {"lxc.stopsignal: SIGKILL", "lxc.signal.stop"},
      {"lxc.syslog: daemon", "lxc.log.syslog"},
      {"lxc.tty: 4", "lxc.tty.max"},
      {"lxc.utsname: a", "lxc.uts.name"}};
  for (const auto& [line, current] : rows) {
    const std::string old = line.substr(0, line.find(':'));
    EXPECT_THAT(warnings_of(line + "\n"),
                ElementsAre("100.conf:1: CT 100: '" + old + "' is now called '" + current + "'"));
    Diagnostics ignored;
    EXPECT_EQ(write_config(read_config(line + "\n", "100.conf", 100, ignored)), line + "\n");
  }
}

struct OldName {
  const char* old_line;
  const char* line;
};

TEST(RawOldName, MeansWhatItsCurrentOneMeans) {
  const std::vector<OldName> rows = {{"lxc.console: none", "lxc.console.path: none"},
                                     {"lxc.haltsignal: SIGTERM", "lxc.signal.halt: SIGTERM"},
                                     {"lxc.rebootsignal: SIGHUP", "lxc.signal.reboot: SIGHUP"},
                                     {"lxc.init_cmd: /bin/a b", "lxc.init.cmd: /bin/a b"},
                                     {"lxc.init_uid: 5", "lxc.init.uid: 5"},
                                     {"lxc.init_gid: 6", "lxc.init.gid: 6"},
                                     {"lxc.pts: 7", "lxc.pty.max: 7"},
                                     {"lxc.tty: 3", "lxc.tty.max: 3"},
                                     {"lxc.aa_allow_incomplete: 1", "lxc.apparmor.allow_incomplete: 1"},
                                     {"lxc.limit.nofile: 5", "lxc.prlimit.nofile: 5"}};
  for (const auto& row : rows) {
    EXPECT_EQ(spec_of(kPrivileged, std::string(row.old_line) + "\n"),
              spec_of(kPrivileged, std::string(row.line) + "\n"))
        << row.old_line;
  }
}

TEST(RawRootfs, OptionsHaveNoEffectBesideTheOption) {
  const auto said = warnings_of("rootfs: /srv\nlxc.rootfs.options: noatime\n");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_THAT(said[0],
              HasSubstr("100.conf:2: CT 100: 'lxc.rootfs.options' must be set through the option rootfs"));
  EXPECT_EQ(spec_of(kPrivileged, "lxc.rootfs.options: noatime\n").rootfs.mount_attributes,
            spec_of(kPrivileged).rootfs.mount_attributes);
}

constexpr const char* kWithoutRootfs = "arch: amd64\nostype: unmanaged\n";

TEST(LowerRootfs, TakesAclAsAnOptionOfTheFileSystem) {
  EXPECT_THAT(spec_of(kWithoutRootfs, "rootfs: local:100/vm-100-disk-0.raw,acl=1\n").rootfs.fs_options,
              testing::Contains(Pair("acl", "")));
  EXPECT_THAT(spec_of(kWithoutRootfs, "rootfs: local:100/vm-100-disk-0.raw\n").rootfs.fs_options,
              testing::Not(testing::Contains(Pair("acl", ""))));
}

TEST(LowerRootfs, IsTheSameWithWhatOnlyAClusterReads) {
  const auto plain = spec_of(kWithoutRootfs, "rootfs: local:100/vm-100-disk-0.raw\n");
  EXPECT_EQ(spec_of(kWithoutRootfs, "rootfs: local:100/vm-100-disk-0.raw,replicate=0,shared=1\n"), plain);
}

TEST(RootfsString, KeepsQuotaReplicateAndShared) {
  const auto rootfs = parse_rootfs("local:100/a.raw,quota=1,replicate=0,shared=1");
  EXPECT_EQ(rootfs.quota, true);
  EXPECT_EQ(rootfs.replicate, false);
  EXPECT_EQ(rootfs.shared, true);
}

TEST(DeviceString, KeepsTheGroup) {
  const auto device = parse_device("/dev/dri/card0,gid=44");
  EXPECT_EQ(device.gid, 44U);
  EXPECT_EQ(print_device(device), "/dev/dri/card0,gid=44");
  EXPECT_THROW(parse_device("/dev/dri/card0,gid=video"), Error);
}

}  // namespace
}  // namespace hutch::config
