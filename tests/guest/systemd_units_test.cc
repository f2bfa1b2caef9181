#include "guest/systemd_units.h"

#include <gtest/gtest.h>

#include "guest/init_system.h"
#include "guest/machine_id.h"
#include "guest/snakeoil.h"
#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

const std::string kUnit = "/usr/lib/systemd/system/container-getty@.service";
const std::string kWants = "/etc/systemd/system/getty.target.wants/";

TEST(ContainerGetty, DeviceAndLinks) {
  const TemporaryRootfs rootfs;
  rootfs.put(kUnit, "ConditionPathExists=/dev/pts/%I\nTTYPath=/dev/pts/%I\n");
  rootfs.link("/x/getty@.service", kWants + "getty@tty1.service");
  rootfs.link("/x/container-getty@.service", kWants + "container-getty@5.service");
  rootfs.link("/dev/null", "/etc/systemd/system/getty.target");
  set_up_container_getty(rootfs.root(), 2, "");
  EXPECT_EQ("ConditionPathExists=/dev/tty%I\nTTYPath=/dev/tty%I\n", rootfs.get(kUnit));
  EXPECT_EQ((std::vector<std::string>{"container-getty@1.service", "container-getty@2.service"}),
            rootfs.root().list(kWants));
  EXPECT_EQ(kUnit, rootfs.root().read_link(kWants + "container-getty@1.service"));
  EXPECT_FALSE(rootfs.exists("/etc/systemd/system/getty.target"));
}

TEST(ContainerGetty, TtyDirectoryAndUnitDirectory) {
  const TemporaryRootfs rootfs;
  rootfs.put("/lib/systemd/systemd", "", 0755);
  rootfs.put("/lib/systemd/system/container-getty@.service", "TTYPath=/dev/pts/%I\n");
  set_up_container_getty(rootfs.root(), 1, "lxc/");
  EXPECT_EQ("TTYPath=/dev/lxc/tty%I\n", rootfs.get("/lib/systemd/system/container-getty@.service"));
  EXPECT_EQ("/lib/systemd/system/container-getty@.service",
            rootfs.root().read_link(kWants + "container-getty@1.service"));
  set_up_container_getty(rootfs.root(), 0, "lxc/");
  EXPECT_TRUE(rootfs.root().list(kWants).empty());
}

TEST(ContainerGetty, WithoutTheUnitNothing) {
  const TemporaryRootfs rootfs;
  rootfs.link("/x/getty@.service", kWants + "getty@tty1.service");
  set_up_container_getty(rootfs.root(), 2, "");
  EXPECT_EQ((std::vector<std::string>{"getty@tty1.service"}), rootfs.root().list(kWants));
}

TEST(KernelUnits, AreMaskedUnlessTheGuestHasItsOwn) {
  const TemporaryRootfs rootfs;
  const std::string system = "/etc/systemd/system/";
  rootfs.put(system + "sys-kernel-config.mount", "[Mount]\n");
  mask_kernel_units(rootfs.root());
  EXPECT_EQ("[Mount]\n", rootfs.get(system + "sys-kernel-config.mount"));
  EXPECT_EQ("/dev/null", rootfs.root().read_link(system + "sys-kernel-debug.mount"));
  EXPECT_EQ("/dev/null", rootfs.root().read_link(system + "systemd-modules-load.service"));
}

TEST(Presets, SortedByUnit) {
  const TemporaryRootfs rootfs;
  write_presets(rootfs.root(), {{"systemd-networkd.service", true}});
  const std::string text = rootfs.get("/etc/systemd/system-preset/00-pve.preset");
  EXPECT_EQ('#', text[0]);
  EXPECT_EQ(
      "enable container-getty@.service\n"
      "disable getty@.service\n"
      "disable sys-kernel-config.mount\n"
      "disable sys-kernel-debug.mount\n"
      "enable systemd-networkd.service\n",
      text.substr(text.find('\n') + 1));
}

TEST(Securetty, MissingLinesAreAppended) {
  const TemporaryRootfs rootfs;
  allow_root_on_ttys(rootfs.root(), "");
  EXPECT_FALSE(rootfs.exists("/etc/securetty"));
  rootfs.put("/etc/securetty", "console\ntty2");
  allow_root_on_ttys(rootfs.root(), "", "pts/0");
  EXPECT_EQ("console\ntty2\ntty1\ntty3\ntty4\npts/0\n", rootfs.get("/etc/securetty"));
  rootfs.put("/etc/securetty", "");
  allow_root_on_ttys(rootfs.root(), "lxc/");
  EXPECT_EQ("lxc/console\nlxc/tty1\nlxc/tty2\nlxc/tty3\nlxc/tty4\n", rootfs.get("/etc/securetty"));
}

