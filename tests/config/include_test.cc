#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "config/cgroup_v1.h"
#include "config/legacy_names.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/lxc_include.h"
#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<RawEntry>& entries) {
  std::vector<std::string> lines;
  for (const auto& entry : entries) {
    lines.push_back(entry.origin.text() + " " + entry.key + "=" + entry.value);
  }
  return lines;
}

std::vector<std::string> read(std::string_view text) {
  return texts(read_lxc_file(text, "f").entries);
}

template <typename Function>
std::string error_text(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LxcFile, SplitsAtTheFirstEqualsSignAndTrims) {
  EXPECT_THAT(read("lxc.a = b = c \n \tlxc.b=\n"), ElementsAre("f:1 lxc.a=b = c", "f:2 lxc.b="));
}

TEST(LxcFile, TakesOffOnePairOfQuotes) {
  EXPECT_THAT(read("lxc.a = \"proc:rw sys:rw\"\nlxc.b = ''x''\nlxc.c = \"x'\nlxc.d = \"\n"),
              ElementsAre("f:1 lxc.a=proc:rw sys:rw", "f:2 lxc.b='x'", "f:3 lxc.c=\"x'", "f:4 lxc.d=\""));
}

TEST(LxcFile, EndsLinesAtCarriageReturnAndNewlineAndTheFileAtNul) {
  EXPECT_THAT(read(std::string_view("lxc.a = 1\r\n\r\nlxc.b = 2\rlxc.c = 3\n\0lxc.d = 4", 41)),
              ElementsAre("f:1 lxc.a=1", "f:3 lxc.b=2", "f:4 lxc.c=3"));
}

TEST(LxcFile, KeepsCommentsAndForeignLinesAside) {
  const auto file = read_lxc_file("  # a note\nfoo = bar\nlxc.a = x # no comment\n", "f");
  EXPECT_THAT(values(file.comments), ElementsAre(" a note"));
  EXPECT_THAT(values(file.foreign), ElementsAre("foo = bar"));
  EXPECT_THAT(texts(file.entries), ElementsAre("f:3 lxc.a=x # no comment"));
}

TEST(LxcFile, RefusesALineWithoutEqualsSign) {
  EXPECT_THAT(error_text([] { read("lxc.a = 1\nlxc.b\n"); }), HasSubstr("'lxc.b': there is no '=' [f:2]"));
}

// A host of files and directories.
struct Host {
  std::map<std::string, std::string> files;
  std::map<std::string, std::vector<std::string>> directories;

  IncludeSources sources(bool prefer_built_in = false) const {
    return {[this](const std::string& path) {
              const auto found = files.find(path);
              if (found == files.end()) throw Error("cannot open '" + path + "'", ENOENT);
              return found->second;
            },
            [this](const std::string& path) -> std::optional<std::vector<std::string>> {
              const auto found = directories.find(path);
              if (found == directories.end()) return std::nullopt;
              return found->second;
            },
            prefer_built_in};
  }
  std::vector<std::string> expand(std::string_view text) const {
    return texts(expand_includes(read_lxc_file(text, "f").entries, sources()));
  }
  std::string failure(std::string_view text) const {
    return error_text([&] { expand(text); });
  }
};

TEST(Include, PutsTheFilesLinesInItsPlace) {
  const Host host{{{"/a", "lxc.b = 2\nlxc.include = /c\n"}, {"/c", "\nlxc.c = 3"}}, {}};
  EXPECT_THAT(host.expand("lxc.a = 1\nlxc.include = /a\nlxc.d = 4"),
              ElementsAre("f:1 lxc.a=1", "/a:1 lxc.b=2", "/c:2 lxc.c=3", "f:3 lxc.d=4"));
}

TEST(Include, NamesTheLinesOfOtherPrograms) {
  const Host host{{{"/a", "# note\nfoo = bar\nlxc.b = 2\n"}}, {}};
  Diagnostics diagnostics;
  const auto entries =
      expand_includes(read_lxc_file("lxc.include = /a", "f").entries, host.sources(), &diagnostics);
  EXPECT_THAT(texts(entries), ElementsAre("/a:3 lxc.b=2"));
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_EQ(diagnostics[0].text(), "/a:2: 'foo = bar' is no setting of LXC's and has no effect");
}

