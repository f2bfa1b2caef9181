#include "config/lower.h"

#include <linux/mount.h>

#include <csignal>

#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using cgroupv2::CpuMax;
using cgroupv2::DeviceRule;
using cgroupv2::Limit;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const Origin kDefault{"default", 0};

TEST(LowerIdentity, FillsInDefaults) {
  const auto spec = spec_of(kUnprivileged);
  EXPECT_EQ(spec.vmid, 100U);
  EXPECT_EQ(spec.config_path, "100.conf");
  EXPECT_EQ(spec.hostname, "CT100");
  EXPECT_FALSE(spec.personality_32bit);
  EXPECT_EQ(spec.tty_count, 2U);
  EXPECT_EQ(spec.pty_max, 1024U);
  EXPECT_TRUE(spec.console);
  EXPECT_TRUE(spec.autodev);
  EXPECT_EQ(spec.dev_size, 500000U);
  EXPECT_FALSE(spec.no_new_privs);
}

TEST(LowerIdentity, NeedsArchOstypeAndRootfs) {
  EXPECT_THAT(
      error_of("ostype: debian\nrootfs: local:100/a\n"),
      AllOf(HasSubstr("CT 100: option 'arch' is missing"), HasSubstr("arch: amd64"), HasSubstr("100.conf")));
  EXPECT_THAT(error_of("arch: amd64\nrootfs: local:100/a\n"), HasSubstr("option 'ostype' is missing"));
  EXPECT_THAT(error_of("arch: amd64\nostype: debian\n"), HasSubstr("option 'rootfs' is missing"));
}

TEST(LowerIdentity, RefusesUnknownArchAndOstype) {
  EXPECT_THAT(error_of("arch: foo\nostype: debian\nrootfs: local:100/a\n"),
              HasSubstr("'foo' is no known architecture"));
  EXPECT_THAT(error_of("arch: amd64\nostype: beos\nrootfs: local:100/a\n"),
              AllOf(HasSubstr("'beos'"), HasSubstr("[100.conf:2]")));
}

TEST(LowerIdentity, Sets32BitPersonality) {
  EXPECT_TRUE(
      spec_of("arch: i386\nostype: debian\nrootfs: local:100/a\nunprivileged: 1\n").personality_32bit);
  EXPECT_TRUE(
      spec_of("arch: armhf\nostype: debian\nrootfs: local:100/a\nunprivileged: 1\n").personality_32bit);
  EXPECT_FALSE(
      spec_of("arch: arm64\nostype: debian\nrootfs: local:100/a\nunprivileged: 1\n").personality_32bit);
}

TEST(LowerIdentity, LimitsTheHostNameTo64Characters) {
  EXPECT_EQ(spec_of(kUnprivileged, "hostname: web.example.org\n").hostname, "web.example.org");
  EXPECT_THAT(error_of(kUnprivileged, "hostname: " + std::string(65, 'a') + "\n"),
              AllOf(HasSubstr("more than 64"), HasSubstr("[100.conf:5]")));
}

TEST(LowerIdMap, OfUnprivilegedContainersStartsAt100000) {
  const auto spec = spec_of(kUnprivileged);
  const IdRange range{0, 100000, 65536, {"100.conf", 4}};
  EXPECT_TRUE(spec.unprivileged);
  EXPECT_TRUE(spec.namespaces.user);
  EXPECT_THAT(spec.id_map.uids, ElementsAre(range));
  EXPECT_THAT(spec.id_map.gids, ElementsAre(range));
}

TEST(LowerIdMap, IsEmptyForPrivilegedContainers) {
  const auto spec = spec_of(kPrivileged);
  EXPECT_FALSE(spec.unprivileged);
  EXPECT_TRUE(spec.id_map.empty());
  EXPECT_EQ(spec.namespaces, NamespaceSet{});
  EXPECT_EQ(spec_of(kPrivileged, "unprivileged: 0\n").id_map, IdMap{});
}

