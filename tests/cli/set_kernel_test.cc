#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/format.h"
#include "cli/private_mounts.h"
#include "config/container_config.h"
#include "netlink/link.h"
#include "netlink/socket.h"
#include "tests/cli/command_line.h"

// `pct set` and `pct pending` on containers that do not run, from the command line to the config file. They
// need root because pct refuses to run without.
namespace hutch::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::run_pct;
using testing::run_pct_process;
using ::testing::StartsWith;
using testing::TemporaryHost;

constexpr unsigned kVmid = 2100;
constexpr const char* kBase = "arch: amd64\nmemory: 512\nostype: debian\nrootfs: /srv\n";

class Set : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: geteuid() is not 0";
    host.add_container(kVmid, kBase);
  }
  Outcome set(std::vector<std::string> words) {
    words.insert(words.begin(), {"set", std::to_string(kVmid)});
    return run_pct(host, words);
  }
  void expect_done(const std::vector<std::string>& words) {
    const auto outcome = set(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  // Refused with `status` and a message that has `text`; the file is as before.
  void expect_refused(const std::vector<std::string>& words, const std::string& text, int status = 255) {
    const std::string before = config();
    const auto outcome = set(words);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(text));
    EXPECT_EQ(config(), before);
  }
  std::string config() const { return host.config(kVmid); }
  void write_config(const std::string& text) const { host.add_container(kVmid, text); }
  std::string image(const std::string& name) const {
    return host.path("var/lib/vz/images/" + std::to_string(kVmid) + "/" + name);
  }
  void make_subvol(int disk) const {
    std::filesystem::create_directories(image("subvol-2100-disk-" + std::to_string(disk) + ".subvol/x"));
  }
  static std::string subvol(int disk) {
    return "local:2100/subvol-2100-disk-" + std::to_string(disk) + ".subvol";
  }

  TemporaryHost host;
};

TEST_F(Set, StoresValuesInTheirNormalForm) {
  expect_done({"--cores",        "02",
               "--onboot",       "yes",
               "--nameserver",   "10.0.0.1,8.8.8.8",
               "--nameserver",   "::1",
               "--searchdomain", "a.org;b.org",
               "--tags",         "Web;db,web",
               "--cpuunits",     "20000",
               "--description",  "two\nlines: 100%",
               "--mem",          "+1024",
               "--features",     "nesting=on"});
  EXPECT_EQ(
      config(),
      "#two\n#lines%3A 100%25\narch: amd64\ncores: 2\ncpuunits: 10000\nfeatures: nesting=1\nmemory: 1024\n"
      "nameserver: 10.0.0.1 8.8.8.8 ::1\nonboot: 1\nostype: debian\nrootfs: /srv\n"
      "searchdomain: a.org b.org\ntags: db;web\n");
}

TEST_F(Set, FillsInTheMacAndKeepsAGivenOne) {
  expect_done({"--net0", "name=eth0,bridge=vmbr0", "--net10", "name=a,hwaddr=02:00:00:00:00:01"});
  EXPECT_THAT(config(),
              ContainsRegex("\nnet0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11(:[0-9A-F]{2}){3},type=veth\n"));
  EXPECT_THAT(config(), HasSubstr("\nnet10: name=a,hwaddr=02:00:00:00:00:01,type=veth\n"));
  expect_done({"--delete", "net10"});
  EXPECT_THAT(config(), Not(HasSubstr("net10")));
}