TEST(Include, ReadsTheConfFilesOfADirectorySorted) {
  const Host host{{{"/d/10.conf", "lxc.b = 2"}, {"/d/01-x.conf", "lxc.a = 1"}, {"/d/readme", "lxc.c = 3"}},
                  {{"/d", {"readme", "10.conf", "01-x.conf", ".conf"}}, {"/d/", {"10.conf"}}}};
  EXPECT_THAT(host.expand("lxc.include = /d"), ElementsAre("/d/01-x.conf:1 lxc.a=1", "/d/10.conf:1 lxc.b=2"));
  EXPECT_THAT(host.expand("lxc.include = /d/"), ElementsAre("/d/10.conf:1 lxc.b=2"));
}

TEST(Include, AMissingDirectoryAndAnEmptyPathAreFine) {
  EXPECT_THAT(Host{}.expand("lxc.include = /none/\nlxc.include =\n"), IsEmpty());
}

TEST(Include, NamesTheLineOfAnIncludeThatFails) {
  EXPECT_EQ(Host{}.failure("\nlxc.include = /none"),
            "lxc.include: cannot open '/none': ENOENT (No such file or directory) [f:2]");
  EXPECT_THAT(Host{}.failure("lxc.include = relative"), HasSubstr("'relative' is no absolute path"));
  const Host bad{{{"/a", "lxc.x"}}, {}};
  EXPECT_THAT(bad.failure("lxc.include = /a"), HasSubstr("[/a:1]"));
}

TEST(Include, StopsLoopsAndFloods) {
  const Host loop{{{"/a", "lxc.include = /b"}, {"/b", "lxc.include = /a"}}, {}};
  EXPECT_THAT(loop.failure("lxc.include = /a"), HasSubstr("'/a' includes itself: ELOOP"));
  Host flood;
  for (char name = 'a'; name < 'z'; ++name) {
    const std::string next = std::string("lxc.include = /") + static_cast<char>(name + 1) + "\n";
    flood.files[std::string("/") + name] = next + next;
  }
  flood.files["/z"] = "";
  EXPECT_THAT(flood.failure("lxc.include = /a"), HasSubstr("more than 1000 files"));
}

TEST(Include, LxcsOwnFilesAreBuiltIn) {
  const Host host{{{"/usr/share/lxc/config/common.conf", "lxc.tty.max = 9"}}, {}};
  EXPECT_THAT(host.expand("lxc.include = /usr/share/lxc/config/common.conf"),
              ElementsAre("/usr/share/lxc/config/common.conf:1 lxc.tty.max=9"));
  EXPECT_EQ(host.expand("lxc.include = /usr/share/lxc/config/debian.common.conf").front(),
            "f:1 lxc.tty.dir=");
  const auto preferred =
      expand_includes({{"lxc.include", "/usr/share/lxc/config/common.conf", {"f", 1}}}, host.sources(true));
  EXPECT_EQ(preferred.front().key, "lxc.tty.dir");
  EXPECT_EQ(preferred.front().value, "lxc");
  EXPECT_THAT(host.failure("lxc.include = /usr/share/lxc/config/plan9.common.conf"), HasSubstr("ENOENT"));
  for (const char* name : {"nesting.conf", "userns.conf", "ubuntu.userns.conf", "alpine.common.conf"}) {
    EXPECT_THAT(host.expand(std::string("lxc.include = /usr/share/lxc/config/") + name),
                ::testing::SizeIs(::testing::Gt(0U)))
        << name;
  }
}

// The include of a type's file says what the option ostype says.
TEST(Include, EqualsTheOsType) {
  for (const char* type :
       {"alpine", "archlinux", "centos", "debian", "fedora", "gentoo", "nixos", "opensuse", "ubuntu"}) {
    const std::string base = std::string("arch: amd64\nrootfs: /r\nostype: ") + type + "\n";
    auto plain = spec_of(base);
    auto twice = spec_of(
        base, std::string("tty: 4\nlxc.cap.drop:\nlxc.mount.entry:\nlxc.include: /usr/share/lxc/config/") +
                  type + ".common.conf\n");
    const auto names = [](const ContainerSpec& spec) { return values(spec.capabilities.drop); };
    EXPECT_EQ(names(plain), names(twice)) << type;
    EXPECT_EQ(plain.tty_directory, twice.tty_directory) << type;
    EXPECT_EQ(plain.mounts.size(), twice.mounts.size()) << type;
    EXPECT_EQ(plain.devices.rules.size(), twice.devices.rules.size()) << type;
    EXPECT_EQ(plain.devices.allow_by_default, twice.devices.allow_by_default) << type;
    EXPECT_EQ(plain.signals, twice.signals) << type;
    EXPECT_EQ(plain.seccomp.policy, twice.seccomp.policy) << type;
  }
}