TEST(InitSystem, SystemdAndItsVersion) {
  const TemporaryRootfs rootfs;
  EXPECT_FALSE(detect_init(rootfs.root()).systemd);
  rootfs.put("/usr/lib/systemd/systemd",
             "\x7f"
             "ELF" +
                 std::string(100000, '\0') + "libsystemd-shared-252.so",
             0755);
  rootfs.link("usr/lib", "/lib");
  rootfs.link("/lib/systemd/systemd", "/sbin/init");
  const auto init = detect_init(rootfs.root());
  EXPECT_TRUE(init.systemd);
  EXPECT_EQ(252, init.systemd_version);
  rootfs.put("/usr/lib/systemd/systemd", "libsystemd-shared-", 0755);
  EXPECT_EQ(std::nullopt, detect_init(rootfs.root()).systemd_version);
}

TEST(InitSystem, Checks) {
  const auto nesting = [](std::optional<int> version, bool on) {
    Report report;
    check_nesting({version.has_value(), version}, on, report);
    return report.warnings.size();
  };
  EXPECT_EQ(0U, nesting(std::nullopt, false));
  EXPECT_EQ(0U, nesting(241, false));
  EXPECT_EQ(1U, nesting(242, false));
  EXPECT_EQ(0U, nesting(252, true));
  const auto cgroup2 = [](std::optional<int> version, OsType type) {
    Report report;
    check_cgroup_v2({version.has_value(), version}, type, report);
    return report.warnings.size();
  };
  EXPECT_EQ(1U, cgroup2(std::nullopt, OsType::debian));
  EXPECT_EQ(1U, cgroup2(231, OsType::debian));
  EXPECT_EQ(0U, cgroup2(232, OsType::debian));
  EXPECT_EQ(0U, cgroup2(std::nullopt, OsType::alpine));
  EXPECT_EQ(0U, cgroup2(std::nullopt, OsType::devuan));
}

TEST(MachineId, CreateRemovesCloneEmpties) {
  const TemporaryRootfs rootfs;
  const InitSystem systemd{true, 252};
  rootfs.put("/etc/machine-id", "0123\n");
  rootfs.put("/var/lib/dbus/machine-id", "0123\n");
  renew_machine_id(rootfs.root(), {});
  EXPECT_EQ("0123\n", rootfs.get("/etc/machine-id"));
  renew_machine_id(rootfs.root(), systemd);
  EXPECT_EQ("\n", rootfs.get("/etc/machine-id"));
  EXPECT_FALSE(rootfs.exists("/var/lib/dbus/machine-id"));
  rootfs.put("/etc/machine-id", "uninitialized\n");
  renew_machine_id(rootfs.root(), systemd);
  EXPECT_EQ("uninitialized\n", rootfs.get("/etc/machine-id"));
  rootfs.link("/etc/machine-id", "/var/lib/dbus/machine-id");
  clear_machine_id(rootfs.root(), systemd);
  EXPECT_FALSE(rootfs.exists("/etc/machine-id"));
  EXPECT_TRUE(rootfs.exists("/var/lib/dbus/machine-id"));
  renew_machine_id(rootfs.root(), systemd);
  EXPECT_FALSE(rootfs.exists("/etc/machine-id"));
}

TEST(Snakeoil, KeyIsReplacedAtTheFirstBoot) {
  const TemporaryRootfs rootfs;
  Report report;
  const std::string key = "/etc/ssl/private/ssl-cert-snakeoil.key";
  const std::string unit = "/etc/systemd/system/proxmox-regenerate-snakeoil.service";
  replace_snakeoil_key(rootfs.root(), {true, 252}, report);
  EXPECT_FALSE(rootfs.exists(unit));
  rootfs.put(key, "known to everyone");
  replace_snakeoil_key(rootfs.root(), {true, 252}, report);
  EXPECT_FALSE(rootfs.exists(key));
  EXPECT_NE(std::string::npos, rootfs.get(unit).find("make-ssl-cert -f generate-default-snakeoil\n"));
  EXPECT_EQ(unit,
            rootfs.root().read_link(
                "/etc/systemd/system/first-boot-complete.target.wants/proxmox-regenerate-snakeoil.service"));
  EXPECT_TRUE(report.warnings.empty());
  rootfs.put(key, "known to everyone");
  replace_snakeoil_key(rootfs.root(), {}, report);
  EXPECT_FALSE(rootfs.exists(key));
  EXPECT_EQ(1U, report.warnings.size());
}

}  // namespace
}  // namespace hutch::guest
