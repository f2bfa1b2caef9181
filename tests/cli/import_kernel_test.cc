#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "cli/foreign_formats.h"
#include "config/lower.h"
#include "tests/cli/container_fixture.h"

// `pct import` and `pct export`, as a new user types them, and containers that start from what they wrote.
namespace hutch::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Import : public testing::ContainerFixture {
 protected:
  testing::Outcome import(const std::string& vmid, const std::string& file,
                          std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"import", vmid, host.path(file)});
    return pct(more);
  }
  std::string config_path(const std::string& vmid) const {
    return ConfigStore(host.sysroot()).path(static_cast<std::uint32_t>(std::stoul(vmid)));
  }
  bool exists(const std::string& vmid) const { return std::filesystem::exists(config_path(vmid)); }
};

TEST_F(Import, WritesAConfigAndSaysWhatIsLost) {
  host.write("in/config",
             "lxc.include = /usr/share/lxc/config/debian.common.conf\nlxc.uts.name = web\nforeign line\n"
             "lxc.rootfs.path = dir:" +
                 host.path("tree") + "\nlxc.cgroup.net_cls.classid = 1\n");
  const auto outcome = import("2600", "in/config");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, host.path("in/config:3") +
                             ": not carried over: 'foreign line' is no setting; kept as part of "
                             "the description\n" +
                             host.path("in/config:5") +
                             ": not carried over: 'lxc.cgroup.net_cls.classid' is a cgroup v1 setting "
                             "without a counterpart and has "
                             "no effect\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(host.config(2600),
              AllOf(StartsWith("#foreign line\n"), HasSubstr("\nhostname: web\n"),
                    HasSubstr("\nostype: debian\n"), HasSubstr("\nrootfs: " + host.path("tree") + "\n")));
}

TEST_F(Import, ListsEachLineThatCannotBeUsedAndCarriesOverTheRest) {
  host.write("in.lxc", "lxc.rootfs.path = " + host.path("tree") +
                           "\nlxc.unknown.key = 7\nlxc.tty.max\nlxc.seccomp.profile = /none/policy\n"
                           "lxc.mount = /none/fstab\nlxc.cap.drop = sys_tmie\nlxc.hook.stop = /x\n"
                           "lxc.uts.name = web\n");
  const auto outcome = import("2611", "in.lxc");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto line = [this](int number, const std::string& text) {
    return HasSubstr(host.path("in.lxc:") + std::to_string(number) + ": " + text);
  };
  EXPECT_THAT(outcome.out, AllOf(line(2, "not carried over: unknown key 'lxc.unknown.key'\n"),
                                 line(3, "not carried over: 'lxc.tty.max': there is no '='\n"),
                                 line(6, "'lxc.cap.drop': unknown capability 'sys_tmie'"),
                                 line(7, "'lxc.hook.stop' runs a program on this host, as root")));
  // What this host lacks.
  EXPECT_THAT(outcome.out, AllOf(line(4,
                                      "as it is, the container does not start: lxc.seccomp.profile: cannot "
                                      "open '/none/policy': ENOENT"),
                                 line(5, "as it is, the container does not start: ")));
  EXPECT_THAT(host.config(2611), AllOf(HasSubstr("hostname: web\n"), HasSubstr("lxc.cap.drop: sys_tmie\n")));
  EXPECT_NE(pct({"start", "2611"}).status, 0);
}