TEST(Include, InACtConfigKeepsTheOriginOfTheFile) {
  auto context = test_context();
  context.read_file = [](const std::string& path) -> std::string {
    if (path == "/site.conf") return "# site\nlxc.utsname = old\nlxc.pts = 7\n";
    if (path == "/bad.conf") return "lxc.nonsense = 1\n";
    throw Error("cannot open '" + path + "'", ENOENT);
  };
  const auto lowered = [&](const std::string& raw) {
    Diagnostics ignored;
    return lower(read_config(std::string(kPrivileged) + raw, "100.conf", 100, ignored), context).spec;
  };
  const auto spec = lowered("lxc.include: /site.conf\n");
  EXPECT_EQ(spec.hostname, "old");
  EXPECT_EQ(spec.pty_max, 7U);
  EXPECT_THAT(error_text([&] { lowered("lxc.include: /bad.conf\n"); }),
              HasSubstr("unknown key 'lxc.nonsense' [/bad.conf:1]"));
  EXPECT_THAT(error_text([&] { lowered("lxc.include: /none\n"); }), HasSubstr("[100.conf:4]"));
}

std::vector<std::string> current(std::string_view text, unsigned first = 0) {
  std::vector<std::string> lines;
  for (const auto& entry : to_current_names(read_lxc_file(text, "f").entries, first)) {
    lines.push_back(entry.key + "=" + entry.value);
  }
  return lines;
}

struct Renamed {
  std::string old_line;
  std::string now;
};
class LegacyName : public ::testing::TestWithParam<Renamed> {};
TEST_P(LegacyName, IsTheCurrentOne) {
  EXPECT_THAT(current(GetParam().old_line), ElementsAre(GetParam().now));
}
INSTANTIATE_TEST_SUITE_P(
    Table, LegacyName,
    ::testing::Values(
        Renamed{"lxc.rootfs = /r", "lxc.rootfs.path=dir:/r"},
        Renamed{"lxc.rootfs = overlayfs:/a:/b", "lxc.rootfs.path=overlayfs:/a:/b"},
        Renamed{"lxc.rootfs = /dev/vg/r", "lxc.rootfs.path=/dev/vg/r"},
        Renamed{"lxc.id_map = u 0 1 2", "lxc.idmap=u 0 1 2"}, Renamed{"lxc.pts = 9", "lxc.pty.max=9"},
        Renamed{"lxc.tty = 3", "lxc.tty.max=3"}, Renamed{"lxc.devttydir = lxc", "lxc.tty.dir=lxc"},
        Renamed{"lxc.aa_profile = x", "lxc.apparmor.profile=x"},
        Renamed{"lxc.aa_allow_incomplete = 1", "lxc.apparmor.allow_incomplete=1"},
        Renamed{"lxc.se_context = x", "lxc.selinux.context=x"},
        Renamed{"lxc.mount = /fstab", "lxc.mount.fstab=/fstab"}, Renamed{"lxc.utsname = h", "lxc.uts.name=h"},
        Renamed{"lxc.seccomp = /p", "lxc.seccomp.profile=/p"},
        Renamed{"lxc.console = none", "lxc.console.path=none"},
        Renamed{"lxc.haltsignal = SIGTERM", "lxc.signal.halt=SIGTERM"},
        Renamed{"lxc.rebootsignal = SIGHUP", "lxc.signal.reboot=SIGHUP"},
        Renamed{"lxc.stopsignal = SIGKILL", "lxc.signal.stop=SIGKILL"},
        Renamed{"lxc.syslog = daemon", "lxc.log.syslog=daemon"},
        Renamed{"lxc.loglevel = 1", "lxc.log.level=1"}, Renamed{"lxc.logfile = /l", "lxc.log.file=/l"},
        Renamed{"lxc.init_cmd = /i", "lxc.init.cmd=/i"}, Renamed{"lxc.init_uid = 1", "lxc.init.uid=1"},
        Renamed{"lxc.init_gid = 1", "lxc.init.gid=1"},
        Renamed{"lxc.limit.nofile = 9", "lxc.prlimit.nofile=9"},
        Renamed{"lxc.start.unshare = 1", "lxc.monitor.unshare=1"}, Renamed{"lxc.network =", "lxc.net="},
        Renamed{"lxc.network.2.type = phys", "lxc.net.2.type=phys"},
        Renamed{"lxc.network.2.ipv4 = 1.2.3.4/8", "lxc.net.2.ipv4.address=1.2.3.4/8"},
        Renamed{"lxc.network.2.ipv6.gateway = auto", "lxc.net.2.ipv6.gateway=auto"},
        Renamed{"lxc.kmsg = 0", "lxc.kmsg=0"}, Renamed{"lxc.cap.drop = x", "lxc.cap.drop=x"}));