TEST(LowerResources, HasTheDefaults) {
  const auto resources = spec_of(kUnprivileged).resources;
  EXPECT_EQ(resources.memory_max, (Located<Limit>{Limit::of(512ULL << 20), kDefault}));
  EXPECT_EQ(resources.memory_high, (Located<Limit>{Limit::of(512ULL * 1024 * 1016), kDefault}));
  EXPECT_EQ(resources.memory_swap_max, (Located<Limit>{Limit::of(0), kDefault}));
  EXPECT_FALSE(resources.cpu_max || resources.cpu_weight || resources.cpu_count || resources.pids_max);
  EXPECT_THAT(resources.raw, IsEmpty());
}

TEST(LowerResources, TakesMemoryAndSwapInMebibytes) {
  const auto resources = spec_of(kUnprivileged, "memory: 1024\nswap: 256\n").resources;
  EXPECT_EQ(resources.memory_max, (Located<Limit>{Limit::of(1073741824), {"100.conf", 5}}));
  EXPECT_EQ(resources.memory_high->value, Limit::of(1065353216));
  EXPECT_EQ(resources.memory_swap_max, (Located<Limit>{Limit::of(268435456), {"100.conf", 6}}));
}

TEST(LowerResources, SlowsLargeContainersDown128MebibytesEarlier) {
  EXPECT_EQ(spec_of(kUnprivileged, "memory: 16384\n").resources.memory_high->value, Limit::of(17045651456));
  EXPECT_EQ(spec_of(kUnprivileged, "memory: 16383\n").resources.memory_high->value,
            Limit::of(16383ULL * 1024 * 1016));
}

TEST(LowerResources, TakesCpuSettings) {
  const auto resources = spec_of(kUnprivileged, "cpulimit: 0.5\ncpuunits: 50\ncores: 2\n").resources;
  EXPECT_EQ(resources.cpu_max, (Located<CpuMax>{CpuMax{50000, 100000}, {"100.conf", 5}}));
  EXPECT_EQ(resources.cpu_weight, (Located<std::uint32_t>{50, {"100.conf", 6}}));
  EXPECT_EQ(resources.cpu_count, (Located<std::uint32_t>{2, {"100.conf", 7}}));
}

TEST(LowerResources, CapsCpuUnitsAndTakesNoLimitAsNone) {
  const auto resources = spec_of(kUnprivileged, "cpulimit: 0\ncpuunits: 500000\n").resources;
  EXPECT_FALSE(resources.cpu_max);
  EXPECT_EQ(resources.cpu_weight->value, 10000U);
}

TEST(LowerResources, RefusesWhatTheKernelWould) {
  EXPECT_THAT(error_of(kUnprivileged, "cpuunits: 0\n"),
              AllOf(HasSubstr("cpuunits"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "cores: 0\n"), HasSubstr("cores"));
  EXPECT_THAT(error_of(kUnprivileged, "cpulimit: 0.001\n"), HasSubstr("cpulimit"));
  EXPECT_THAT(error_of(kUnprivileged, "memory: 99999999999999\n"), HasSubstr("memory"));
  EXPECT_THAT(error_of(kUnprivileged, "memory: much\n"),
              AllOf(HasSubstr("'much'"), HasSubstr("[100.conf:5]")));
}

TEST(LowerVolumes, ResolvesTheRootfs) {
  VolumeSpec expected;
  expected.key = "rootfs";
  expected.kind = VolumeSpec::Kind::image;
  expected.source = "/var/lib/vz/images/100/vm-100-disk-0.raw";
  expected.target = "/";
  expected.origin = {"100.conf", 3};
  EXPECT_EQ(spec_of(kUnprivileged).rootfs, expected);
}

TEST(LowerVolumes, TakesMountPointsInIndexOrder) {
  const auto mounts = spec_of(kUnprivileged,
                              "mp10: /tank/b,mp=/b\nmp2: local:100/subvol-100-disk-1.subvol,mp=srv//x/\nmp3: "
                              "/dev/sdb1,mp=/d,ro=1\n")
                          .mount_points;
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].key, "mp2");
  EXPECT_EQ(mounts[0].kind, VolumeSpec::Kind::directory);
  EXPECT_EQ(mounts[0].target, "/srv/x");
  EXPECT_FALSE(mounts[0].bind);
  EXPECT_EQ(mounts[1].kind, VolumeSpec::Kind::block_device);
  EXPECT_EQ(mounts[1].source, "/dev/sdb1");
  EXPECT_TRUE(mounts[1].read_only);
  EXPECT_EQ(mounts[2].source, "/tank/b");
  EXPECT_TRUE(mounts[2].bind);
  EXPECT_EQ(mounts[2].origin, (Origin{"100.conf", 5}));
}