TEST_F(Import, TellsEveryObstacleAndNotWhatFollowsFromOne) {
  host.write("in.lxc",
             "lxc.rootfs.path = relative\nlxc.cgroup2.devices.allow = /dev/none rwm\n"
             "lxc.mount.fstab = /none/fstab\n");
  const auto lxc = import("2614", "in.lxc");
  ASSERT_EQ(lxc.status, 0) << lxc.err;
  for (const char* line : {"in.lxc:1", "in.lxc:2", "in.lxc:3"}) {
    EXPECT_THAT(lxc.out, HasSubstr(host.path(line) + ": as it is, the container does not start: "));
  }
  EXPECT_THAT(lxc.out, Not(HasSubstr("is missing")));
  host.write("in.conf", "arch: vax\nmemory: lots\nnet0: odd\nostype: beos\nrootfs: a b\n");
  const auto pve = import("2615", "in.conf");
  ASSERT_EQ(pve.status, 0) << pve.err;
  for (int line = 1; line <= 5; ++line) {
    EXPECT_THAT(pve.out,
                HasSubstr(host.path("in.conf:") + std::to_string(line) + ": as it is, the container"));
  }
}

TEST_F(Import, SaysSoWhenNotEveryObstacleIsLookedFor) {
  std::string text = "lxc.rootfs.path = /r\n";
  for (int line = 0; line < 40; ++line) text += "lxc.cgroup2.devices.allow = /dev/none rwm\n";
  host.write("in.lxc", text);
  const auto outcome = import("2616", "in.lxc");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(
      outcome.out,
      HasSubstr("\nas it is, the container does not start: 32 reasons are told; there may be more\n"));
}

TEST_F(Import, NoTextOfAFileActsOnTheTerminal) {
  host.write("in.lxc", "lxc.rootfs.path = /r\nlxc.odd\x1b[2J = 1\ngarbage \x1b]0;x\x07\xe9\nlxc." +
                           std::string(5000, 'y') + " = 1\n");
  const auto outcome = import("2612", "in.lxc");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("unknown key 'lxc.odd\\x1b[2J'"), HasSubstr("'garbage \\x1b]0;x\\x07\\xe9'"),
                    HasSubstr("yyy ... ("), Not(HasSubstr("\x1b")), Not(HasSubstr(std::string(2000, 'y')))));
  host.write("in.conf", "arch: amd64\nostype: unmanaged\nrootfs: /r\n\x1b[2J\nlxc.hook.stop: /\x1b[2J\n");
  for (const auto& words :
       {std::vector<std::string>{"import", "2613", host.path("in.conf")},
        std::vector<std::string>{"plan", host.path("in.conf")}, std::vector<std::string>{"plan", "2613"},
        std::vector<std::string>{"export", "2613", "--format", "oci"}}) {
    const auto result = pct(words);
    EXPECT_THAT(result.out + result.err, AllOf(HasSubstr("\\x1b[2J"), Not(HasSubstr("\x1b"))))
        << words.front();
  }
}

TEST_F(Import, APlanOfAFileHasTheQueuedChanges) {
  host.write("in.conf",
             "arch: amd64\nmemory: 512\nonboot: 1\nostype: unmanaged\nrootfs: /r\nswap: 0\n\n[pve:pending]\n"
             "memory: 1024\n");
  const auto plan = pct({"plan", host.path("in.conf")});
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, AllOf(HasSubstr("1073741824"), HasSubstr("in.conf:9")));
}

TEST_F(Import, FindsTheSystemInTheRootFileSystem) {
  host.write("in.xml",
             "<domain type='lxc'><name>web</name><os><type>exe</type><init>/sbin/init</init></os><devices>"
             "<filesystem type='mount'><source dir='" +
                 host.path("tree") +
                 "'/><target dir='/'/></filesystem>"
                 "</devices></domain>");
  ASSERT_EQ(import("2601", "in.xml").status, 0);
  EXPECT_THAT(host.config(2601), HasSubstr("ostype: debian\n"));
}