TEST(LegacyNames, TheBackendGoesIntoThePath) {
  EXPECT_THAT(current("lxc.rootfs = /r\nlxc.rootfs.backend = btrfs\nlxc.pivotdir = mnt\n"),
              ElementsAre("lxc.rootfs.path=btrfs:/r"));
}

TEST(LegacyNames, EveryTypeOpensAnInterface) {
  const char* const text =
      "lxc.network.type = veth\nlxc.network.link = br0\nlxc.network.ipv4 = 10.0.0.1/8\n"
      "lxc.network.type = macvlan\nlxc.network.macvlan.mode = bridge\n";
  EXPECT_THAT(current(text),
              ElementsAre("lxc.net.0.type=veth", "lxc.net.0.link=br0", "lxc.net.0.ipv4.address=10.0.0.1/8",
                          "lxc.net.1.type=macvlan", "lxc.net.1.macvlan.mode=bridge"));
  EXPECT_EQ(current(text, 5).back(), "lxc.net.6.macvlan.mode=bridge");
  EXPECT_THAT(current("lxc.network.type = veth\nlxc.network =\nlxc.network.type = phys"),
              ElementsAre("lxc.net.0.type=veth", "lxc.net=", "lxc.net.0.type=phys"));
  EXPECT_THAT(error_text([] { current("lxc.network.link = br0"); }),
              HasSubstr("'lxc.network.link' before any 'lxc.network.type' [f:1]"));
}

TEST(LegacyNames, AreWarnedAboutOnce) {
  Diagnostics diagnostics;
  to_current_names(read_lxc_file("lxc.tty.max = 1\nlxc.utsname = a\nlxc.pts = 1\n", "f").entries, 0,
                   &diagnostics);
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_THAT(diagnostics[0].text(),
              HasSubstr("f:2: 2 lines with names from before LXC 3.0, the first being 'lxc.utsname'"));
}

std::vector<std::string> v2(std::string_view text) {
  Diagnostics diagnostics;
  std::vector<std::string> lines;
  for (const auto& entry : to_cgroup_v2(read_lxc_file(text, "f").entries, {}, diagnostics)) {
    lines.push_back(entry.key.substr(12) + "=" + entry.value);
  }
  for (const auto& diagnostic : diagnostics) lines.push_back(diagnostic.text());
  return lines;
}

