#include <gtest/gtest.h>

#include "guest/crontab.h"
#include "guest/hostname.h"
#include "guest/resolv_conf.h"
#include "guest/timezone.h"
#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

const std::string kBegin = "# --- BEGIN PVE ---\n";
const std::string kEnd = "# --- END PVE ---\n";
const std::string kLocal = "127.0.0.1 localhost.localnet localhost\n::1 localhost.localnet localhost\n";

TEST(Hostname, Styles) {
  const TemporaryRootfs rootfs;
  const GuestRoot root = rootfs.root();
  write_hostname(root, "web.example.com", HostnameStyle::short_name);
  EXPECT_EQ("web\n", rootfs.get("/etc/hostname"));
  write_hostname(root, "", HostnameStyle::short_name);
  EXPECT_EQ("localhost\n", rootfs.get("/etc/hostname"));
  write_hostname(root, "web.example.com", HostnameStyle::full_name);
  EXPECT_EQ("web.example.com\n", rootfs.get("/etc/hostname"));
  EXPECT_FALSE(rootfs.exists("/etc/sysconfig/network"));
  rootfs.put("/etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=old\nX=1");
  write_hostname(root, "a.b", HostnameStyle::full_name);
  EXPECT_EQ("NETWORKING=yes\nHOSTNAME=a.b\nX=1\n", rootfs.get("/etc/sysconfig/network"));
  rootfs.put("/etc/sysconfig/network", "");
  write_hostname(root, "a.b", HostnameStyle::full_name);
  EXPECT_EQ("HOSTNAME=a.b\n", rootfs.get("/etc/sysconfig/network"));
  rootfs.put("/etc/conf.d/x", "");
  write_hostname(root, "a.b", HostnameStyle::gentoo);
  EXPECT_EQ("hostname=\"a\"\n", rootfs.get("/etc/conf.d/hostname"));
}

// The worked example.
TEST(Hosts, OfTheSpecification) {
  const TemporaryRootfs rootfs;
  GuestSettings settings{.hostname = "test9", .search_domains = {"example.com"}};
  settings.interfaces = {{.index = 0, .name = "eth0", .ip = "10.0.0.100/32", .gw = "11.0.0.1"}};
  write_hosts(rootfs.root(), settings);
  const std::string expected = kBegin + kLocal + "10.0.0.100 test9.example.com test9\n" + kEnd;
  EXPECT_EQ(expected, rootfs.get("/etc/hosts"));
  write_hosts(rootfs.root(), settings);
  EXPECT_EQ(expected, rootfs.get("/etc/hosts"));
}

TEST(Hosts, LocalhostLinesOutsideTheSectionAreNotRepeated) {
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1 oldname\n");
  write_hosts(rootfs.root(), {.hostname = "web.example.com"});
  EXPECT_EQ("127.0.0.1\tlocalhost\n127.0.1.1 oldname\n" + kBegin +
                "::1 localhost.localnet localhost\n127.0.1.1 web.example.com web\n" + kEnd,
            rootfs.get("/etc/hosts"));
  EXPECT_EQ("127.0.1.1 w\n", hosts_section("127.0.0.1 a\n::1 b\n", {.hostname = "w"}, {}));
  EXPECT_EQ(kLocal + "127.0.1.1 w\n", hosts_section("127.0.0.11 a\n#::1 b\n", {.hostname = "w"}, {}));
}

TEST(Hosts, AddressAndNames) {
  const auto last = [](const GuestSettings& settings, const std::vector<std::string>& domains = {}) {
    return hosts_section("127.0.0.1 a\n::1 b\n", settings, domains);
  };
  GuestSettings settings{.hostname = "w"};
  settings.interfaces = {{.index = 1, .name = "eth1", .ip = "10.0.0.9/24"},
                         {.index = 0, .name = "eth0", .ip = "dhcp", .ip6 = "fd00::2/64"}};
  EXPECT_EQ("fd00::2 w.a.org w.b.org w\n", last(settings, {"a.org", "b.org"}));
  settings.interfaces[1].ip6 = "auto";
  EXPECT_EQ("127.0.1.1 w\n", last(settings));
  EXPECT_EQ("127.0.1.1 localhost\n", last({}, {"a.org"}));
  settings = {.hostname = "localhost"};
  settings.interfaces = {{.index = 0, .name = "eth0", .ip = "10.0.0.9/24"}};
  EXPECT_EQ("10.0.0.9 localhost.a.org localhost\n", last(settings, {"a.org"}));
}

TEST(Hosts, TemplateLineIsDropped) {
  const TemporaryRootfs rootfs;
  remove_template_host(rootfs.root());
  rootfs.put("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1   LXC_NAME\nx");
  remove_template_host(rootfs.root());
  EXPECT_EQ("127.0.0.1 localhost\nx", rootfs.get("/etc/hosts"));
}

