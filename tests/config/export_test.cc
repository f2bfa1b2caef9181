#include "config/formats/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/formats/mount_line.h"
#include "tests/config/formats_fixture.h"

namespace hutch::config {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kBase = "arch: amd64\nhostname: web\nostype: debian\nrootfs: /srv/web\n";

ContainerConfig config_of(const std::string& more) {
  Diagnostics ignored;
  return read_config(std::string(kBase) + more, "100.conf", 100, ignored);
}

std::vector<std::string> lost(const Exported& exported) {
  std::vector<std::string> texts;
  for (const auto& diagnostic : exported.diagnostics) texts.push_back(diagnostic.text());
  return texts;
}

// Read back by the same rules, with the policy file in place.
ContainerConfig read_back(const Exported& exported) {
  auto sources = example_sources();
  return import_config(detect_format(exported.text, "out"), exported.text, "out", 100, sources).config;
}

struct Case {
  std::string name;
  std::string config;
};

class LxcRoundTrip : public ::testing::TestWithParam<Case> {};

TEST_P(LxcRoundTrip, GivesTheSameContainer) {
  const auto config = config_of(GetParam().config);
  const auto exported = export_lxc(config, example_context(), "");
  EXPECT_EQ(describe(read_back(exported)), describe(config)) << exported.text;
}

const Case kCases[] = {
    {"plain", ""},
    {"limits", "memory: 1024\nswap: 256\ncpulimit: 1.5\ncpuunits: 200\n"},
    {"big", "memory: 32768\nlxc.cgroup2.memory.high: 3G\nlxc.cgroup2.pids.max: 100\n"},
    {"terminals", "tty: 5\nconsole: 0\n"},
    {"net",
     "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:12:34:56,type=veth\n"
     "net3: "
     "name=lan,bridge=vmbr1,host-managed=1,ip=10.0.0.5/24,gw=10.0.0.1,ip6=fd00::5/64,gw6=fd00::1,mtu=1400,"
     "type=veth\n"},
    {"mounts",
     "mp0: /srv/data,mp=/data\nmp4: /srv/ro,mp=/ro,ro=1,mountoptions=nosuid;nodev\n"
     "lxc.mount.entry: /dev/fuse dev/fuse none bind,optional,create=file\n"
     "lxc.mount.entry: tmpfs run/x tmpfs size=5m,mode=755,noatime,create=dir 0 0\n"
     "lxc.mount.entry: /a\\040b c none rbind,ro,rslave,create=dir 0 0\n"},
    {"entrypoint",
     "entrypoint: /bin/app \"two words\" 'it\"s'\nlxc.environment.runtime: A=b c\nlxc.environment: X=y\n"},
    {"apparmor", "features: nesting=1,fuse=1,mount=nfs;cifs\n"},
    {"capabilities", "lxc.cap.drop:\nlxc.cap.keep: chown setuid\n"},
    {"devices", "lxc.cgroup2.devices.allow: c 10:200 rwm\nlxc.cgroup2.devices.deny: b *:* m\n"},
    {"init",
     "lxc.init.cwd: /srv\nlxc.init.uid: 5\nlxc.signal.halt: SIGTERM\nlxc.prlimit.nofile: 10:20\n"
     "lxc.sysctl.kernel.msgmax: 100\nlxc.apparmor.profile: unconfined\nlxc.mount.auto: \"proc:rw sys:ro\"\n"},
    {"old", "lxc.tty: 1\nlxc.cgroup.memory.limit_in_bytes: 64M\nlxc.pts: 10\n"},
    {"include", "lxc.include: /fixture/site.d\n"},
    {"alpine", "ostype: alpine\n"},
    {"archlinux", "ostype: archlinux\n"},
    {"ubuntu", "ostype: ubuntu\n"},
    {"idmap",
     "lxc.idmap: u 0 100000 10\nlxc.idmap: u 10 10 1\nlxc.idmap: g 0 100000 65536\n"
     "lxc.seccomp.profile: /fixture/policy\n"},
    {"unprivileged", "unprivileged: 1\nlxc.seccomp.profile: /fixture/policy\n"},
    {"idmap_passthrough", "unprivileged: 1\nlxc.seccomp.profile:\nfeatures: force_rw_sys=1\n"},
};
INSTANTIATE_TEST_SUITE_P(Configs, LxcRoundTrip, ::testing::ValuesIn(kCases),
                         [](const auto& example) { return example.param.name; });

class LibvirtRoundTrip : public ::testing::TestWithParam<Case> {};

// What libvirt has words for comes back; the rest is listed.
TEST_P(LibvirtRoundTrip, GivesTheSameContainer) {
  const auto config = config_of("ostype: unmanaged\n" + GetParam().config);
  const auto exported = export_libvirt(config, example_context());
  EXPECT_EQ(describe(read_back(exported)), describe(config)) << exported.text;
  EXPECT_THAT(exported.diagnostics, ::testing::IsEmpty()) << lost(exported).front();
}

const Case kLibvirtCases[] = {
    {"plain", ""},
    {"limits", "memory: 1024\nswap: 256\ncpulimit: 1.5\ncpuunits: 39\ncores: 3\ntty: 3\n"},
    {"raw",
     "lxc.cgroup2.memory.max: 100000\nlxc.cgroup2.memory.high: 50000\nlxc.cgroup2.cpuset.cpus: 0-1\n"
     "lxc.cgroup2.io.weight: 300\nlxc.cgroup2.cpu.max: 5000 20000\nlxc.cgroup2.cpu.weight: 7\n"
     "lxc.cgroup2.cpuset.mems: 0\nswap: 16\n"},
    {"net",
     "net0: "
     "name=lan,bridge=vmbr1,host-managed=1,hwaddr=BC:24:11:12:34:56,ip=10.0.0.5/24,gw=10.0.0.1,ip6=fd00::5/"
     "64,"
     "mtu=1400,type=veth\n"
     "net1: name=eth1,bridge=vmbr1,link_down=1,type=veth\n"},
    {"mounts",
     "mp0: /srv/data,mp=/data\nmp1: /srv/ro,mp=/ro,ro=1\n"
     "lxc.mount.entry: tmpfs x tmpfs size=4096,create=dir 0 0\n"
     "lxc.mount.entry: var/a mnt/a none bind,relative,create=dir 0 0\n"},
    {"init",
     "lxc.init.cmd: /bin/app \"two words\" 'it\"s'\nlxc.init.uid: 5\nlxc.init.gid: 6\nlxc.init.cwd: /srv\n"
     "lxc.environment.runtime: A=b c\n"},
    {"idmap", "lxc.idmap: u 0 100000 10\nlxc.idmap: g 0 100000 65536\n"},
    {"unprivileged", "unprivileged: 1\n"},
    {"keep", "lxc.cap.drop:\nlxc.cap.keep: chown setuid\n"},
    {"drop", "lxc.cap.drop: sys_ptrace\n"},
};
INSTANTIATE_TEST_SUITE_P(Configs, LibvirtRoundTrip, ::testing::ValuesIn(kLibvirtCases),
                         [](const auto& example) { return example.param.name; });

TEST(LxcExport, WritesThePolicyBesideIt) {
  const auto exported = export_lxc(config_of("unprivileged: 1\n"), example_context(), "/out.seccomp");
  EXPECT_THAT(exported.text, HasSubstr("lxc.seccomp.profile = /out.seccomp\n"));
  EXPECT_THAT(exported.seccomp_policy, HasSubstr("keyctl errno 38"));
  const auto without = export_lxc(config_of("unprivileged: 1\n"), example_context(), "");
  EXPECT_THAT(without.text, HasSubstr("lxc.seccomp.profile = /usr/share/lxc/config/common.seccomp\n"));
  EXPECT_THAT(lost(without), Contains(HasSubstr("100.conf:5: the seccomp rules")));
}

TEST(LxcExport, WritesDevices) {
  const auto exported = export_lxc(config_of("dev0: /dev/net/tun,deny-write=1\n"), example_context(), "");
  EXPECT_THAT(exported.text,
              HasSubstr("lxc.cgroup2.devices.allow = c 10:200 r\n"
                        "lxc.cgroup2.devices.deny = c 10:200 w\n"
                        "lxc.mount.entry = /dev/net/tun dev/net/tun none bind,create=file 0 0\n"));
}

TEST(LxcExport, ListsWhatItCannotSay) {
  const auto exported =
      export_lxc(config_of("cores: 2\nnameserver: 1.2.3.4\nprotection: 1\ntags: a\n"
                           "dev0: /dev/net/tun,mode=0600\nmp0: local:100/vm-100-disk-1.raw,mp=/x\n"
                           "net0: name=eth0,bridge=b,tag=5,rate=3,ip=dhcp\nstartup: down=5\n"),
                 example_context(), "");
  const auto texts = lost(exported);
  for (const char* text :
       {"100.conf:5: 'cores'", "100.conf:6: 'nameserver'", "100.conf:7: 'protection'", "100.conf:8: 'tags'",
        "100.conf:9: 'dev0': mode", "100.conf:10: 'mp0'", "100.conf:11: 'net0': tag",
        "100.conf:11: 'net0': rate", "100.conf:11: 'net0': addresses", "100.conf:12: 'startup'"}) {
    EXPECT_THAT(texts, Contains(HasSubstr(text)));
  }
}

TEST(LxcExport, KeepsTheDescription) {
  EXPECT_THAT(export_lxc(config_of("#one\n#two%3A\n"), example_context(), "").text,
              HasSubstr("#one\n#two:\n"));
}

TEST(LibvirtExport, ListsWhatItCannotSay) {
  const auto exported = export_libvirt(
      config_of("lxc.prlimit.nofile: 5\nlxc.mount.entry: /a b none rbind,create=dir\nhookscript: x\n"
                "onboot: 1\nconsole: 0\nlxc.hook.start: /x\nnet0: name=eth0,bridge=b\n"),
      example_context());
  const auto texts = lost(exported);
  for (const char* text : {"100.conf:5: 'lxc.prlimit.nofile = 5'", "100.conf:6: the mount on /b",
                           "100.conf:7: option 'hookscript'", "100.conf:8: option 'onboot'",
                           "100.conf:9: a container without a console", "100.conf:10: 'lxc.hook.start = /x'",
                           "100.conf:11: 'net0': libvirt always"}) {
    EXPECT_THAT(texts, Contains(HasSubstr(text)));
  }
}

TEST(LibvirtExport, EscapesText) {
  const auto exported = export_libvirt(config_of("#a <b> & c\nlxc.init.cmd: /x '<&>'\n"), example_context());
  EXPECT_THAT(exported.text, HasSubstr("<initarg>&lt;&amp;&gt;</initarg>"));
  EXPECT_THAT(exported.text, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace hutch::config
