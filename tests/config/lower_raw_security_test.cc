#include "config/lower.h"
#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using cgroupv2::DeviceRule;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

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
  for (const auto* bad : {"c 10:200", "x 1:1 r", "c 10 r", "c 1:1 rx", "c 1:1 rw r", "c -1:1 r", "c 1: r"}) {
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
            (SeccompSpec{.policy = "2\ndenylist\n", .origin = {"100.conf", 5}}));
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.seccomp.profile:\n").seccomp.policy, "");
}

TEST(RawSeccomp, NeverTurnsAMissingFileIntoNoFilter) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.seccomp.profile: /none\n"),
              AllOf(HasSubstr("ENOENT"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.seccomp: /empty\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawSeccomp, AsksAProxy) {
  const auto seccomp = spec_of(kUnprivileged,
                               "lxc.seccomp.profile: /policy\nlxc.seccomp.notify.proxy: unix:/run/p\n"
                               "lxc.seccomp.notify.cookie: \"a b\"\n")
                           .seccomp;
  EXPECT_THAT(seccomp.notify_proxies, ElementsAre("/run/p"));
  EXPECT_EQ(seccomp.notify_cookie, "a b");
  EXPECT_EQ(seccomp.notify_origin, (Origin{"100.conf", 6}));
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.seccomp.notify.proxy: unix:@name\n").seccomp.notify_proxies,
              ElementsAre("@name"));
  EXPECT_THAT(spec_of(kUnprivileged, "features: mknod=1\nlxc.seccomp.notify.proxy:\n").seccomp.notify_proxies,
              IsEmpty());
  for (const auto& bad : {std::string("tcp:1.2.3.4"), std::string("/run/p"), std::string("unix:"),
                          std::string("unix:run"), "unix:/" + std::string(107, 'x')}) {
    EXPECT_THAT(error_of(kUnprivileged, "lxc.seccomp.notify.proxy: " + bad + "\n"), HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(RawSeccomp, TheFeatureMknodAsksProxmoxsDaemon) {
  const auto seccomp = spec_of(kUnprivileged, "features: mknod=1\n").seccomp;
  EXPECT_THAT(seccomp.policy, HasSubstr("mknodat notify [2,0x6000,SCMP_CMP_MASKED_EQ,0xf000]\n"));
  EXPECT_THAT(seccomp.notify_proxies,
              ElementsAre("/run/pve-lxc-syscalld/socket", "/run/pve/lxc-syscalld.sock"));
  EXPECT_EQ(seccomp.notify_cookie, "100");
  EXPECT_THAT(spec_of(kPrivileged, "features: mknod=1\n").seccomp.notify_proxies, IsEmpty());
  EXPECT_THAT(diagnostics_of(kUnprivileged, "features: mknod=1\nlxc.seccomp.profile: /policy\n"),
              ElementsAre(HasSubstr("'mknod' has no effect beside lxc.seccomp.profile")));
}

TEST(RawSeccomp, OwnFilterIsLoadedOnTopOfTheStartersAnyway) {
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.seccomp.allow_nesting: 1\n").seccomp,
            spec_of(kUnprivileged, "lxc.seccomp.allow_nesting: 0\n").seccomp);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.seccomp.allow_nesting: 2\n"), HasSubstr("[100.conf:5]"));
}

TEST(RawSelinux, TakesContexts) {
  const auto selinux =
      spec_of(kUnprivileged, "lxc.selinux.context: a:b:c:s0\nlxc.selinux.context.keyring: k:b:c:s0\n")
          .selinux;
  EXPECT_EQ(selinux, (SelinuxSpec{"a:b:c:s0", "k:b:c:s0", {"100.conf", 6}}));
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.se_context: x\nlxc.selinux.context: unconfined_t\n").selinux.context,
            "");
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.selinux.context: x\nlxc.selinux.context:\n").selinux.context, "");
}

TEST(RawAppArmor, KnowsItsWordsAndItsDefault) {
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.apparmor.profile:\n").apparmor.profile, "lxc-container-default-cgns");
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.apparmor.profile: unchanged\n").apparmor.profile, "unchanged");
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.apparmor.allow_incomplete: 1\n").apparmor.allow_incomplete);
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.apparmor.allow_incomplete: 1\nlxc.apparmor.allow_incomplete:\n")
                   .apparmor.allow_incomplete);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.apparmor.allow_incomplete: 3\n"), HasSubstr("[100.conf:5]"));
}

}  // namespace
}  // namespace hutch::config