TEST_F(Set, MistakesAsANewUserMakesThem) {
  const struct {
    std::vector<std::string> words;
    const char* text;
  } cases[] = {
      {{}, "no options specified"},
      {{"--digest", "abc"}, "no options specified"},
      {{"--memory", "1G"}, "memory: '1G' is not a whole number"},
      {{"--memory", "8"}, "memory: the value must not be below 16"},
      {{"--memory", "-512"}, "memory: the value must not be below 16"},
      {{"--memory", "17592186044416"}, "memory: the value must not be above 17592186044415"},
      {{"--swap", "17592186044416"}, "swap: the value must not be above 17592186044415"},
      {{"--cores", "0"}, "cores: the value must not be below 1"},
      {{"--cores", "two"}, "cores: 'two' is not a whole number"},
      {{"--cpulimit", "50%"}, "cpulimit: '50%' is not a number"},
      {{"--hostname", "my_host"}, "hostname: 'my_host' is not a DNS name"},
      {{"--hostname", ""}, "hostname: "},
      {{"--nameserver", "dns.example"}, "nameserver: 'dns.example' is not an IP address"},
      {{"--timezone", "Nope/X"}, "is no time zone"},
      {{"--net0", "bridge=vmbr0"}, "net0: "},
      {{"--net0", "name=eth0,bridge=vmbr0,ip=10.0.0.5"}, "net0: "},
      {{"--net0", "name=eth0,hwaddr=01:00:00:00:00:01"}, "net0: "},
      {{"--net32", "name=eth0"}, "Unknown option: net32"},
      {{"--mp0", "/srv"}, "mp0: "},
      {{"--mp0", "/srv,mp=/a,size=big"}, "mp0: "},
      {{"--mp0", "/srv,mp=/a,idmap=u:0:0:2;u:1:9:1"}, "mp0: "},
      {{"--mp0", "nosuch:8,mp=/a"}, "nosuch"},
      {{"--rootfs", "local:8"}, "cannot be replaced by an empty one"},
      {{"--rootfs", "nosuch:100/vm-100-disk-0.raw"}, "nosuch"},
      {{"--dev0", "fuse"}, "dev0: "},
      {{"--dev0", "/dev/nosuch"}, "/dev/nosuch"},
      {{"--dev0", "/dev/shm"}, "is not a device"},
      {{"--hookscript", "local:snippets/no.sh"}, "no.sh"},
      {{"--hookscript", "local:vztmpl/a.tar"}, "is not a snippet"},
      {{"--ostype", "windows"}, "ostype: 'windows' is none of"},
      {{"--lock", "mine"}, "lock: 'mine' is none of"},
      {{"--onboot", "maybe"}, "400 unable to parse boolean option"},
      {{"--startup", "soon"}, "startup: "},
      {{"--frobnicate", "1"}, "Unknown option: frobnicate"},
      {{"--parent", "x"}, "Unknown option: parent"},
      {{"--memory"}, "Option memory requires an argument"},
      {{"memory=512"}, "400 too many arguments"},
      {{"--unprivileged", "1"}, "unable to modify read-only option 'unprivileged'"},
      {{"--delete", "memory"}, "unable to delete required option 'memory'"},
      {{"--delete", "rootfs,ostype"}, "unable to delete required option 'rootfs'"},
      {{"--delete", "hostnam"}, "unknown option 'hostnam'"},
      {{"--delete", "net"}, "unknown option 'net'"},
      {{"--delete", "parent"}, "unknown option 'parent'"},
      {{"--revert", "all"}, "unknown option 'all'"},
      {{"--memory", "64", "--delete", "memory"},
       "'memory' cannot be set and be in --delete at the same time"},
      {{"--memory", "64", "--revert", "memory"},
       "'memory' cannot be set and be in --revert at the same time"},
      {{"--delete", "tty", "--revert", "tty"}, "'tty' cannot be deleted and reverted at the same time"},
      {{"--net0", "name=eth0,ip6=auto,host-managed=1"}, "ip6=auto cannot be combined with host-managed"},
      {{"--digest", std::string(41, 'a'), "--memory", "64"}, "digest: "},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.words.empty() ? "" : c.words.front() + " " + c.words.back());
    const std::string before = config();
    const auto outcome = set(c.words);
    EXPECT_NE(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr(c.text));
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(config(), before);
  }
}

TEST_F(Set, WhatTwoOptionsCannotHaveInCommonIsRefused) {
  std::filesystem::create_directories(image(""));
  host.write("var/lib/vz/images/2100/vm-2100-disk-5.raw", "x");
  const std::string disk = "local:2100/vm-2100-disk-5.raw";
  write_config(std::string(kBase) + "mp0: " + disk + ",mp=/a\nnet0: name=eth0,bridge=vmbr0\n");
  expect_refused(
      {"--net1", "name=eth0,bridge=vmbr0"},
      "the interface name 'eth0' is that of net0 already [--net1]; give every interface its own name");
  expect_refused({"--net1", "name=lan0", "--net2", "name=lan0"},
                 "the interface name 'lan0' is that of net1 already [--net2]");
  expect_refused({"--net1", "name=lo"}, "'lo' is the name of the container's loopback [--net1]");
  for (const char* path : {"/", "//", "/./"}) {
    const auto outcome = set({"--mp1", formatted("/srv,mp={}", path)});
    EXPECT_NE(outcome.status, 0) << path;
  }
  expect_refused({"--mp1", "/srv,mp=//"}, "'//' is where the rootfs is mounted [--mp1]; give a path");
  expect_refused(
      {"--mp1", disk + ",mp=/b"},
      "volume '" + disk + "' is that of mp0 already, and mounted twice it would be damaged [--mp1]");
  expect_refused({"--rootfs", disk}, "is that of mp0 already");
  EXPECT_THAT(set({"--mp2", "/opt,mp=/a/"}).err,
              HasSubstr("WARN: --mp2: mp0 is mounted on '/a/', too; one hides the other\n"));
  // What goes is in nobody's way.
  expect_done({"--delete", "mp0,net0", "--mp1", disk + ",mp=/b", "--net1", "name=eth0"});
}

