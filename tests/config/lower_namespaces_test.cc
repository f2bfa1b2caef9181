#include "config/lower.h"
#include "tests/config/lowering_fixture.h"

// Which namespaces a container gets, joins or keeps, its clocks, and where its control groups are.
namespace hutch::config {
namespace {

using cgroupv2::RawWrite;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Target = SharedNamespace::Target;

// "mount pid net ...": those that are the container's own.
std::string own(const NamespaceSet& set) {
  std::string text;
  for (const auto& [name, on] :
       {std::pair{"mount", set.mount}, std::pair{"pid", set.pid}, std::pair{"net", set.net},
        std::pair{"ipc", set.ipc}, std::pair{"uts", set.uts}, std::pair{"cgroup", set.cgroup},
        std::pair{"user", set.user}, std::pair{"time", set.time}}) {
    if (on) text += std::string(text.empty() ? "" : " ") + name;
  }
  return text;
}

std::string own_of(std::string_view base, const std::string& more) {
  return own(spec_of(base, more).namespaces);
}

std::string with_key(const std::string& key, const std::string& value) {
  return key + ": " + value + "\n";
}

TEST(RawNamespaceKeep, LeavesTheOthersToTheContainer) {
  EXPECT_EQ(own_of(kUnprivileged, "lxc.namespace.keep: net IPC\n"), "mount pid uts cgroup user time");
  EXPECT_EQ(own_of(kUnprivileged, "lxc.namespace.keep: net\nlxc.namespace.keep: time uts\n"),
            "mount pid ipc cgroup user");
  EXPECT_EQ(own_of(kUnprivileged, "lxc.namespace.keep: net\nlxc.namespace.keep:\n"),
            "mount pid net ipc uts cgroup user");
  // No id map, no user namespace.
  EXPECT_EQ(own_of(kPrivileged, "lxc.namespace.keep: user net time\n"), "mount pid ipc uts cgroup");
  EXPECT_EQ(own_of(kPrivileged, "lxc.namespace.keep: net time\n"), "mount pid ipc uts cgroup");
}

TEST(RawNamespaceKeep, RefusesWhatCannotBe) {
  for (const auto* bad :
       {"lxc.namespace.keep: net nothing", "lxc.namespace.keep: user", "lxc.namespace.keep: mnt",
        "lxc.namespace.keep: mount", "lxc.namespace.clone: mnt user space"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string(bad) + "\n"), HasSubstr("[100.conf:5]")) << bad;
  }
  EXPECT_THAT(error_of(kUnprivileged, "lxc.namespace.keep: net\nlxc.namespace.clone: mnt user\n"),
              AllOf(HasSubstr("exclude each other"), HasSubstr("[100.conf:6]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.namespace.keep: time\nlxc.time.offset.boot: 1s\n"),
              AllOf(HasSubstr("time namespace"), HasSubstr("[100.conf:6]")));
}

TEST(RawNamespaceClone, IsExactlyWhatIsMade) {
  EXPECT_EQ(own_of(kUnprivileged, "lxc.namespace.clone: mnt user pid\n"), "mount pid user");
  EXPECT_EQ(own_of(kUnprivileged, "lxc.namespace.clone: mount user\nlxc.namespace.clone: time\n"),
            "mount user time");
  EXPECT_EQ(own_of(kPrivileged, "lxc.namespace.clone: mnt\nlxc.namespace.clone:\n"),
            "mount pid net ipc uts cgroup");
  EXPECT_THAT(error_of(kPrivileged, "lxc.namespace.clone: mnt user\n"),
              AllOf(HasSubstr("needs an id map"), HasSubstr("[100.conf:4]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.namespace.clone: mnt net\n"), HasSubstr("[100.conf:5]"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.namespace.clone: user net\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawNamespaceShare, TakesPathsProcessesAndContainers) {
  const auto set = spec_of(kUnprivileged,
                           "lxc.namespace.share.net: /run/netns/lan\nlxc.namespace.share.ipc: 4711\n"
                           "lxc.namespace.share.uts: db\nlxc.namespace.share.cgroup: 101\n"
                           "lxc.namespace.share.time: 101\n")
                       .namespaces;
  EXPECT_EQ(own(set), "mount pid user");
  EXPECT_THAT(
      set.shared,
      ElementsAre(SharedNamespace{NamespaceKind::net, Target::path, "/run/netns/lan", 0, {"100.conf", 5}},
                  SharedNamespace{NamespaceKind::ipc, Target::process, "", 4711, {"100.conf", 6}},
                  SharedNamespace{NamespaceKind::uts, Target::container, "", 102, {"100.conf", 7}},
                  SharedNamespace{NamespaceKind::cgroup, Target::container, "", 101, {"100.conf", 8}},
                  SharedNamespace{NamespaceKind::time, Target::container, "", 101, {"100.conf", 9}}));
  // The last line of a name wins, an empty one takes it back.
  const auto last =
      spec_of(kUnprivileged,
              "lxc.namespace.share.net: 1\nlxc.namespace.share.net: 2\nlxc.namespace.share.ipc: 1\n"
              "lxc.namespace.share.ipc:\n")
          .namespaces.shared;
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_EQ(last[0].id, 2U);
}

TEST(RawNamespaceShare, RefusesWhatCannotBe) {
  for (const auto* bad :
       {"lxc.namespace.share.foo: 1", "lxc.namespace.share.net: nobody", "lxc.namespace.share.net: 100",
        "lxc.namespace.share.net: 0", "lxc.namespace.share.mnt: 101", "lxc.namespace.share.pid: 101"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string(bad) + "\n"), HasSubstr("[100.conf:5]")) << bad;
  }
  EXPECT_THAT(error_of(kPrivileged, "lxc.namespace.share.user: 101\n"),
              AllOf(HasSubstr("no id map"), HasSubstr("[100.conf:4]")));
}

TEST(RawNamespaceShare, GoesWithTheUserNamespace) {
  const auto spec = spec_of(kUnprivileged, "lxc.namespace.share.user: 101\nlxc.namespace.share.pid: 101\n");
  EXPECT_EQ(own(spec.namespaces), "mount net ipc uts cgroup");
  EXPECT_FALSE(spec.id_map.empty());
  // reboot(2) would reach the other one.
  EXPECT_THAT(values(spec.capabilities.drop), ElementsAre("sys_boot"));
}

TEST(RawNamespaceShare, KeepsRebootFromTheOwnerOfTheProcessIds) {
  EXPECT_THAT(values(spec_of(kPrivileged, "lxc.namespace.keep: pid time\n").capabilities.drop),
              Contains("sys_boot"));
  EXPECT_THAT(values(*spec_of(kPrivileged,
                              "lxc.namespace.keep: pid time\nlxc.cap.drop:\nlxc.cap.keep: sys_boot chown\n")
                          .capabilities.keep),
              ElementsAre("chown"));
}

TEST(RawNamespaces, MakeNoLinksInANetworkOfOthers) {
  const std::string link = "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01\n";
  for (const auto* line :
       {"lxc.namespace.keep: net", "lxc.namespace.share.net: 101", "lxc.namespace.clone: mnt user"}) {
    const auto result = lower_text(kUnprivileged, link + line + "\n");
    EXPECT_THAT(result.spec.links, IsEmpty()) << line;
    ASSERT_THAT(result.diagnostics, SizeIs(1)) << line;
    EXPECT_THAT(result.diagnostics[0].text(), HasSubstr("100.conf:5: the interface 'eth0' is not made"))
        << line;
  }
}

TEST(RawTimeOffset, TakesEveryUnit) {
  constexpr std::int64_t kSecond = 1000000000;
  const std::pair<const char*, std::int64_t> rows[] = {{"1h", 3600 * kSecond},
                                                       {"-2m", -120 * kSecond},
                                                       {"+90s", 90 * kSecond},
                                                       {"5 ms", 5000000},
                                                       {"7us", 7000},
                                                       {"-9ns", -9},
                                                       {"0s", 0}};
  for (const auto& [text, nanoseconds] : rows) {
    const auto set = spec_of(kUnprivileged, with_key("lxc.time.offset.boot", text)).namespaces;
    EXPECT_EQ(set.boottime_offset_ns, nanoseconds) << text;
    EXPECT_EQ(set.time, nanoseconds != 0) << text;
    EXPECT_EQ(
        spec_of(kUnprivileged, with_key("lxc.time.offset.monotonic", text)).namespaces.monotonic_offset_ns,
        nanoseconds)
        << text;
  }
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.time.offset.boot: 1h\nlxc.time.offset.boot:\n").namespaces.time);
  for (const auto* bad : {"5", "s", "5d", "1.5s", "5 s s", "9999999999h", "--5s"}) {
    EXPECT_THAT(error_of(kUnprivileged, with_key("lxc.time.offset.boot", bad)), HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(RawSchedCore, NeedsItsOwnProcessIds) {
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.sched.core: 1\n").core_scheduling);
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.sched.core: 1\nlxc.sched.core:\n").core_scheduling);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.sched.core: 2\n"), HasSubstr("[100.conf:5]"));
  EXPECT_THAT(error_of(kPrivileged, "lxc.sched.core: 1\nlxc.namespace.keep: pid\n"),
              HasSubstr("lxc.sched.core"));
}

TEST(RawKeyring, IsNewUnlessTheManualsZero) {
  EXPECT_TRUE(spec_of(kUnprivileged).new_keyring);
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.keyring.session: 1\n").new_keyring);
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.keyring.session: 0\n").new_keyring);
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.keyring.session: 0\nlxc.keyring.session:\n").new_keyring);
}

// Without their origin.
CgroupPaths paths_of(const std::string& more) {
  auto paths = spec_of(kUnprivileged, more).cgroup_paths;
  EXPECT_EQ(paths.origin.empty(), paths == CgroupPaths());
  paths.origin = {};
  return paths;
}

TEST(RawCgroupPaths, AreTaken) {
  EXPECT_EQ(paths_of("lxc.cgroup.dir.container: a//b/./c/\nlxc.cgroup.dir.container.inner: procs\n"
                     "lxc.cgroup.dir.monitor: m/100\nlxc.cgroup.dir.monitor.pivot: p\n"),
            (CgroupPaths{"a/b/c", "procs", "m/100", "p", {}}));
  EXPECT_EQ(paths_of("lxc.cgroup.dir: slice\n"),
            (CgroupPaths{"slice/lxc.payload.100", "ns", "slice/lxc.monitor.100", "", {}}));
  EXPECT_EQ(paths_of("lxc.cgroup.dir: slice\nlxc.cgroup.dir:\nlxc.cgroup.dir.container.inner: x\n"
                     "lxc.cgroup.dir.container.inner:\nlxc.cgroup.dir.monitor: m\nlxc.cgroup.dir.monitor:\n"),
            CgroupPaths());
}

TEST(RawCgroupPaths, RefuseWhatLeavesTheTree) {
  for (const auto* bad :
       {"lxc.cgroup.dir: /a", "lxc.cgroup.dir.container: a/../b", "lxc.cgroup.dir.monitor: /",
        "lxc.cgroup.dir.monitor.pivot: ..", "lxc.cgroup.dir.container.inner: a/b",
        "lxc.cgroup.dir.container.inner: ..", "lxc.cgroup.relative: 2"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string(bad) + "\n"), HasSubstr("[100.conf:5]")) << bad;
  }
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cgroup.dir: a\nlxc.cgroup.dir.monitor: b\n"),
              AllOf(HasSubstr("excludes"), HasSubstr("[100.conf:5]")));
}

TEST(RawCgroupPaths, BeginAtTheCallersGroupWhereAsked) {
  EXPECT_EQ(paths_of("lxc.cgroup.relative: 1\nlxc.cgroup.dir.monitor: m\n"),
            (CgroupPaths{"user.slice/me/lxc/100", "ns", "user.slice/me/m", "", {}}));
  EXPECT_EQ(paths_of("lxc.cgroup.relative: 1\nlxc.cgroup.relative: 0\n"), CgroupPaths());
}

TEST(RawCgroupV1, SwapIsWhatIsAboveMemory) {
  const auto raw = [](const std::string& more) { return spec_of(kUnprivileged, more).resources.raw; };
  // In any order, and with the option's limit.
  EXPECT_THAT(raw("lxc.cgroup.memory.memsw.limit_in_bytes: 1G\nlxc.cgroup.memory.limit_in_bytes: 768m\n"),
              ElementsAre(RawWrite{"memory.swap.max", "268435456", {"100.conf", 5}},
                          RawWrite{"memory.max", "805306368", {"100.conf", 6}}));
  EXPECT_THAT(raw("memory: 256\nlxc.cgroup.memory.memsw.limit_in_bytes: 268435456b\n"),
              ElementsAre(RawWrite{"memory.swap.max", "0", {"100.conf", 6}}));
  EXPECT_THAT(raw("lxc.cgroup.memory.memsw.limit_in_bytes: -1\n"),
              ElementsAre(RawWrite{"memory.swap.max", "max", {"100.conf", 5}}));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cgroup.memory.memsw.limit_in_bytes: 1M\n"),
              HasSubstr("[100.conf:5]"));
  EXPECT_THAT(
      diagnostics_of(kUnprivileged,
                     "lxc.cgroup.memory.limit_in_bytes: -1\nlxc.cgroup.memory.memsw.limit_in_bytes: 1G\n"),
      ElementsAre(HasSubstr("warning 100.conf:6")));
}

TEST(RawCgroupV1, QuotaAndPeriodAreOneValue) {
  const auto raw = [](const std::string& more) { return spec_of(kUnprivileged, more).resources.raw; };
  EXPECT_THAT(raw("lxc.cgroup.cpu.cfs_period_us: 50000\nlxc.cgroup.cpu.cfs_quota_us: 25000\n"),
              ElementsAre(RawWrite{"cpu.max", "25000 50000", {"100.conf", 6}}));
  EXPECT_THAT(raw("lxc.cgroup.cpu.cfs_quota_us: -1\n"),
              ElementsAre(RawWrite{"cpu.max", "max 100000", {"100.conf", 5}}));
  EXPECT_THAT(raw("cpulimit: 2\nlxc.cgroup.cpu.cfs_period_us: 200000\n"),
              ElementsAre(RawWrite{"cpu.max", "200000 200000", {"100.conf", 6}}));
  EXPECT_THAT(raw("lxc.cgroup.cpu.cfs_quota_us: 5000\nlxc.cgroup.cpu.cfs_quota_us:\n"), IsEmpty());
  EXPECT_THAT(error_of(kUnprivileged, "lxc.cgroup.cpu.cfs_quota_us: half\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawCgroupV1, BlockDevicesAndWeights) {
  const auto result = lower_text(kUnprivileged,
                                 "lxc.cgroup.blkio.weight: 300\n"
                                 "lxc.cgroup.blkio.throttle.read_bps_device: 8:0 1M\n"
                                 "lxc.cgroup.blkio.throttle.write_bps_device: 8:0 2048\n"
                                 "lxc.cgroup.blkio.throttle.read_iops_device: 8:16 100\n"
                                 "lxc.cgroup.blkio.throttle.write_iops_device: 8:16 0\n"
                                 "lxc.cgroup.freezer.state: FROZEN\nlxc.cgroup.cpuacct.usage: 0\n"
                                 "lxc.cgroup.net_prio.ifpriomap: eth0 5\n");
  EXPECT_THAT(result.spec.resources.raw, ElementsAre(RawWrite{"io.weight", "300", {"100.conf", 5}},
                                                     RawWrite{"io.max", "8:0 rbps=1048576", {"100.conf", 6}},
                                                     RawWrite{"io.max", "8:0 wbps=2048", {"100.conf", 7}},
                                                     RawWrite{"io.max", "8:16 riops=100", {"100.conf", 8}},
                                                     RawWrite{"io.max", "8:16 wiops=max", {"100.conf", 9}}));
  EXPECT_THAT(result.diagnostics, SizeIs(3));
  for (const auto* bad : {"8:0", "sda 5", "8:0 fast", "8:0 1 2"}) {
    EXPECT_THAT(error_of(kUnprivileged, with_key("lxc.cgroup.blkio.throttle.read_bps_device", bad)),
                HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(RawCgroup, AllLimitsGoWithOneLine) {
  const auto spec = spec_of(kPrivileged, "lxc.cgroup2.pids.max: 4\nlxc.cgroup2:\nlxc.cgroup2.io.weight: 5\n");
  EXPECT_FALSE(spec.resources.memory_max);
  EXPECT_THAT(spec.resources.raw, ElementsAre(RawWrite{"io.weight", "5", {"100.conf", 6}}));
  // Which devices are open is another matter.
  EXPECT_THAT(spec.devices.rules, Not(IsEmpty()));
  EXPECT_THAT(error_of(kPrivileged, "lxc.cgroup2: x\n"), HasSubstr("[100.conf:4]"));
}

}  // namespace
}  // namespace hutch::config