TEST_F(Import, ADryRunWritesNothing) {
  host.write("in.lxc", "lxc.rootfs.path = /r\nlxc.uts.name = dry\n");
  const auto outcome = import("2602", "in.lxc", {"--dry-run"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("hostname: dry\n"));
  EXPECT_FALSE(exists("2602"));
}

TEST_F(Import, TheEarliestPveGetsItsAddresses) {
  host.write("100/config",
             "pve.volid = local:100/vm-100-disk-1.raw\nlxc.network.type = veth\n"
             "lxc.network.veth.pair = veth100.0\nlxc.network.name = eth0\n");
  ASSERT_EQ(import("2603", "100/config").status, 0);
  EXPECT_THAT(host.config(2603), HasSubstr(",hwaddr=BC:24:11:"));
}

TEST_F(Import, RefusesWhatCannotBe) {
  host.write("good.lxc", "lxc.rootfs.path = /r\n");
  host.write("no-root.lxc", "lxc.uts.name = x\nlxc.tty.max = 1\n");
  host.write("empty", "");
  host.write("cut.xml", "<domain type='lxc'>\n<name>x</na");
  host.write("vm.xml", "<domain type='kvm'/>");
  host.write("bad.lxc", "lxc.rootfs.path = /r\nlxc.cap.nonsense = 1\n");
  host.write("text", "hello\n");
  host.write("dir/config", "lxc.rootfs.path = /r\n");
  std::filesystem::copy_file("/bin/busybox", host.path("binary"));
  host.add_container(2604, "arch: amd64\n");
  const auto refused = [this](const std::string& file, const std::string& text,
                              std::vector<std::string> more = {}) {
    const auto outcome = import("2605", file, more);
    EXPECT_NE(outcome.status, 0) << file;
    EXPECT_THAT(outcome.err, HasSubstr(text)) << file;
    EXPECT_FALSE(exists("2605")) << file;
  };
  refused("missing", "ENOENT");
  refused("empty", "is empty");
  refused("binary", "larger than any container file");
  refused("text", "is no container file");
  refused("cut.xml", "cut.xml:2]");
  refused("vm.xml", "a domain of type 'kvm' is no container");
  refused("bad.lxc", host.path("bad.lxc:2") + ": not carried over: unknown key 'lxc.cap.nonsense'");
  refused("bad.lxc", "a line told above says what the container may do");
  refused("no-root.lxc", "names no root file system");
  refused("dir", "the container's file is '" + host.path("dir/config"));
  refused("good.lxc", "is no format that can be imported", {"--format", "docker"});
  refused("good.lxc", "is no XML; it looks like 'lxc'", {"--format", "libvirt"});
  refused("cut.xml", "is XML; it looks like 'libvirt'", {"--format", "lxc"});
  refused("empty", "is empty", {"--format", "lxc"});
  EXPECT_THAT(import("2604", "good.lxc").err, HasSubstr("CT 2604 already exists on node"));
  EXPECT_EQ(host.config(2604), "arch: amd64\n");
  EXPECT_THAT(import("99", "good.lxc").err, HasSubstr("400 Parameter verification failed."));
  EXPECT_THAT(pct({"import", "2605"}).err, HasSubstr("400 not enough arguments"));
  const auto bad = import("2605", "no-root.lxc", {"--rootfs", "/srv/r,nonsense=1"});
  EXPECT_NE(bad.status, 0);
  EXPECT_THAT(bad.err, HasSubstr("[--rootfs]"));
  EXPECT_EQ(import("2605", "no-root.lxc", {"--rootfs", "/srv/r"}).status, 0);
  EXPECT_THAT(host.config(2605), HasSubstr("rootfs: /srv/r\n"));
}

TEST_F(Import, WhatIsExportedCanBeImported) {
  host.add_container(2606, "arch: amd64\nhostname: there\nmemory: 256\nostype: debian\nrootfs: " +
                               host.path("tree") + "\nswap: 0\nunprivileged: 1\n");
  for (const char* format : {"lxc", "libvirt"}) {
    const std::string file = std::string("out.") + format;
    const auto exported = pct({"export", "2606", "--format", format, "--output", host.path(file)});
    ASSERT_EQ(exported.status, 0) << exported.err;
    ASSERT_EQ(import(std::string("2607"), file).status, 0);
    EXPECT_THAT(host.config(2607), AllOf(HasSubstr("hostname: there\n"), HasSubstr("memory: 256\n"),
                                         HasSubstr("unprivileged: 1\n"), HasSubstr("swap: 0\n")));
    std::filesystem::remove(config_path("2607"));
  }
  EXPECT_THAT(host.read("out.lxc.seccomp"), HasSubstr("keyctl errno 38"));
  EXPECT_THAT(pct({"export", "2606", "--format", "lxc"}).out, HasSubstr("lxc.uts.name = there\n"));
}

TEST_F(Import, ExportWritesIntoWhatIsNoFile) {
  host.add_container(2606, "arch: amd64\nostype: debian\nrootfs: /srv\nunprivileged: 1\n");
  const auto export_to = [&](const std::string& format, const std::string& path) {
    return pct({"export", "2606", "--format", format, "--output", path});
  };
  const std::string null = host.path("null");
  ASSERT_EQ(::mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  EXPECT_EQ(export_to("libvirt", null).status, 0);
  EXPECT_TRUE(std::filesystem::is_character_file(null));
  EXPECT_THAT(export_to("lxc", null).err, HasSubstr("is no file beside which the seccomp policy could lie"));
  EXPECT_FALSE(std::filesystem::exists(null + ".seccomp"));
  EXPECT_THAT(export_to("libvirt", host.path("none/x")).err, HasSubstr("/none/x': ENOENT"));
}

TEST_F(Import, ExportSaysWhatItCannotExpress) {
  host.add_container(2608, "arch: amd64\nmemory: 256\nnameserver: 1.2.3.4\nostype: debian\nrootfs: /srv\n");
  EXPECT_EQ(pct({"export", "2608", "--format", "lxc"}).err,
            "2608.conf:3: not expressed: 'nameserver': LXC leaves the guest's files alone\n");
  EXPECT_THAT(pct({"export", "2608"}).err, HasSubstr("give --format lxc or --format libvirt"));
  EXPECT_THAT(pct({"export", "2608", "--format", "oci"}).err, HasSubstr("is no format that can be exported"));
  EXPECT_THAT(pct({"export", "2609", "--format", "lxc"}).err, HasSubstr("does not exist"));
}

// What `pct plan <file>` is made of.
TEST_F(Import, AnyFileIsLoadedWithItsLines) {
  host.write("in.lxc", "# c\nlxc.utsname = web\nlxc.rootfs = /srv/web\n");
  std::FILE* out = std::tmpfile();
  CommandContext context(host.sysroot(), out, out);
  const auto config = load_any_config(context, host.path("in.lxc"), 0);
  EXPECT_EQ(config.main.origin_of("hostname"), (Origin{host.path("in.lxc"), 2}));
  EXPECT_EQ(config.main.origin_of("rootfs"), (Origin{host.path("in.lxc"), 3}));
  EXPECT_THROW(load_any_config(context, host.path("none"), 0), Error);
  std::fclose(out);
}

// Containers for real.
class ImportedContainer : public Import {
 protected:
  void SetUp() override {
    Import::SetUp();
    if (IsSkipped()) return;
    host.write("data/file", "from the host\n");
    // Users of the container have to get through to it.
    for (const auto* path : {"", "tree", "data"}) ::chmod(host.path(path).c_str(), 0755);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    if (started_) {
      EXPECT_EQ(pct({"stop", vmid_}).status, 0);
    }
    EXPECT_THAT(kernel_leftovers(), IsEmpty());
  }
  void start() {
    const auto outcome = pct({"start", vmid_});
    ASSERT_EQ(outcome.status, 0) << outcome.err << host.config(2610);
    started_ = true;
  }
  // Only the shell's own commands: there is nothing else in the tree. Output goes where pct's goes, so the
  // answer is an exit status.
  bool inside(const std::string& test) {
    return pct({"exec", vmid_, "--", "/bin/sh", "-c", test}).status == 0;
  }

  const std::string vmid_ = "2610";
  bool started_ = false;
};

TEST_F(ImportedContainer, StartsFromAClassicLxcFile) {
  host.write("in.lxc",
             "lxc.include = /usr/share/lxc/config/debian.common.conf\n"
             "lxc.include = /usr/share/lxc/config/userns.conf\n"
             "lxc.id_map = u 0 100000 65536\nlxc.id_map = g 0 100000 65536\n"
             "lxc.utsname = classic\nlxc.rootfs = " +
                 host.path("tree") +
                 "\nlxc.cgroup.memory.limit_in_bytes = 64M\nlxc.environment.runtime = COLOUR=green\n"
                 "lxc.network.type = veth\nlxc.network.name = lan0\nlxc.network.flags = up\n"
                 "lxc.network.ipv4 = 10.26.0.2/24\n"
                 "lxc.mount.entry = " +
                 host.path("data") + " srv/data none bind,ro,create=dir 0 0\n");
  const auto imported = import(vmid_, "in.lxc");
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_THAT(host.config(2610),
              AllOf(HasSubstr("unprivileged: 1"), HasSubstr("mp0: "), HasSubstr("net0: ")));
  start();
  if (HasFatalFailure()) return;
  EXPECT_TRUE(inside("read name < /proc/sys/kernel/hostname; [ $name = classic ]"));
  EXPECT_TRUE(inside("read a b c < /proc/self/uid_map; [ $a-$b-$c = 0-100000-65536 ]"));
  EXPECT_TRUE(inside("read text < /srv/data/file; [ \"$text\" = 'from the host' ]"));
  EXPECT_FALSE(inside("echo x > /srv/data/file"));
  EXPECT_TRUE(inside("while read name rest; do [ $name = lan0: ] && exit 0; done < /proc/net/dev; exit 1"));
}

TEST_F(ImportedContainer, StartsFromLibvirtsXml) {
  host.write(
      "in.xml",
      "<domain type='lxc'><name>virtual</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
      "<os><type>exe</type><init>/sbin/init</init><initenv name='COLOUR'>green</initenv></os>"
      "<idmap><uid start='0' target='100000' count='65536'/><gid start='0' target='100000' "
      "count='65536'/></idmap>"
      "<features><privnet/><capabilities policy='default'><sys_ptrace state='off'/></capabilities></features>"
      "<devices><filesystem type='mount'><source dir='" +
          host.path("tree") +
          "'/><target dir='/'/></filesystem>"
          "<filesystem type='mount'><source dir='" +
          host.path("data") +
          "'/><target dir='/srv/data'/></filesystem>"
          "<filesystem type='ram'><source usage='1' units='MiB'/><target dir='/scratch'/></filesystem>"
          "<console type='pty'/></devices></domain>");
  const auto imported = import(vmid_, "in.xml");
  ASSERT_EQ(imported.status, 0) << imported.err;
  start();
  if (HasFatalFailure()) return;
  EXPECT_TRUE(inside("read name < /proc/sys/kernel/hostname; [ $name = virtual ]"));
  EXPECT_TRUE(inside("read text < /srv/data/file; [ \"$text\" = 'from the host' ]"));
  EXPECT_TRUE(inside("echo x > /scratch/file"));
  // CAP_SYS_MODULE (16), CAP_SYS_PTRACE (19), CAP_SYS_TIME (25), CAP_MKNOD (27) ... are gone from the
  // bounding set.
  EXPECT_TRUE(inside(
      "while read key value; do [ $key = CapBnd: ] && bounds=$value; done < /proc/self/status; "
      "[ $((0x$bounds & (1 << 16 | 1 << 19 | 1 << 25 | 1 << 27))) = 0 ] && [ $((0x$bounds & 1)) = 1 ]"));
}

}  // namespace
}  // namespace hutch::cli