TEST(LowerVolumes, TurnsMountOptionsIntoAttributesAndFileSystemOptions) {
  const auto volume =
      spec_of(kUnprivileged,
              "mp0: local:100/x.raw,mp=/a,acl=1,mountoptions=discard;noatime;nodev;lazytime;nosuid\n")
          .mount_points.at(0);
  EXPECT_EQ(volume.mount_attributes,
            std::uint64_t{MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID});
  EXPECT_THAT(volume.fs_options, ElementsAre(testing::Pair("discard", ""), testing::Pair("lazytime", ""),
                                             testing::Pair("acl", "")));
}

TEST(LowerVolumes, KeepOnlyTheRestrictingOptionsWhenReadOnly) {
  const auto volume =
      spec_of(kUnprivileged, "mp0: local:100/x.raw,mp=/a,ro=1,mountoptions=discard;noatime;noexec\n")
          .mount_points.at(0);
  EXPECT_EQ(volume.mount_attributes, std::uint64_t{MOUNT_ATTR_NOEXEC});
  EXPECT_THAT(volume.fs_options, IsEmpty());
}

TEST(LowerVolumes, MountsBaseImagesReadOnlyWithoutJournalReplay) {
  const auto volume = spec_of(kUnprivileged, "mp0: base:x,mp=/a\n").mount_points.at(0);
  EXPECT_TRUE(volume.read_only);
  EXPECT_THAT(volume.fs_options, ElementsAre(testing::Pair("noload", "")));
}

TEST(LowerVolumes, TakesPassthroughIdsOnlyWithAnIdMap) {
  EXPECT_EQ(spec_of(kUnprivileged, "mp0: /t,mp=/a,idmap=passthrough\n").mount_points.at(0).disk_ids,
            DiskIds::container);
  EXPECT_EQ(lower_text(kPrivileged, "mp0: /t,mp=/a,idmap=passthrough\n").spec.mount_points.at(0).disk_ids,
            DiskIds::host);
  EXPECT_THAT(diagnostics_of(kPrivileged, "mp0: /t,mp=/a,idmap=passthrough\n"),
              ElementsAre(HasSubstr("warning 100.conf:4: option 'mp0': 'idmap' has no effect")));
}

TEST(LowerVolumes, NeverLeavesAQuotaOut) {
  EXPECT_THAT(error_of(kUnprivileged, "mp0: local:100/x.raw,mp=/a,quota=1\n"), HasSubstr("unprivileged"));
  EXPECT_THAT(error_of(kPrivileged, "mp0: /t,mp=/a,quota=1\n"), HasSubstr("directory"));
}