TEST_F(Set, TheMtuHasToFitTheBridge) {
  const std::string bridge = "hset" + std::to_string(::getpid() % 1000000);
  netlink::Socket socket;
  netlink::create_bridge(socket, bridge);
  expect_refused({"--net0", "name=eth0,mtu=9000,bridge=" + bridge}, "MTU 9000 is larger than that of bridge");
  expect_done({"--net0", "name=eth0,mtu=1400,bridge=" + bridge});
  netlink::delete_link(socket, bridge);
}

TEST_F(Set, OneMistakeKeepsTheRestFromBeingStored) {
  expect_refused({"--hostname", "web", "--onboot", "1", "--dev0", "/dev/nosuch"}, "ENOENT", ENOENT);
  const auto outcome = set({"--memory", "8", "--cores", "0", "--hostname", "good"});
  EXPECT_THAT(outcome.err,
              StartsWith("400 Parameter verification failed.\ncores: the value must not be below 1\n"
                         "memory: the value must not be below 16\npct set <vmid> [OPTIONS]\n"));
}

TEST_F(Set, ChecksComeInTheirOrder) {
  write_config(std::string(kBase) + "lock: backup\n");
  expect_refused({"--digest", "0", "--delete", "nosuch"}, "CT is locked (backup)");
  write_config(kBase);
  expect_refused({"--digest", "0", "--delete", "nosuch"}, "was modified meanwhile");
  expect_refused({"--delete", "nosuch", "--unprivileged", "1"}, "unknown option 'nosuch'");
  EXPECT_EQ(run_pct(host, {"set", "2101", "--memory", "64"}).status, ENOENT);
}

TEST_F(Set, TheDigestIsTheFiles) {
  const auto digest = [&] {
    hutch::config::Diagnostics diagnostics;
    return hutch::config::read_config(config(), "2100.conf", kVmid, diagnostics).digest;
  };
  const std::string first = digest();
  expect_done({"--memory", "1024", "--digest", first});
  expect_refused({"--memory", "2048", "--digest", first}, "was modified meanwhile");
  expect_done({"--memory", "2048", "--digest", digest()});
}

