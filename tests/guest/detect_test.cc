#include "guest/detect.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

// "<type> <major>.<minor>[ warned]", or "error: ...".
std::string detected(const Files& files, const std::string& configured = "") {
  const TemporaryRootfs rootfs;
  for (const auto& [path, content] : files) rootfs.put(path, content);
  Report report;
  try {
    const auto os = detect_os(rootfs.root(), configured, report);
    return std::string(os_type_name(os.type)) + " " + os.version.text() +
           (report.warnings.empty() ? "" : " warned");
  } catch (const Error& failed) {
    return std::string("error: ") + failed.action();
  }
}

Files with_id(const std::string& id, Files more = {}) {
  more.emplace_back("/etc/os-release", "ID=" + id + "\n");
  return more;
}

TEST(Detect, ById) {
  EXPECT_EQ("debian 12.5", detected(with_id("debian", {{"/etc/debian_version", "12.5\n"}})));
  EXPECT_EQ("devuan 12.0", detected(with_id("devuan", {{"/etc/devuan_version", "Daedalus\n"}})));
  EXPECT_EQ("archlinux 0.0", detected(with_id("arch")));
  EXPECT_EQ("nixos 0.0", detected(with_id("nixos")));
  EXPECT_EQ("unmanaged 0.0", detected(with_id("unmanaged")));
  EXPECT_EQ("alpine 3.19", detected(with_id("alpine", {{"/etc/alpine-release", "3.19.1\n"}})));
  EXPECT_EQ("centos 9.3",
            detected(with_id("\"rocky\"", {{"/etc/redhat-release", "Rocky Linux release 9.3 (Blue)\n"}})));
  EXPECT_EQ("centos 8.0", detected(with_id("almalinux", {{"/etc/redhat-release", "AlmaLinux release 8\n"}})));
  EXPECT_EQ("fedora 40.0", detected(with_id("fedora\nVERSION_ID=40")));
  EXPECT_EQ("openeuler 24.3", detected(with_id("openEuler\nVERSION_ID=\"24.03\"")));
  EXPECT_EQ("opensuse 15.6", detected(with_id("\"opensuse-leap\"\nVERSION_ID=15.6")));
  EXPECT_EQ("opensuse 20240101.0", detected(with_id("opensuse-tumbleweed\nVERSION_ID=\"20240101\"")));
  EXPECT_EQ("opensuse 12.5", detected(with_id("sles\nVERSION_ID=\"12.5\"")));
  EXPECT_EQ("gentoo 2.15",
            detected(with_id("gentoo", {{"/etc/gentoo-release", "Gentoo Base System release 2.15\n"}})));
  EXPECT_EQ(
      "ubuntu 24.4",
      detected(with_id("ubuntu", {{"/etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n"}})));
}

TEST(Detect, UsrLibOsReleaseAndSymlinks) {
  EXPECT_EQ("archlinux 0.0", detected({{"/usr/lib/os-release", "ID=arch\n"}}));
  const TemporaryRootfs rootfs;
  rootfs.put("/usr/lib/os-release", "ID=arch\n");
  rootfs.link("../usr/lib/os-release", "/etc/os-release");
  Report report;
  EXPECT_EQ(OsType::archlinux, detect_os(rootfs.root(), "", report).type);
}

TEST(Detect, Fallback) {
  EXPECT_EQ("debian 11.0 warned", detected(with_id("kali", {{"/etc/debian_version", "11\n"}})));
  EXPECT_EQ("ubuntu 14.4", detected({{"/etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\n"},
                                     {"/etc/debian_version", "jessie/sid\n"}}));
  EXPECT_EQ("debian 7.1", detected({{"/etc/debian_version", "7.1\n"}, {"/etc/devuan_version", "jessie"}}));
  EXPECT_EQ("devuan 8.0", detected({{"/etc/devuan_version", "jessie\n"}}));
  EXPECT_EQ("centos 6.10",
            detected({{"/etc/centos-release", "x"}, {"/etc/redhat-release", "CentOS release 6.10 (Final)"}}));
  EXPECT_EQ("archlinux 0.0", detected({{"/etc/arch-release", ""}}));
  EXPECT_EQ("alpine 3.2", detected({{"/etc/alpine-release", "3.2.0"}}));
  EXPECT_EQ("gentoo 2.2", detected({{"/etc/gentoo-release", "Gentoo Base System release 2.2"}}));
  EXPECT_EQ("nixos 0.0", detected({{"/nix/store/x", ""}}));
  EXPECT_EQ("error: unsupported opensuse release '' in the container", detected({{"/etc/SuSE-release", ""}}));
  EXPECT_EQ("error: unsupported fedora release '' in the container", detected({{"/etc/fedora-release", ""}}));
  EXPECT_EQ("error: unsupported openeuler release '' in the container",
            detected({{"/etc/openEuler-release", ""}}));
  EXPECT_EQ("error: unable to detect OS distribution", detected(with_id("plan9")));
  EXPECT_EQ("unmanaged 0.0 warned", detected({}));
}

TEST(Detect, ConfiguredType) {
  EXPECT_EQ("unmanaged 0.0", detected(with_id("plan9"), "unmanaged"));
  EXPECT_EQ("archlinux 0.0", detected(with_id("arch"), "archlinux"));
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/os-release", "ID=arch\n");
  Report report;
  EXPECT_EQ(OsType::archlinux, detect_os(rootfs.root(), "debian", report).type);
  EXPECT_EQ(std::vector<std::string>{"got unexpected ostype (archlinux != debian)"}, report.warnings);
  const TemporaryRootfs empty;
  std::filesystem::remove(empty.path("/etc"));
  Report unmounted;
  EXPECT_EQ(OsType::unmanaged, detect_os(empty.root(), "debian", unmounted).type);
  EXPECT_NE(std::string::npos, unmounted.warnings.back().find("mounted"));
}