TEST(LowerVolumes, RefusesWhatIsNoVolume) {
  EXPECT_THAT(error_of(kUnprivileged, "mp0: local:8,mp=/a\n"),
              AllOf(HasSubstr("'local:8'"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "mp0: none:100/x,mp=/a\n"),
              AllOf(HasSubstr("option 'mp0': storage 'none' does not exist"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "mp0: /t,mp=/\n"), HasSubstr("no mount path"));
  EXPECT_THAT(error_of(kUnprivileged, "mp0: /t\n"),
              AllOf(HasSubstr("key 'mp' is missing"), HasSubstr("[100.conf:5]")));
}

TEST(LowerLinks, NamesTheHostEndAfterTheContainer) {
  LinkSpec expected;
  expected.index = 3;
  expected.name = "eth0";
  expected.host_name = "veth100i3";
  expected.bridge = "vmbr0";
  expected.mac = "BC:24:11:12:34:56";
  expected.mtu = 1400;
  expected.addresses = {"10.0.0.2/24"};
  expected.gateway4 = "10.0.0.1";
  expected.own_vlans = true;
  expected.origin = {"100.conf", 5};
  EXPECT_THAT(
      spec_of(kUnprivileged,
              "net3: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:12:34:56,mtu=1400,ip=10.0.0.2/24,gw=10.0.0.1\n")
          .links,
      ElementsAre(expected));
}

TEST(LowerLinks, AreInIndexOrder) {
  const auto links = spec_of(kUnprivileged, "net10: name=b\nnet2: name=a,link_down=1\n").links;
  ASSERT_EQ(links.size(), 2U);
  EXPECT_EQ(links[0].index, 2U);
  EXPECT_TRUE(links[0].link_down);
  EXPECT_EQ(links[1].index, 10U);
  EXPECT_EQ(links[1].mac, "");
}

TEST(LowerLinks, AreConfiguredWhenHostManaged) {
  const auto link =
      spec_of(kUnprivileged,
              "net0: name=eth0,host-managed=1,ip=10.0.0.2/24,gw=10.0.0.1,ip6=2001:db8::2/64,gw6=fe80::1\n")
          .links.at(0);
  EXPECT_TRUE(link.configure);
  EXPECT_THAT(link.addresses, ElementsAre("10.0.0.2/24", "2001:db8::2/64"));
  EXPECT_EQ(link.gateway4, "10.0.0.1");
  EXPECT_EQ(link.gateway6, "fe80::1");
  EXPECT_FALSE(
      spec_of(kUnprivileged, "net0: name=eth0,host-managed=1,link_down=1,ip6=auto\n").links.at(0).configure);
}

TEST(LowerLinks, RefusesNamesThatTheKernelCannotHold) {
  EXPECT_THAT(error_of(kUnprivileged, "net0: name=abcdefghijklmnop\n"), HasSubstr("more than 15"));
  Diagnostics ignored;
  const auto config =
      read_config(std::string(kUnprivileged) + "net10: name=eth0\n", "999999999.conf", 999999999, ignored);
  auto context = test_context();
  context.vmid = 999999999;
  EXPECT_THROW(lower(config, context), Error);
}

TEST(LowerLinks, CarryVlansAndRate) {
  const auto link =
      spec_of(kUnprivileged, "net0: name=eth0,bridge=vmbr0,tag=5,trunks=10;20-30,rate=1.5\n").links.at(0);
  EXPECT_EQ(link.tag, 5);
  EXPECT_THAT(link.trunks, ElementsAre(VlanRange{10, 10}, VlanRange{20, 30}));
  EXPECT_EQ(link.rate, 1572864U);
  EXPECT_THAT(error_of(kUnprivileged, "net0: name=eth0,trunks=9-5\n"), HasSubstr("[100.conf:5]"));
}

TEST(LowerLinks, CarryAddressesWhoeverSetsThem) {
  const auto link =
      spec_of(kUnprivileged, "net0: name=eth0,ip=10.0.0.2/24,gw=10.0.0.1,ip6=manual,gw6=fe80::1\n")
          .links.at(0);
  EXPECT_FALSE(link.configure);
  EXPECT_THAT(link.addresses, ElementsAre("10.0.0.2/24"));
  EXPECT_EQ(link.gateway4, "10.0.0.1");
  EXPECT_EQ(link.gateway6, "");
}

TEST(LowerLinks, AreReportedWithoutAFirewall) {
  EXPECT_THAT(diagnostics_of(kUnprivileged, "net0: name=eth0,firewall=1\n"),
              ElementsAre(HasSubstr("warning 100.conf:5: option 'net0': 'firewall'")));
  EXPECT_TRUE(spec_of(kUnprivileged, "net0: name=eth0,host-managed=1,ip=dhcp\n").links.at(0).dhcp4);
  EXPECT_FALSE(spec_of(kUnprivileged, "net0: name=eth0,ip=dhcp\n").links.at(0).dhcp4);
  EXPECT_THAT(error_of(kUnprivileged, "net0: name=eth0,host-managed=1,ip6=auto\n"), HasSubstr("ip6=auto"));
}

TEST(LowerDevices, AreFreeForUnprivilegedContainers) {
  EXPECT_EQ(spec_of(kUnprivileged).devices, cgroupv2::DevicePolicy{});
}

std::vector<std::string> rule_texts(const ContainerSpec& spec) {
  std::vector<std::string> texts;
  for (const auto& rule : spec.devices.rules) {
    const auto number = [](const auto& value) { return value ? std::to_string(*value) : std::string("*"); };
    texts.push_back(std::string(rule.allow ? "+" : "-") + rule.type + " " + number(rule.major) + ":" +
                    number(rule.minor) + " " + (rule.read ? "r" : "") + (rule.write ? "w" : "") +
                    (rule.mknod ? "m" : ""));
  }
  return texts;
}

TEST(LowerDevices, AreListedForPrivilegedContainers) {
  const auto spec = spec_of(kPrivileged);
  EXPECT_FALSE(spec.devices.allow_by_default);
  EXPECT_THAT(rule_texts(spec), ElementsAre("+c *:* m", "+b *:* m", "+c 1:3 rwm", "+c 1:5 rwm", "+c 1:7 rwm",
                                            "+c 1:8 rwm", "+c 1:9 rwm", "+c 5:0 rwm", "+c 5:1 rwm",
                                            "+c 5:2 rwm", "+c 136:* rwm", "+c 10:229 rwm"));
  EXPECT_EQ(spec.devices.rules[0].origin, kDefault);
}

TEST(LowerDevices, OfDebianHaveClockTunAndKvm) {
  const auto rules = rule_texts(spec_of("arch: amd64\nostype: debian\nrootfs: local:100/a\n"));
  ASSERT_EQ(rules.size(), 16U);
  EXPECT_EQ(rules[12], "+c 254:0 rm");
  EXPECT_EQ(rules[15], "+c 10:232 rwm");
}

TEST(LowerDevices, WithoutConsoleDenyIt) {
  const auto spec = spec_of(kPrivileged, "console: 0\n");
  EXPECT_FALSE(spec.console);
  EXPECT_THAT(rule_texts(spec), AllOf(Contains("-c 5:1 rwm"), Not(Contains("+c 5:1 rwm"))));
  EXPECT_THAT(rule_texts(spec_of(kUnprivileged, "console: 0\n")), ElementsAre("-c 5:1 rwm"));
}

TEST(LowerMounts, ProtectProcAndSys) {
  for (const auto base : {kPrivileged, kUnprivileged}) {
    const auto spec = spec_of(base);
    EXPECT_EQ(spec.proc, ProcMount::mixed);
    EXPECT_EQ(spec.sys, SysMount::mixed);
    EXPECT_EQ(spec.cgroup, CgroupMount::read_write);
  }
  EXPECT_EQ(spec_of(kUnprivileged, "features: force_rw_sys=1\n").sys, SysMount::read_write);
  // The host's own sysfs never becomes writable through this.
  EXPECT_EQ(spec_of(kPrivileged, "features: force_rw_sys=1\n").sys, SysMount::mixed);
}

std::vector<std::string> targets(const ContainerSpec& spec) {
  std::vector<std::string> names;
  for (const auto& mount : spec.mounts) names.push_back(mount.target);
  return names;
}

TEST(LowerMounts, OfPrivilegedContainersHaveFuseConnections) {
  MountSpec expected;
  expected.source = "/sys/fs/fuse/connections";
  expected.target = "sys/fs/fuse/connections";
  expected.type = "none";
  expected.bind = true;
  expected.optional = true;
  expected.origin = kDefault;
  EXPECT_THAT(spec_of(kPrivileged).mounts, ElementsAre(expected));
  EXPECT_THAT(spec_of(kUnprivileged).mounts, IsEmpty());
}

TEST(LowerMounts, HaveSharedMemoryWhereTheInitMountsNone) {
  MountSpec expected;
  expected.source = "shm";
  expected.target = "dev/shm";
  expected.type = "tmpfs";
  expected.create = MountSpec::Create::directory;
  expected.attributes_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  expected.origin = {"100.conf", 5};
  EXPECT_THAT(spec_of(kUnprivileged, "entrypoint: /usr/bin/app\n").mounts, ElementsAre(expected));
  EXPECT_THAT(spec_of(kUnprivileged, "entrypoint: /sbin/init\n").mounts, IsEmpty());
  EXPECT_THAT(targets(spec_of("arch: amd64\nostype: gentoo\nrootfs: local:100/a\nunprivileged: 1\n")),
              ElementsAre("dev/shm"));
  const auto alpine = spec_of("arch: amd64\nostype: alpine\nrootfs: local:100/a\nunprivileged: 1\n");
  EXPECT_THAT(targets(alpine), ElementsAre("run", "dev/shm"));
  EXPECT_THAT(alpine.mounts[1].fs_options, ElementsAre(testing::Pair("mode", "1777")));
}

TEST(LowerMounts, OfUbuntuAreOptional) {
  const auto spec = spec_of("arch: amd64\nostype: ubuntu\nrootfs: local:100/a\nunprivileged: 1\n");
  EXPECT_THAT(targets(spec),
              ElementsAre("sys/kernel/debug", "sys/kernel/security", "sys/fs/pstore", "dev/mqueue"));
  for (const auto& mount : spec.mounts) EXPECT_TRUE(mount.optional) << mount.target;
}

TEST(LowerInit, RunsSbinInitWithTermLinux) {
  const auto init = spec_of(kUnprivileged).init;
  EXPECT_THAT(init.argv, ElementsAre("/sbin/init"));
  EXPECT_THAT(values(init.environment), ElementsAre("TERM=linux"));
  EXPECT_EQ(init.cwd, "/");
}

TEST(LowerInit, TakesEntryPointAndEnvironment) {
  const auto init = spec_of(kUnprivileged,
                            "entrypoint: /app --flag \"two words\" 'a\"b'c\nlxc.environment.runtime: A=1\n"
                            "lxc.environment.runtime: TERM=dumb\n")
                        .init;
  EXPECT_THAT(init.argv, ElementsAre("/app", "--flag", "two words", "a\"bc"));
  EXPECT_THAT(values(init.environment), ElementsAre("A=1", "TERM=dumb"));
  EXPECT_EQ(init.environment[0].origin, (Origin{"100.conf", 6}));
  EXPECT_THAT(error_of(kUnprivileged, "entrypoint: /app 'x\n"), HasSubstr("not closed"));
}

TEST(LowerInit, KnowsTheHaltSignalOfArch) {
  EXPECT_EQ(spec_of("arch: amd64\nostype: archlinux\nrootfs: local:100/a\nunprivileged: 1\n").signals.halt,
            SIGRTMIN + 4);
  EXPECT_EQ(spec_of(kUnprivileged).signals, SignalSpec{});
}

TEST(LowerTerminals, UseASubdirectoryOnlyWherePrivileged) {
  EXPECT_EQ(spec_of(kPrivileged).tty_directory, "lxc");
  EXPECT_EQ(spec_of(kUnprivileged).tty_directory, "");
  EXPECT_EQ(spec_of("arch: amd64\nostype: debian\nrootfs: local:100/a\n").tty_directory, "");
  EXPECT_EQ(spec_of(kUnprivileged, "tty: 0\n").tty_count, 0U);
}

TEST(LowerCapabilities, AreDroppedFromPrivilegedContainersOnly) {
  EXPECT_THAT(values(spec_of(kPrivileged).capabilities.drop),
              ElementsAre("mac_admin", "mac_override", "sys_time", "sys_module", "sys_rawio"));
  EXPECT_EQ(spec_of(kUnprivileged).capabilities, CapabilitySpec{});
}

TEST(LowerCapabilities, DependOnTheDistribution) {
  const auto drops = [](const std::string& os) {
    return values(spec_of("arch: amd64\nostype: " + os + "\nrootfs: local:100/a\n").capabilities.drop);
  };
  EXPECT_EQ(drops("debian").size(), 5U);
  EXPECT_THAT(drops("fedora"), ElementsAre("mac_admin", "mac_override", "sys_time", "sys_module", "sys_rawio",
                                           "setfcap", "sys_nice", "sys_pacct"));
  EXPECT_THAT(drops("centos"), AllOf(Contains("sys_pacct"), Not(Contains("setfcap"))));
  EXPECT_EQ(drops("alpine").size(), 14U);
}

constexpr std::string_view kPolicy =
    "2\ndenylist\nreject_force_umount\n[all]\nkexec_load errno 1\nopen_by_handle_at errno 1\ninit_module "
    "errno 1\n"
    "finit_module errno 1\ndelete_module errno 1\n";

TEST(LowerSeccomp, DeniesMoreToUnprivilegedContainers) {
  EXPECT_EQ(spec_of(kPrivileged).seccomp.policy, kPolicy);
  EXPECT_EQ(spec_of(kUnprivileged).seccomp.policy,
            std::string(kPolicy) +
                "ioctl errno 1 [1,0x9400,SCMP_CMP_MASKED_EQ,0xff00]\nkeyctl errno 38\nsocket errno 97 "
                "[0,38,SCMP_CMP_EQ]\n");
  EXPECT_THAT(spec_of(kUnprivileged, "features: keyctl=1\n").seccomp.policy, Not(HasSubstr("keyctl")));
}

TEST(LowerAppArmor, IsGenerated) {
  const auto apparmor = spec_of(kUnprivileged).apparmor;
  EXPECT_EQ(apparmor.profile, "generated");
  EXPECT_FALSE(apparmor.allow_nesting);
  EXPECT_THAT(values(apparmor.raw_rules),
              ElementsAre("allow mqueue,", "deny mount -> /proc/,", "deny mount -> /sys/,"));
}

TEST(LowerAppArmor, FollowsTheFeatures) {
  const auto spec = spec_of(kPrivileged, "features: nesting=1,fuse=1,mount=nfs;cifs\n");
  EXPECT_TRUE(spec.apparmor.allow_nesting);
  EXPECT_TRUE(spec.nesting_mounts);
  EXPECT_THAT(values(spec.apparmor.raw_rules),
              ElementsAre("allow mqueue,", "allow userns,", "mount fstype=nfs,", "mount fstype=cifs,",
                          "mount fstype=fuse,"));
  EXPECT_THAT(targets(spec), ElementsAre("sys/fs/fuse/connections", "dev/fuse"));
  EXPECT_EQ(spec.mounts[1].create, MountSpec::Create::file);
}

TEST(LowerOptions, ReportsWhatHasNoEffect) {
  EXPECT_THAT(
      diagnostics_of(kUnprivileged, "startup: order=1\ndebug: 0\nonboot: 1\ntags: a\n"),
      ElementsAre("warning 100.conf:5: option 'startup' is not honoured by this version and has no effect"));
  EXPECT_THAT(error_of(kUnprivileged, "features: magic=1\n"),
              AllOf(HasSubstr("option 'features': unknown key 'magic'"), HasSubstr("[100.conf:5]")));
}

TEST(LowerSections, TakesASnapshotByName) {
  Diagnostics ignored;
  const auto config = read_config(
      std::string(kPrivileged) + "memory: 512\n[old]\n" + std::string(kUnprivileged) + "memory: 64\n",
      "100.conf", 100, ignored);
  auto context = test_context();
  context.section = "old";
  EXPECT_EQ(lower(config, context).spec.resources.memory_max->value, Limit::of(64ULL << 20));
  context.section = "new";
  EXPECT_THROW(lower(config, context), Error);
}

}  // namespace
}  // namespace hutch::config