class CgroupV1 : public ::testing::TestWithParam<Renamed> {};
TEST_P(CgroupV1, HasItsCounterpart) {
  EXPECT_THAT(v2("lxc.cgroup." + GetParam().old_line), ElementsAre(GetParam().now));
}
INSTANTIATE_TEST_SUITE_P(
    Table, CgroupV1,
    ::testing::Values(
        Renamed{"devices.allow = c 1:3 rwm", "devices.allow=c 1:3 rwm"},
        Renamed{"devices.deny = a", "devices.deny=a"},
        Renamed{"memory.limit_in_bytes = 1g", "memory.max=1073741824"},
        Renamed{"memory.limit_in_bytes = -1", "memory.max=max"},
        Renamed{"memory.soft_limit_in_bytes = 2k", "memory.high=2048"},
        Renamed{"cpu.shares = 1024", "cpu.weight=39"}, Renamed{"cpu.shares = 0", "cpu.weight=1"},
        Renamed{"cpu.shares = 262144", "cpu.weight=10000"},
        Renamed{"cpu.cfs_quota_us = 50000", "cpu.max=50000 100000"},
        Renamed{"cpu.cfs_quota_us = -1", "cpu.max=max 100000"},
        Renamed{"cpu.cfs_period_us = 20000", "cpu.max=max 20000"},
        Renamed{"cpuset.cpus = 0-1", "cpuset.cpus=0-1"}, Renamed{"cpuset.mems = 0", "cpuset.mems=0"},
        Renamed{"blkio.weight = 500", "io.weight=500"},
        Renamed{"blkio.throttle.read_bps_device = 8:0 9", "io.max=8:0 rbps=9"},
        Renamed{"blkio.throttle.write_bps_device = 8:0 9", "io.max=8:0 wbps=9"},
        Renamed{"blkio.throttle.read_iops_device = 8:0 9", "io.max=8:0 riops=9"},
        Renamed{"blkio.throttle.write_iops_device = 8:0 0", "io.max=8:0 wiops=max"},
        Renamed{"pids.max = 5", "pids.max=5"},
        Renamed{"freezer.state = THAWED",
                "f:1: 'lxc.cgroup.freezer.state' is a cgroup v1 setting without a counterpart and has "
                "no effect"}));

TEST(CgroupV1, TakesSeveralLinesTogether) {
  EXPECT_THAT(v2("lxc.cgroup.memory.limit_in_bytes = 1M\nlxc.cgroup.memory.memsw.limit_in_bytes = 3M"),
              ElementsAre("memory.max=1048576", "memory.swap.max=2097152"));
  EXPECT_THAT(v2("lxc.cgroup.cpu.cfs_period_us = 50000\nlxc.cgroup.cpu.cfs_quota_us = 25000"),
              ElementsAre("cpu.max=25000 50000"));
  EXPECT_THAT(error_text([] {
                v2("lxc.cgroup.memory.limit_in_bytes = 3M\nlxc.cgroup.memory.memsw.limit_in_bytes = 1M");
              }),
              HasSubstr("at least the limit of memory alone"));
  EXPECT_THAT(error_text([] { v2("lxc.cgroup.blkio.throttle.read_bps_device = fast"); }), HasSubstr("[f:1]"));
}

// Not a file of a v1 controller.
TEST(CgroupV1, LeavesTheDirectoriesOfLxcAlone) {
  Diagnostics diagnostics;
  const auto entries =
      to_cgroup_v2({{"lxc.cgroup.dir", "a", {}}, {"lxc.cgroup.relative", "1", {}}}, {}, diagnostics);
  EXPECT_EQ(entries.size(), 2U);
  EXPECT_THAT(diagnostics, IsEmpty());
}

// The swap limit of a CT config counts with its memory option.
TEST(CgroupV1, UsesTheOptionMemory) {
  const auto spec =
      lower_text(kPrivileged, "memory: 1024\nlxc.cgroup.memory.memsw.limit_in_bytes: 3G\n").spec;
  ASSERT_EQ(spec.resources.raw.size(), 1U);
  EXPECT_EQ(spec.resources.raw[0].file, "memory.swap.max");
  EXPECT_EQ(spec.resources.raw[0].value, "2147483648");
}

TEST(LegacyNames, InterfacesOfACtConfigComeAfterItsOptions) {
  Diagnostics diagnostics;
  Diagnostics ignored;
  const auto config =
      read_config(std::string(kPrivileged) +
                      "net3: name=eth0,bridge=vmbr0\nlxc.network.type: veth\nlxc.network.link: br1\n",
                  "100.conf", 100, ignored);
  EXPECT_THAT(texts(current_entries(config.main, test_context(), diagnostics)),
              ElementsAre("100.conf:5 lxc.net.4.type=veth", "100.conf:6 lxc.net.4.link=br1"));
}

}  // namespace
}  // namespace hutch::config