TEST_F(Set, ReadsWhatPeopleWroteAndLosesNothing) {
  write_config(
      "memory: lots\nnonsense here\nunknown: kept\nlxc.cap.drop: sys_time\n\n[x]\ny\n\n[snap]\nmemory: 16\n");
  const auto outcome = set({"--cores", "1"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err,
              HasSubstr("WARN: 2100.conf:1: CT 2100: option 'memory': 'lots' is not a whole number"));
  EXPECT_THAT(outcome.err, HasSubstr("WARN: 2100.conf:2: "));
  EXPECT_EQ(
      config(),
      "cores: 1\nmemory: lots\nunknown: kept\nlxc.cap.drop: sys_time\nnonsense here\n\n[snap]\nmemory: 16\n\n"
      "[x]\ny\n");
}

TEST_F(Set, DeletesAndTheirWarning) {
  expect_done({"--hostname", "web", "--cores", "1", "--description", "text"});
  expect_done({"--delete", "hostname;cores", "--description", ""});
  EXPECT_EQ(config(), kBase);
  const auto outcome = set({"--delete", "hostname", "--onboot", "1"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(
      outcome.err,
      "WARN: cannot delete 'hostname' - not set in the configuration\nTask finished with 1 warning(s)!\n");
  EXPECT_THAT(config(), HasSubstr("onboot: 1\n"));
}

TEST_F(Set, OfAnOptionGivenTwiceTheLineThatCountsIsChangedAndBothAreDeleted) {
  write_config("arch: amd64\ncores: 1\ncores: 2\nmemory: 64\nmemory: 128\nostype: debian\nrootfs: /srv\n");
  expect_done({"--memory", "256"});
  EXPECT_EQ(config(),
            "arch: amd64\ncores: 1\ncores: 2\nmemory: 64\nmemory: 256\nostype: debian\nrootfs: /srv\n");
  const auto deleted = set({"--delete", "cores"});
  EXPECT_EQ(deleted.status, 0);
  EXPECT_THAT(deleted.err,
              HasSubstr("WARN: 2100.conf:2: 'cores: 1', which does not count, is deleted with the "
                        "later line\n"));
  EXPECT_EQ(config(), "arch: amd64\nmemory: 64\nmemory: 256\nostype: debian\nrootfs: /srv\n");
}

TEST_F(Set, ProtectionKeepsVolumesButNothingElse) {
  make_subvol(1);
  write_config(std::string(kBase) + "mp0: " + subvol(1) +
               ",mp=/a\nprotection: 1\nunused0: local:2100/x.raw\n");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--delete", "mp0"},
                                                {"--delete", "unused0"},
                                                {"--mp1", "/srv,mp=/b"},
                                                {"--rootfs", "/x"}}) {
    expect_refused(words, "of CT 2100 - protection mode enabled");
  }
  expect_done({"--memory", "64", "--protection", "0"});
  expect_done({"--delete", "mp0"});
}

TEST_F(Set, AllocatesFormatsAndRefreshesVolumes) {
  expect_done({"--mp0", "local:0.01,mp=/a", "--mp1", "local:0,mp=/b"});
  EXPECT_THAT(config(), HasSubstr("mp0: local:2100/vm-2100-disk-0.raw,mp=/a,size=10M\n"
                                  "mp1: local:2100/subvol-2100-disk-1.subvol,mp=/b,size=0T\n"));
  EXPECT_EQ(std::filesystem::file_size(image("vm-2100-disk-0.raw")), 10U << 20);
  expect_done({"--mp0", "local:2100/vm-2100-disk-0.raw,mp=/c,size=99G"});
  EXPECT_THAT(config(), HasSubstr("mp0: local:2100/vm-2100-disk-0.raw,mp=/c,size=10M\n"));
}

TEST_F(Set, ANewVolumeBelongsToTheContainersRoot) {
  write_config(std::string(kBase) + "unprivileged: 1\n");
  expect_done({"--mp0", "local:0,mp=/a", "--mp1", "local:0,mp=/b,idmap=passthrough"});
  struct stat host_ids {};
  struct stat own_ids {};
  ASSERT_EQ(::stat(image("subvol-2100-disk-0.subvol").c_str(), &host_ids), 0);
  ASSERT_EQ(::stat(image("subvol-2100-disk-1.subvol").c_str(), &own_ids), 0);
  EXPECT_EQ(host_ids.st_uid, 100000U);
  EXPECT_EQ(own_ids.st_uid, 0U);
}

TEST_F(Set, ANewVolumeBelongsToTheRootOfAnIncludedIdMap) {
  host.write("ids.conf", "lxc.idmap = u 0 300000 65536\nlxc.idmap = g 0 400000 65536\n");
  const std::string text =
      std::string(kBase) + "unprivileged: 1\nlxc.include: " + host.path("ids.conf") + "\n";
  write_config(text);
  expect_done({"--mp0", "local:0,mp=/a"});
  struct stat status {};
  ASSERT_EQ(::stat(image("subvol-2100-disk-0.subvol").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 300000U);
  EXPECT_EQ(status.st_gid, 400000U);
  // Whose volume it would be is not known without the file.
  std::filesystem::remove(host.path("ids.conf"));
  expect_refused({"--mp1", "local:0,mp=/b"}, "ids.conf");
  EXPECT_FALSE(std::filesystem::exists(image("subvol-2100-disk-1.subvol")));
}

TEST_F(Set, ADeletedVolumeIsKeptAsUnusedAndFreedWithIt) {
  make_subvol(1);
  write_config(std::string(kBase) + "mp0: " + subvol(1) + ",mp=/a\n");
  expect_done({"--delete", "mp0"});
  EXPECT_EQ(config(), std::string(kBase) + "unused0: " + subvol(1) + "\n");
  EXPECT_TRUE(std::filesystem::exists(image("subvol-2100-disk-1.subvol/x")));
  expect_done({"--delete", "unused0"});
  EXPECT_EQ(config(), kBase);
  EXPECT_FALSE(std::filesystem::exists(image("subvol-2100-disk-1.subvol")));
}

TEST_F(Set, OnlyOwnAndUnusedVolumesAreFreed) {
  make_subvol(1);
  host.write("var/lib/vz/images/2101/subvol-2101-disk-0.subvol/x", "");
  write_config(std::string(kBase) + "unused0: " + subvol(1) +
               "\nunused1: local:2101/subvol-2101-disk-0.subvol\n\n[snap]\nmp0: " + subvol(1) + ",mp=/a\n");
  const auto outcome = set({"--delete", "unused0,unused1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("does not belong to CT 2100 and is left alone"));
  EXPECT_THAT(config(), Not(HasSubstr("unused")));
  EXPECT_TRUE(std::filesystem::exists(image("subvol-2100-disk-1.subvol/x")));
  EXPECT_TRUE(std::filesystem::exists(host.path("var/lib/vz/images/2101/subvol-2101-disk-0.subvol/x")));
}

TEST_F(Set, WhatFailsTakesTheRestBack) {
  expect_refused({"--mp0", "local:0,mp=/a", "--mp1", subvol(7) + ",mp=/b", "--memory", "64"},
                 "unable to apply pending change mp1 : ");
  EXPECT_FALSE(std::filesystem::exists(image("")));
}

TEST_F(Set, OldMistakesInTheQueueStayAndBlockNothing) {
  const std::string queue = "\n[pve:pending]\nfoo: 1\nmemory: abc\nmp0: " + subvol(7) + ",mp=/b\n";
  write_config(kBase + queue);
  const auto outcome = set({"--hostname", "web"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("pending change foo is left: unknown option [2100.conf:7]; correct the "
                                     "line, or 'pct set 2100 --revert foo'\n"));
  EXPECT_THAT(outcome.err, ContainsRegex("pending change memory is left: .*2100.conf:8"));
  EXPECT_THAT(outcome.err, ContainsRegex("pending change mp0 is left: .*2100.conf:9"));
  EXPECT_THAT(config(), HasSubstr("\nhostname: web\n"));
  EXPECT_THAT(config(), HasSubstr(queue));
  expect_refused({"--revert", "bar"}, "unknown option 'bar'");
  expect_refused({"--delete", "foo"}, "unknown option 'foo'");
  expect_done({"--memory", "64", "--revert", "foo,mp0"});
  EXPECT_THAT(config(), HasSubstr("\nmemory: 64\n"));
  EXPECT_THAT(config(), Not(HasSubstr("pending")));
}

TEST_F(Set, AQueuedChangeThatFailsLeavesNoVolume) {
  make_subvol(1);
  std::string text = std::string(kBase) + "mp0: " + subvol(1) + ",mp=/a\n";
  for (int index = 0; index < 256; ++index) text += "unused" + std::to_string(index) + ": local:2100/x\n";
  const std::string queue = "\n[pve:pending]\nmp0: local:0,mp=/b\n";
  write_config(text + queue);
  const auto outcome = set({"--cores", "2"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("pending change mp0 is left: CT 2100 has no free unused[n]"));
  EXPECT_THAT(config(), HasSubstr("cores: 2\n"));
  EXPECT_THAT(config(), HasSubstr(queue));
  EXPECT_FALSE(std::filesystem::exists(image("subvol-2100-disk-0.subvol")));
}

TEST_F(Set, AQueuedMountPointOverTheRootfsIsLeft) {
  const std::string queue = "\n[pve:pending]\nmp0: local:0,mp=/\n";
  write_config(kBase + queue);
  const auto outcome = set({"--cores", "2"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("pending change mp0 is left: '/' is where the rootfs is mounted "
                                     "[2100.conf:7]; give a path such as mp=/srv"));
  EXPECT_THAT(run_pct(host, {"plan", "2100"}).err,
              HasSubstr("unable to apply pending change mp0 : '/' is where"));
  EXPECT_THAT(config(), HasSubstr(queue));
  EXPECT_FALSE(std::filesystem::exists(image("subvol-2100-disk-0.subvol")));
}

TEST_F(Set, APlanHasWhatTheNextStartTakesOver) {
  write_config(std::string(kBase) + "\n[pve:pending]\nmemory: 96\nmp0: local:1,mp=/b\nswap: abc\n");
  const std::string before = config();
  const auto outcome = run_pct(host, {"plan", std::to_string(kVmid)});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ContainsRegex("2100.conf:7  memory: 96 +host "));
  EXPECT_THAT(outcome.out, Not(HasSubstr("memory: 512")));
  EXPECT_THAT(outcome.err, HasSubstr("mp0: a new volume is made at the start; it is not planned"));
  EXPECT_THAT(outcome.err, HasSubstr("unable to apply pending change swap : "));
  EXPECT_EQ(config(), before);
  EXPECT_FALSE(std::filesystem::exists(image("")));
}

TEST_F(Set, EveryChangeThatFailsIsNamed) {
  const auto outcome = set({"--mp0", subvol(6) + ",mp=/a", "--mp1", subvol(7) + ",mp=/b"});
  EXPECT_THAT(
      outcome.err,
      ContainsRegex("^unable to apply pending change mp0 : .*\nunable to apply pending change mp1 : "));
}

TEST_F(Set, AVolumeThatCannotBeFreedStaysNamed) {
  make_subvol(1);
  make_subvol(2);
  write_config(std::string(kBase) + "unused0: " + subvol(1) + "\nunused1: " + subvol(2) + "\n");
  const PrivateMounts mounts;
  const std::string busy = image("subvol-2100-disk-2.subvol/x");
  ASSERT_EQ(::mount("none", busy.c_str(), "tmpfs", 0, nullptr), 0);
  const auto outcome = set({"--delete", "unused0,unused1", "--hostname", "web"});
  ::umount(busy.c_str());
  EXPECT_EQ(outcome.status, 255);
  EXPECT_THAT(outcome.err, StartsWith("unable to apply pending change unused1 : "));
  EXPECT_EQ(config(), std::string(kBase) + "unused1: " + subvol(2) + "\n");
  EXPECT_TRUE(std::filesystem::exists(image("subvol-2100-disk-2.subvol/x")));
}

TEST_F(Set, AReadOnlyOrFullFileSystemLeavesTheOldFile) {
  const PrivateMounts mounts;
  const std::string etc = host.path("etc");
  ASSERT_EQ(::mount("none", etc.c_str(), "tmpfs", 0, "size=64k"), 0);
  host.add_container(kVmid, kBase);
  ASSERT_EQ(::mount("none", etc.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
  expect_refused({"--mp0", "local:0,mp=/a"}, "EROFS", EROFS);
  EXPECT_FALSE(std::filesystem::exists(image("")));
  ASSERT_EQ(::mount("none", etc.c_str(), "tmpfs", MS_REMOUNT, "size=64k"), 0);
  host.write("etc/filler", std::string(200000, 'x'));
  expect_refused({"--description", std::string(8000, 'x')}, "ENOSPC", ENOSPC);
  std::filesystem::remove(host.path("etc/filler"));
  expect_done({"--memory", "64"});
  ::umount(etc.c_str());
}

TEST_F(Set, TwoAtOnceLoseNothing) {
  constexpr int kWriters = 12;
  std::vector<pid_t> children;
  for (int i = 0; i < kWriters; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string n = std::to_string(i);
      ::_exit(run_pct(host, {"set", std::to_string(kVmid), "--mp" + n, "/srv,mp=/" + n}).status);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  for (int i = 0; i < kWriters; ++i) {
    EXPECT_THAT(config(), HasSubstr("mp" + std::to_string(i) + ": /srv,mp=/" + std::to_string(i) + "\n"));
  }
}

TEST_F(Set, HandWrittenPendingChangesAreAppliedWithTheRest) {
  write_config(std::string(kBase) + "hostname: a\n\n[pve:pending]\ndelete: hostname,swap\nswap: 7\ntty: 1\n");
  expect_done({"--revert", "tty", "--cores", "1"});
  EXPECT_EQ(config(), "arch: amd64\ncores: 1\nmemory: 512\nostype: debian\nrootfs: /srv\nswap: 7\n");
}

TEST_F(Set, ConfigAndPendingShowBothSides) {
  write_config(std::string(kBase) +
               "#a: b\nhostname: a\nlxc.cap.drop: sys_time\nswap: 1\n\n[pve:pending]\n"
               "delete: hostname,tty\ncores: 2\nswap: 7\n");
  const auto pending = run_pct(host, {"pending", "2100"});
  EXPECT_EQ(pending.status, 0);
  EXPECT_EQ(pending.out,
            "cur arch: amd64\nnew cores: 2\ncur description: a%3A b%0A\ndel hostname: a\ncur memory: 512\n"
            "cur ostype: debian\ncur rootfs: /srv\ncur swap: 1\nnew swap: 7\n");
  EXPECT_EQ(
      run_pct(host, {"config", "2100"}).out,
      "arch: amd64\ncores: 2\ndescription: a%3A b%0A\nmemory: 512\nostype: debian\nrootfs: /srv\nswap: 7\n"
      "lxc.cap.drop: sys_time\n");
}

}  // namespace
}  // namespace hutch::cli