TEST(ResolvConf, HostValues) {
  const auto dns = parse_resolv_conf(
      "# c\nsearch a.org b.org\nnameserver 1.1.1.1\nnameserver 2.2.2.2\ndomain c.org\nnameserver fd00::3\n"
      "nameserver 4.4.4.4\noptions edns0\nnameserver\n");
  EXPECT_EQ((std::vector<std::string>{"c.org"}), dns.search_domains);
  EXPECT_EQ((std::vector<std::string>{"1.1.1.1", "2.2.2.2", "fd00::3"}), dns.nameservers);
}

TEST(ResolvConf, EachMissingValueComesFromTheHost) {
  GuestSettings settings{.nameservers = {"9.9.9.9"},
                         .host_resolv_conf = "search h.org\nnameserver 1.1.1.1\n"};
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/resolv.conf", "the template's\n");
  write_resolv_conf(rootfs.root(), effective_dns(settings));
  EXPECT_EQ(kBegin + "search h.org\nnameserver 9.9.9.9\n" + kEnd, rootfs.get("/etc/resolv.conf"));
  settings.nameservers.clear();
  settings.search_domains = {"a.org", "b.org"};
  rootfs.put("/etc/resolv.conf", "options x\n" + rootfs.get("/etc/resolv.conf"));
  write_resolv_conf(rootfs.root(), effective_dns(settings));
  EXPECT_EQ("options x\n" + kBegin + "search a.org b.org\nnameserver 1.1.1.1\n" + kEnd,
            rootfs.get("/etc/resolv.conf"));
}

TEST(Timezone, LinkAndName) {
  const TemporaryRootfs rootfs;
  Report report;
  rootfs.put("/usr/share/zoneinfo/Europe/Vienna", "TZif");
  rootfs.put("/etc/timezone", "Etc/UTC\n");
  rootfs.put("/etc/localtime", "copy");
  write_timezone(rootfs.root(), "", "", report);
  EXPECT_EQ("copy", rootfs.get("/etc/localtime"));
  write_timezone(rootfs.root(), "Europe/Vienna", "", report);
  EXPECT_EQ("/usr/share/zoneinfo/Europe/Vienna", rootfs.root().read_link("/etc/localtime"));
  EXPECT_EQ("Europe/Vienna\n", rootfs.get("/etc/timezone"));
  EXPECT_TRUE(report.warnings.empty());
}

TEST(Timezone, LeadsThereAlreadyByAnotherLink) {
  const TemporaryRootfs rootfs;
  Report report;
  rootfs.put("/usr/share/zoneinfo/Europe/Vienna", "TZif");
  rootfs.link("../usr/share/zoneinfo/Europe/Vienna", "/etc/localtime");
  write_timezone(rootfs.root(), "host", "/usr/share/zoneinfo/Europe/Vienna", report);
  EXPECT_EQ("../usr/share/zoneinfo/Europe/Vienna", rootfs.root().read_link("/etc/localtime"));
  EXPECT_FALSE(rootfs.exists("/etc/timezone"));
}

TEST(Timezone, MissingZoneWarns) {
  const TemporaryRootfs rootfs;
  Report report;
  write_timezone(rootfs.root(), "Mars/Olympus", "", report);
  write_timezone(rootfs.root(), "host", "/etc/localtime", report);
  EXPECT_EQ(2U, report.warnings.size());
  EXPECT_FALSE(rootfs.exists("/etc/localtime"));
}

TEST(Crontab, OnlyNumericMinutesOfRoot) {
  const std::string before =
      "SHELL=/bin/sh\n"
      "17 *\t* * *\troot\tcd / && run-parts\n"
      "25 6 * * * www-data x\n"
      "*/5 * * * * root x\n"
      "# 1 2 3 4 5 root x\n"
      "5 * * * * root y";
  EXPECT_EQ(
      "SHELL=/bin/sh\n"
      "42 *\t* * *\troot\tcd / && run-parts\n"
      "25 6 * * * www-data x\n"
      "*/5 * * * * root x\n"
      "# 1 2 3 4 5 root x\n"
      "42 * * * * root y",
      randomize_minutes(before, [] { return 42U; }));
}

TEST(Crontab, FilesByName) {
  const TemporaryRootfs rootfs;
  for (const auto* name : {"/etc/crontab", "/etc/cron.d/e2scrub_all", "/etc/cron.d/x.dpkg-old"}) {
    rootfs.put(name, "99 * * * * root x\n");
  }
  randomize_crontabs(rootfs.root());
  EXPECT_NE("99 * * * * root x\n", rootfs.get("/etc/crontab"));
  EXPECT_NE("99 * * * * root x\n", rootfs.get("/etc/cron.d/e2scrub_all"));
  EXPECT_EQ("99 * * * * root x\n", rootfs.get("/etc/cron.d/x.dpkg-old"));
}

}  // namespace
}  // namespace hutch::guest
