#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/config/formats_fixture.h"

// Lines that an importer cannot use: each is told with its line and the reason, and the rest is carried over;
// but never so that the container may do more than its file said.
namespace hutch::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Imported imported(Format format, std::string_view text, const std::string& source = "file") {
  return import_config(format, text, source, 100, example_sources());
}

struct BadLine {
  std::string name;
  Format format;
  std::string text;
  // Of what is said; the config has `kept`, but not `lost`.
  std::string said;
  std::string kept = {};
  std::string lost = {};
};
void PrintTo(const BadLine& line, std::ostream* out) {
  *out << line.text;
}

class BadLines : public ::testing::TestWithParam<BadLine> {};

TEST_P(BadLines, AreToldAndTheRestIsCarriedOver) {
  const auto result = imported(GetParam().format, GetParam().text);
  EXPECT_THAT(said(result), HasSubstr("not carried over: file:" + GetParam().said));
  const auto written = write_config(result.config);
  EXPECT_THAT(written, HasSubstr(GetParam().kept));
  if (!GetParam().lost.empty()) {
    EXPECT_THAT(written, Not(HasSubstr(GetParam().lost)));
  }
  EXPECT_THAT(result.lost_protection, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Classic, BadLines,
    ::testing::Values(
        BadLine{"UnknownKey", Format::lxc, "lxc.unknown.key = 7\nlxc.uts.name = a\n",
                "1: unknown key 'lxc.unknown.key'", "hostname: a\n", "unknown"},
        BadLine{"NoEquals", Format::lxc, "lxc.uts.name = a\nlxc.tty.max\n",
                "2: 'lxc.tty.max': there is no '='", "hostname: a\n"},
        BadLine{"NoKey", Format::lxc, "lxc.uts.name = a\ngarbage\n",
                "2: 'garbage' is no setting; kept as part of the description", "#garbage\n"},
        BadLine{"BadNumber", Format::lxc, "lxc.tty.max = 2\nlxc.tty.max = lots\n",
                "2: 'lxc.tty.max': 'lots' is not a number", "lxc.tty.max: 2\n", "lots"},
        BadLine{"BadLimit", Format::lxc, "lxc.cgroup.memory.limit_in_bytes = lots\nlxc.uts.name = a\n",
                "1: 'lxc.cgroup.memory.limit_in_bytes': 'lots' is not a byte count", "hostname: a\n", "lots"},
        BadLine{"SwapBelowMemory", Format::lxc,
                "lxc.cgroup.memory.limit_in_bytes = 64M\nlxc.cgroup.memory.memsw.limit_in_bytes = 32M\n",
                "2: 'lxc.cgroup.memory.memsw.limit_in_bytes': '32M' is not at least", "memory: 64\n"},
        BadLine{"PeriodBesideQuota", Format::lxc,
                "lxc.cgroup.cpu.cfs_period_us = x\nlxc.cgroup.cpu.cfs_quota_us = 50000\n",
                "1: 'lxc.cgroup.cpu.cfs_period_us': 'x' is not a number", "cpulimit: 0.5\n"},
        BadLine{"ClearWithValue", Format::lxc, "lxc.net.0.type = none\nlxc.net = veth\n",
                "2: 'lxc.net': 'veth' is not empty", "lxc.net.0.type: none\n"},
        BadLine{"SettingBeforeInterface", Format::lxc,
                "lxc.network.link = br0\nlxc.network.type = veth\nlxc.network.flags = up\n",
                "1: 'lxc.network.link' stands before any 'lxc.network.type'", "net0: ", "br0"},
        BadLine{"BadMac", Format::lxc, "lxc.net.0.type = veth\nlxc.net.0.link = br0\nlxc.net.0.hwaddr = zz\n",
                "3: 'lxc.net.0.hwaddr': 'zz' is not", "lxc.net.0.link: br0\n", "zz"},
        BadLine{"LineOfALostInterface", Format::lxc,
                "lxc.uts.name = a\nlxc.net.0.type = phy\nlxc.net.0.link = eth9\n",
                "3: 'lxc.net.0.link' belongs to an interface that is not carried over", "hostname: a\n",
                "eth9"},
        BadLine{"LinkThatIsNeeded", Format::lxc,
                "lxc.uts.name = a\nlxc.net.0.type = phys\nlxc.net.0.link = a/b\n",
                "2: 'lxc.net.0.type' belongs to an interface that is not carried over", "hostname: a\n",
                "phys"},
        BadLine{"BadMount", Format::lxc, "lxc.mount.entry = /a ../../b none bind 0 0\nlxc.uts.name = a\n",
                "1: mount entry '/a ../../b none bind 0 0': the target contains '..'", "hostname: a\n",
                "/a .."}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Lxc01, BadLines,
    ::testing::Values(
        BadLine{"UnknownKey", Format::lxc01, "lxc.tty = 1\nlxc.utsname = a\n",
                "1: unknown key 'lxc.tty': LXC 0.1 has ten keys", "hostname: a\n"},
        BadLine{"NoKey", Format::lxc01, "lxc.utsname = a\ngarbage\n",
                "2: 'garbage' is no setting; kept as part of the description", "#garbage\n"},
        BadLine{"NoEquals", Format::lxc01, "lxc.utsname = a\nlxc.mount\n", "2: 'lxc.mount': there is no '='"},
        BadLine{"MissingFstab", Format::lxc01, "lxc.utsname = a\nlxc.chroot = /r\nlxc.mount = /none\n",
                "3: 'lxc.mount': cannot open '/none': ENOENT", "rootfs: /r\n"},
        BadLine{"SettingBeforeInterface", Format::lxc01, "lxc.network.name = a\nlxc.utsname = a\n",
                "1: 'lxc.network.name' stands before any 'lxc.network.type'", "hostname: a\n"},
        BadLine{"BadAddress", Format::lxc01, "lxc.network.type = veth\nlxc.network.ipv4 = 1 2 3\n",
                "2: 'lxc.network.ipv4': '1 2 3' is not an address", "net0: name=eth0,type=veth\n"}),
    [](const auto& test) { return test.param.name; });

const char* const kInterface =
    "lxc.network.type = veth\nlxc.network.veth.pair = veth100.0\nlxc.network.name = eth0\n";

INSTANTIATE_TEST_SUITE_P(
    EarlyPve, BadLines,
    ::testing::Values(
        BadLine{"UnknownKey", Format::early_pve, "pve.unknown = 1\nlxc.utsname = a\n",
                "1: unknown key 'pve.unknown'", "hostname: a\n", "unknown"},
        BadLine{"BadBoolean", Format::early_pve, "pve.onboot = 3\nlxc.utsname = a\n",
                "1: 'pve.onboot': ", "hostname: a\n", "onboot"},
        BadLine{"BadNameserver", Format::early_pve, "pve.nameserver = here\npve.onboot = 1\n",
                "1: 'pve.nameserver': ", "onboot: 1\n", "nameserver"},
        BadLine{"NoKey", Format::early_pve, "pve.onboot = 1\ngarbage\n",
                "2: 'garbage' is no setting; kept as part of the description", "#garbage\n"},
        BadLine{"NoEquals", Format::early_pve, "pve.onboot = 1\npve.lock\n",
                "2: 'pve.lock': there is no '='"},
        BadLine{"Twice", Format::early_pve, "lxc.utsname = a\nlxc.utsname = b\n",
                "2: 'lxc.utsname' is given twice; the first line counts", "hostname: a\n"},
        BadLine{"NoPair", Format::early_pve, "lxc.utsname = a\nlxc.network.type = veth\n",
                "2: the interface has no usable line 'lxc.network.veth.pair", "hostname: a\n", "net"},
        BadLine{"BadType", Format::early_pve,
                "lxc.network.type = vlan\nlxc.network.name = a\npve.onboot = 1\n",
                "2: 'lxc.network.name' belongs to an interface that is not carried over", "onboot: 1\n"},
        BadLine{"SettingBeforeInterface", Format::early_pve, "pve.network.ip = dhcp\npve.onboot = 1\n",
                "1: 'pve.network.ip' stands before any 'lxc.network.type'", "onboot: 1\n"},
        BadLine{"BadPair", Format::early_pve,
                "pve.onboot = 1\nlxc.network.type = veth\nlxc.network.veth.pair = veth0\n",
                "3: 'lxc.network.veth.pair': 'veth0' is not of the form veth<CTID>.<0 to 31>", "onboot: 1\n"},
        BadLine{"BadMac", Format::early_pve, kInterface + std::string("lxc.network.hwaddr = zz\n"),
                "4: 'lxc.network.hwaddr': ", "net0: name=eth0,type=veth\n"},
        BadLine{"CommaInAValue", Format::early_pve,
                kInterface + std::string("pve.network.ip = dhcp,firewall=0\n"),
                "4: 'pve.network.ip': a comma begins", "net0: name=eth0,type=veth\n"},
        BadLine{"BadTag", Format::early_pve,
                kInterface + std::string("pve.network.tag = x\npve.network.bridge = vmbr0\n"),
                "4: 'pve.network.tag': 'x' is not a number", "net0: name=eth0,type=veth\n", "vmbr0"},
        BadLine{"BadMemory", Format::early_pve, "lxc.cgroup.memory.limit_in_bytes = lots\npve.onboot = 1\n",
                "1: 'lxc.cgroup.memory.limit_in_bytes': 'lots' is not a byte count", "onboot: 1\n"},
        BadLine{"SwapWithoutMemory", Format::early_pve,
                "lxc.cgroup.memory.limit_in_bytes = lots\nlxc.cgroup.memory.memsw.limit_in_bytes = 1g\n",
                "2: 'lxc.cgroup.memory.memsw.limit_in_bytes' needs the limit", "", "swap"},
        BadLine{"BadQuota", Format::early_pve, "lxc.cgroup.cpu.cfs_quota_us = x\npve.onboot = 1\n",
                "1: 'lxc.cgroup.cpu.cfs_quota_us': 'x' is not a number", "cpulimit: 0\n"},
        BadLine{"BadSize", Format::early_pve, "pve.volid = local:100/d.raw\npve.disksize = big\n",
                "2: 'pve.disksize': 'big' is not a size in GiB", "rootfs: local:100/d.raw\n"},
        BadLine{"LineOfNoSnapshot", Format::early_pve, "snap.lxc.arch = i386\npve.onboot = 1\n",
                "1: 'snap.lxc.arch' belongs to no snapshot", "onboot: 1\n"},
        BadLine{"BadSnapshotName", Format::early_pve,
                "pve.snapname = a b\nsnap.lxc.arch = i386\npve.onboot = 1\n",
                "1: 'pve.snapname': 'a b' is no name of a snapshot", "onboot: 1\n"},
        BadLine{"BadSnapshotState", Format::early_pve, "pve.snapname = ab\nsnap.pve.snapstate = odd\n",
                "2: 'pve.snapstate': 'odd' is not prepare or delete", "[ab]\n"},
        BadLine{"BadArch", Format::early_pve, "lxc.arch = arm\npve.onboot = 1\n",
                "1: 'lxc.arch': 'arm' is not one of i386 and amd64", "arch: amd64\n"}),
    [](const auto& test) { return test.param.name; });

std::string domain(const std::string& elements) {
  return "<domain type='lxc'>\n" + elements + "\n<name>web</name></domain>";
}

INSTANTIATE_TEST_SUITE_P(
    Libvirt, BadLines,
    ::testing::Values(
        BadLine{"BadUnit", Format::libvirt, domain("<memory unit='pecks'>1</memory>"),
                "2: <memory>: 'pecks' is not a unit such as KiB, MiB or GB", "hostname: web\n"},
        BadLine{"NoCpus", Format::libvirt, domain("<vcpu>0</vcpu>"), "2: <vcpu>: '0' is not a number of CPUs",
                "hostname: web\n", "cores"},
        BadLine{"WrongType", Format::libvirt, domain("<os><type>hvm</type><init>/i</init></os>"),
                "2: <type>: 'hvm' is not exe, the type of a container", "lxc.init.cmd: /i\n"},
        BadLine{"BadMac", Format::libvirt,
                domain("<devices><interface type='bridge'>\n<mac address='zz'/>\n<source bridge='br0'/>"
                       "</interface></devices>"),
                "3: <mac>: ", "net0: name=eth0,bridge=br0,"},
        BadLine{"BadAddress", Format::libvirt,
                domain("<devices><interface type='bridge'><source bridge='br0'/>\n<ip address='here'/>"
                       "</interface></devices>"),
                "3: <ip>: ", "net0: name=eth0,bridge=br0,", "here"},
        BadLine{"BadName", Format::libvirt,
                domain("<devices><interface type='bridge'><source bridge='br0'/>\n<guest dev='a/b'/>"
                       "</interface></devices>"),
                "3: <guest>: ", "net0: name=eth0,bridge=br0,"},
        BadLine{"BadMtu", Format::libvirt,
                domain("<devices><interface type='bridge'><source bridge='br0'/>\n<mtu size='x'/>"
                       "</interface></devices>"),
                "3: <mtu>: 'x' is not a number", "net0: name=eth0,bridge=br0,"},
        BadLine{
            "BadVlan", Format::libvirt,
            domain("<devices><interface type='bridge'><source bridge='br0'/>\n<vlan><tag id='5000'/></vlan>"
                   "</interface></devices>"),
            "3: <vlan>: a VLAN tag is a number from 1 to 4094; the interface is in no bridge",
            "net0: name=eth0,", "br0"},
        BadLine{"EmptyInit", Format::libvirt, domain("<os><init/></os>"),
                "2: <init>: it is empty; /sbin/init is started", "hostname: web\n", "lxc.init.cmd"},
        BadLine{"TargetOutside", Format::libvirt,
                domain("<devices><filesystem type='mount'><source dir='/a'/>\n<target dir='/../../x'/>"
                       "</filesystem></devices>"),
                "3: <target>: '/../../x' is not a path without '..'", "hostname: web\n", "lxc.mount.entry"},
        BadLine{"SourceOutside", Format::libvirt,
                domain("<devices><filesystem type='bind'>\n<source dir='/../x'/><target dir='/x'/>"
                       "</filesystem></devices>"),
                "3: <source>: '/../x' is not a path without '..'", "hostname: web\n", "lxc.mount.entry"},
        BadLine{"RelativeTarget", Format::libvirt,
                domain("<devices><filesystem type='mount'><source dir='/a'/><target dir='x'/>"
                       "</filesystem></devices>"),
                "2: <filesystem>: 'x' is not an absolute path", "hostname: web\n"},
        BadLine{"RamWithoutASize", Format::libvirt,
                domain("<devices><filesystem type='ram'><target dir='/x'/></filesystem></devices>"),
                "2: <filesystem>: a <source usage='...'/> with its size is missing", "hostname: web\n"},
        BadLine{"BadShares", Format::libvirt, domain("<cputune>\n<shares>x</shares></cputune>"),
                "3: <shares>: 'x' is not a number", "hostname: web\n"},
        BadLine{
            "BadNameserver", Format::libvirt,
            "<domain type='linuxcontainer'>\n<network hostname='old'><nameserver>here</nameserver></network>"
            "</domain>",
            "2: <nameserver>: 'here'", "hostname: old\n"},
        BadLine{"BadNetmask", Format::libvirt,
                "<domain type='linuxcontainer'>\n<network hostname='old'><ip address='1.2.3.4' netmask='x'/>"
                "</network></domain>",
                "2: <ip>: 'x' is not a netmask", "hostname: old\n", "net0"}),
    [](const auto& test) { return test.param.name; });

// What confines the container stays as it is where it stands for a line: no start takes it.
class ConfiningLines : public ::testing::TestWithParam<std::pair<Format, std::string>> {};

TEST_P(ConfiningLines, AreKeptSoThatNoStartGoesWithoutThem) {
  const auto result = imported(GetParam().first, GetParam().second);
  EXPECT_THAT(said(result),
              AllOf(StartsWith("remark: file:"), HasSubstr("is kept as it is: the container does not "
                                                           "start until it is corrected")));
  EXPECT_THAT(result.lost_protection, IsEmpty());
  auto config = result.config;
  config.main.set("rootfs", "/r");
  EXPECT_THROW(lower(config, example_context()), Error) << write_config(config);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfiningLines,
    ::testing::Values(
        std::pair(Format::lxc, "lxc.cap.drop = sys_tmie\n"), std::pair(Format::lxc, "lxc.cap.keep = chwon\n"),
        std::pair(Format::lxc, "lxc.idmap = u 0 100000\nlxc.idmap = g 0 100000 65536\n"),
        std::pair(Format::lxc, "lxc.no_new_privs = yes\n"),
        std::pair(Format::lxc, "lxc.cgroup.devices.deny = all\n"),
        std::pair(Format::lxc, "lxc.mount.auto = proc:mxied\n"),
        std::pair(Format::lxc, "lxc.init.uid = nobody\n"),
        std::pair(Format::lxc, "lxc.net.0.type = veth\nlxc.net.0.link = br0\nlxc.net.0.veth.vlan.id = x\n"),
        std::pair(Format::early_pve, "lxc.cap.drop = sys_tmie\n"),
        std::pair(Format::libvirt, domain("<idmap><uid start='0' target='x' count='1'/></idmap>")),
        std::pair(Format::libvirt, domain("<idmap><uid start='0' target='' count='1 2'/></idmap>")),
        std::pair(Format::libvirt, domain("<os><inituser>nobody</inituser></os>"))));

// Where there is no line to keep, the import must not go on.
class LostProtection : public ::testing::TestWithParam<std::pair<Format, std::string>> {};

TEST_P(LostProtection, IsNamed) {
  const auto result = imported(GetParam().first, GetParam().second);
  ASSERT_EQ(result.lost_protection.size(), 1U) << said(result);
  EXPECT_EQ(result.lost_protection.front(), (Origin{"file", 2}));
  EXPECT_THAT(said(result), AllOf(HasSubstr("not carried over: file:2: "), HasSubstr("may do")));
}

INSTANTIATE_TEST_SUITE_P(
    All, LostProtection,
    ::testing::Values(
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.cap.drop sys_time\n"),
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.cap.dorp = sys_time\n"),
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.cgroup.devices.dney = a\n"),
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.seccomp.porfile = /p\n"),
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.aa_prof = strict\n"),
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.include = /none\n"),
        std::pair(Format::lxc, "lxc.uts.name = a\nlxc.include = relative\n"),
        std::pair(Format::lxc01, "lxc.utsname = a\nlxc.cap.drop = sys_time\n"),
        std::pair(Format::early_pve, "pve.onboot = 1\nlxc.cap.dorp = sys_time\n"),
        std::pair(Format::libvirt,
                  domain("<seclabel type='static' model='apparmor'><label>a&#10;b</label></seclabel>"))));

TEST(LenientImport, TakesUnknownPoliciesOfLibvirtAsTheStrictestOnes) {
  const auto policy =
      imported(Format::libvirt,
               domain("<features><capabilities policy='odd'><chown state='on'/></capabilities></features>"));
  EXPECT_THAT(write_config(policy.config), HasSubstr("lxc.cap.keep: chown\n"));
  EXPECT_THAT(said(policy),
              HasSubstr("file:2: <capabilities>: 'odd' is not default, allow or deny; taken as deny"));
  const auto state =
      imported(Format::libvirt,
               domain("<features><capabilities><sys_ptrace state='maybe'/></capabilities></features>"));
  EXPECT_THAT(write_config(state.config), HasSubstr("lxc.cap.drop: sys_ptrace "));
  EXPECT_THAT(said(state), HasSubstr("'maybe' is not on or off; taken as off"));
}

// The host's network is shared by those who ask for it, not by those whose interface cannot be carried over.
TEST(LenientImport, AnInterfaceThatIsLostDoesNotShareTheHostsNetwork) {
  for (const auto& [format, text] :
       {std::pair(Format::lxc01, std::string("lxc.utsname = a\nlxc.network.type = vlan\n")),
        std::pair(Format::libvirt, domain("<devices><interface type='user'/></devices>"))}) {
    const auto result = imported(format, text);
    EXPECT_THAT(write_config(result.config), Not(HasSubstr("lxc.net.0.type: none")));
    EXPECT_THAT(said(result), AllOf(HasSubstr("not carried over"), Not(HasSubstr("shares the host's"))));
  }
}

TEST(LenientImport, LinesOfIncludedFilesAreToldWithTheirFile) {
  ImportSources sources;
  sources.read_file = [](const std::string& path) -> std::string {
    if (path == "/a") return "lxc.odd = 1\nlxc.tty.max\nlxc.include = /b\nlxc.pty.max = 7\n";
    if (path == "/b") return "lxc.include = /a\n";
    throw Error("cannot open '" + path + "'", ENOENT);
  };
  const auto result =
      import_config(Format::lxc, "lxc.include = /a\nlxc.uts.name = x\n", "file", 100, sources);
  EXPECT_THAT(said(result),
              AllOf(HasSubstr("/a:1: unknown key 'lxc.odd'"), HasSubstr("/a:2: 'lxc.tty.max': there is no"),
                    HasSubstr("/b:1: 'lxc.include': '/a' includes itself")));
  EXPECT_THAT(write_config(result.config), AllOf(HasSubstr("hostname: x\n"), HasSubstr("lxc.pty.max: 7\n")));
}

TEST(LenientImport, EveryProgramThatAStartRunsIsPointedOut) {
  const auto lxc = said(imported(Format::lxc,
                                 "lxc.hook.pre-start = /a b\nlxc.hook.mount = /c\nlxc.hook.start = /d\n"
                                 "lxc.net.0.type = empty\nlxc.net.0.script.up = /e\nlxc.hook.post-stop =\n"));
  EXPECT_THAT(
      lxc,
      HasSubstr("remark: file:1: 'lxc.hook.pre-start' runs a program on this host, as root; read it before "
                "you start the container: '/a b'\n"));
  EXPECT_THAT(lxc,
              HasSubstr("remark: file:2: 'lxc.hook.mount' runs a program of this host's in the container's"));
  EXPECT_THAT(lxc, HasSubstr("remark: file:3: 'lxc.hook.start' runs a program inside the container"));
  EXPECT_THAT(lxc, HasSubstr("remark: file:5: 'lxc.net.0.script.up' runs a program on this host, as root"));
  EXPECT_THAT(lxc, Not(HasSubstr("post-stop")));
  const auto pve =
      said(imported(Format::pve, "hookscript: local:snippets/h\nlxc.hook.stop: /x\nlxc.include: /y\n"));
  EXPECT_THAT(pve, AllOf(HasSubstr("file:1: 'hookscript' runs"), HasSubstr("file:2: 'lxc.hook.stop' runs"),
                         HasSubstr("file:3: 'lxc.include' names a file")));
}

// Nothing of a CT config is lost, so nothing is said to be.
TEST(LenientImport, ACtConfigIsCarriedOverLineByLine) {
  const std::string text = "arch: amd64\ncolour: red\nonboot: 3\nlxc.tty.max: lots\nlxc.odd: 1\nnonsense\n";
  const auto result = imported(Format::pve, text);
  for (const auto line : split(text, '\n')) EXPECT_THAT(write_config(result.config), HasSubstr(line));
  EXPECT_THAT(said(result), AllOf(HasSubstr("remark: file:2: "), HasSubstr("remark: file:6: ")));
  EXPECT_THAT(said(result), Not(HasSubstr("not carried over")));
}

TEST(LenientImport, AByteOrderMarkIsNoPartOfTheFirstLine) {
  EXPECT_EQ(imported(Format::lxc, "\xEF\xBB\xBFlxc.uts.name = a\r\nlxc.tty.max = 1\r\n")
                .config.main.get("hostname"),
            "a");
  EXPECT_EQ(imported(Format::pve, "\xEF\xBB\xBFhostname: a\n").config.main.get("hostname"), "a");
}

TEST(LenientImport, ANamedFormatHasToFit) {
  const auto error = [](Format format, std::string_view text) -> std::string {
    try {
      check_format(format, text, "file");
    } catch (const Error& found) {
      return found.what();
    }
    return "fits";
  };
  EXPECT_THAT(error(Format::lxc, "<domain type='lxc'/>"),
              HasSubstr("'file' is XML; it looks like 'libvirt'"));
  EXPECT_THAT(error(Format::libvirt, "lxc.uts.name = a\n"),
              HasSubstr("'file' is no XML; it looks like 'lxc'"));
  EXPECT_THAT(error(Format::libvirt, "lxc.uts.name = a\n"), HasSubstr("give --format lxc"));
  EXPECT_THAT(error(Format::lxc, "arch: amd64\n"),
              HasSubstr("no line of the format 'lxc'; it looks like 'pve'"));
  EXPECT_THAT(error(Format::pve, ""), HasSubstr("is empty"));
  EXPECT_EQ(error(Format::lxc, "lxc.utsname = a\nnote: x\n"), "fits");
  EXPECT_EQ(error(Format::pve, "lxc.utsname = a\n"), "fits");
}

}  // namespace
}  // namespace hutch::config