TEST(Detect, DebianVersions) {
  const auto debian = [](const std::string& text) {
    return detected(with_id("debian", {{"/etc/debian_version", text}}));
  };
  EXPECT_EQ("debian 4.0", debian("4.0"));
  EXPECT_EQ("error: unsupported debian release '3.1' in the container", debian("3.1\n"));
  EXPECT_EQ("error: unsupported debian release 'woody' in the container", debian("woody\n"));
  EXPECT_EQ("debian 13.0", debian("trixie/sid\n"));
  EXPECT_EQ("debian 14.0", debian("forky/sid\n"));
  EXPECT_EQ("debian 15.0 warned", debian("duke/sid\n"));
  EXPECT_EQ("debian 15.1 warned", debian("15.1\n"));
  EXPECT_EQ("debian 12.0", debian("kali-rolling\n"));
  EXPECT_EQ("error: cannot tell the debian release: the container has no file '/etc/debian_version'",
            detected(with_id("debian")));
}

TEST(Detect, DevuanAndUbuntuVersions) {
  const auto devuan = [](const std::string& text) {
    return detected(with_id("devuan", {{"/etc/devuan_version", text}}));
  };
  EXPECT_EQ("devuan 13.0", devuan("excalibur/ceres\n"));
  EXPECT_EQ("devuan 9.0", devuan("ascii\n"));
  EXPECT_EQ("error: unsupported devuan release 'jessie/ceres' in the container", devuan("jessie/ceres\n"));
  const auto ubuntu = [](const std::string& release) {
    return detected({{"/etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=" + release + "\n"}});
  };
  EXPECT_EQ("ubuntu 12.4", ubuntu("12.04"));
  EXPECT_EQ("error: unsupported ubuntu release '12.10' in the container", ubuntu("12.10"));
  EXPECT_EQ("error: unsupported ubuntu release '10.04' in the container", ubuntu("10.04"));
  EXPECT_EQ("ubuntu 15.10", ubuntu("15.10"));
  EXPECT_EQ("ubuntu 26.10", ubuntu("26.10"));
  EXPECT_EQ("ubuntu 27.4 warned", ubuntu("27.04"));
  EXPECT_EQ("error: unsupported ubuntu release '16.11' in the container", ubuntu("16.11"));
}

TEST(Detect, OtherVersionRanges) {
  const auto redhat = [](const std::string& version) {
    return detected(with_id("centos", {{"/etc/redhat-release", "X release " + version}})).substr(0, 6);
  };
  EXPECT_EQ("error:", redhat("4.9"));
  EXPECT_EQ("centos", redhat("5"));
  EXPECT_EQ("centos", redhat("10.1"));
  EXPECT_EQ("error:", redhat("11"));
  const auto suse = [](const std::string& version) {
    return detected(with_id("opensuse\nVERSION_ID=\"" + version + "\"")).substr(0, 6);
  };
  for (const auto* good : {"13.0", "13.2", "15.0", "16.1", "42.3", "20170101"})
    EXPECT_EQ("opensu", suse(good)) << good;
  for (const auto* bad : {"13.3", "12.5", "14.0", "20161231", ""}) EXPECT_EQ("error:", suse(bad)) << bad;
  EXPECT_EQ("error:", detected(with_id("fedora\nVERSION_ID=21")).substr(0, 6));
  EXPECT_EQ("error:", detected(with_id("openeuler\nVERSION_ID=22.03")).substr(0, 6));
  EXPECT_EQ("error:", detected(with_id("gentoo", {{"/etc/gentoo-release", "other"}})).substr(0, 6));
}

std::string elf(std::uint16_t machine, bool wide) {
  std::string header(64, '\0');
  header.replace(0, 7,
                 std::string("\x7f"
                             "ELF") +
                     (wide ? '\2' : '\1') + "\1\1");
  header[18] = static_cast<char>(machine & 0xff);
  header[19] = static_cast<char>(machine >> 8);
  return header;
}

TEST(Architecture, Machines) {
  const auto architecture = [](const std::string& content) {
    const TemporaryRootfs rootfs;
    rootfs.put("/bin/sh", content);
    Report report;
    const auto name = detect_architecture(rootfs.root(), OsType::debian, report);
    if (report.warnings.empty()) {
      EXPECT_EQ(std::vector{"Detected container architecture: " + name}, report.lines);
    }
    return name + (report.warnings.empty() ? "" : " warned");
  };
  EXPECT_EQ("i386", architecture(elf(0x03, false)));
  EXPECT_EQ("amd64", architecture(elf(0x3e, true)));
  EXPECT_EQ("armhf", architecture(elf(0x28, false)));
  EXPECT_EQ("arm64", architecture(elf(0xb7, true)));
  EXPECT_EQ("riscv32", architecture(elf(0xf3, false)));
  EXPECT_EQ("riscv64", architecture(elf(0xf3, true)));
  EXPECT_EQ("amd64 warned", architecture(elf(0x1234, true)));
  EXPECT_EQ("amd64 warned", architecture("#!x"));
}

TEST(Architecture, NixosAndMissing) {
  const TemporaryRootfs rootfs;
  rootfs.put("/nix/store/bash", elf(0xb7, true));
  rootfs.put("/sbin/init", "#! /nix/store/bash -e\n");
  Report report;
  EXPECT_EQ("arm64", detect_architecture(rootfs.root(), OsType::nixos, report));
  EXPECT_EQ("amd64", detect_architecture(rootfs.root(), OsType::debian, report));
  EXPECT_NE(std::string::npos, report.warnings.at(0).find("Falling back to amd64."));
}

}  // namespace
}  // namespace hutch::guest
