#include <linux/mount.h>

#include "config/lower.h"
#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

// The mount that one lxc.mount.entry line gives, without its origin.
MountSpec mount_of(const std::string& line) {
  auto mount = spec_of(kUnprivileged, "lxc.mount.entry: " + line + "\n").mounts.at(0);
  mount.origin = {};
  return mount;
}

TEST(RawMountEntry, TakesTheRecipes) {
  MountSpec tun;
  tun.source = "/dev/net/tun";
  tun.target = "dev/net/tun";
  tun.type = "none";
  tun.bind = true;
  tun.create = MountSpec::Create::file;
  EXPECT_EQ(mount_of("/dev/net/tun dev/net/tun none bind,create=file"), tun);
  MountSpec data;
  data.source = "/srv/data";
  data.target = "srv/data";
  data.type = "none";
  data.bind = data.recursive = data.id_mapped = true;
  data.create = MountSpec::Create::directory;
  EXPECT_EQ(mount_of("/srv/data srv/data none rbind,create=dir,idmap=container 0 0"), data);
  const auto iso = mount_of("/tank/iso mnt/iso none bind,ro,optional,create=dir,mode=0666 0 0");
  EXPECT_TRUE(iso.optional);
  EXPECT_EQ(iso.attributes_set, std::uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_THAT(iso.fs_options, IsEmpty());
}

TEST(RawMountEntry, TakesFileSystemOptions) {
  EXPECT_THAT(mount_of("tmpfs tmp tmpfs rw,size=512m,mode=1777,create=dir 0 0").fs_options,
              ElementsAre(Pair("size", "512m"), Pair("mode", "1777")));
  EXPECT_THAT(
      mount_of("overlay opt/app overlay lowerdir=/a,upperdir=/b,workdir=/c,index=off,userxattr").fs_options,
      ElementsAre(Pair("lowerdir", "/a"), Pair("upperdir", "/b"), Pair("workdir", "/c"), Pair("index", "off"),
                  Pair("userxattr", "")));
  // Whole words only: this is no "ro".
  EXPECT_THAT(mount_of("t t tmpfs rootcontext=x").fs_options, ElementsAre(Pair("rootcontext", "x")));
}

TEST(RawMountEntry, LetsTheLastAttributeWin) {
  const auto mount = mount_of("/t t none bind,ro,rw,dev,nodev,noatime,strictatime,defaults,sync");
  EXPECT_EQ(mount.attributes_set, std::uint64_t{MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME});
  // A host mount's own read-only, nosuid and noexec stay; only `dev` takes nodev off.
  EXPECT_EQ(mount.attributes_clear, std::uint64_t{MOUNT_ATTR__ATIME});
  EXPECT_EQ(mount_of("/t t none bind,rw,suid,exec,dev").attributes_clear, std::uint64_t{MOUNT_ATTR_NODEV});
}

TEST(RawMountEntry, TakesPropagationAndRelativeSources) {
  const auto mount = mount_of("etc mnt none bind,relative,rslave");
  EXPECT_TRUE(mount.source_in_root);
  EXPECT_EQ(mount.propagation, MountSpec::Propagation::slave);
  EXPECT_TRUE(mount.propagation_recursive);
}

TEST(RawMountEntry, DecodesBlanksInFields) {
  EXPECT_EQ(mount_of("/a\\040b\\134c x\\011y none bind").source, "/a b\\c");
  EXPECT_EQ(mount_of("/a x\\011y none bind").target, "x\ty");
}

TEST(RawMountEntry, TakesAbsoluteTargetsFromTheContainersRoot) {
  const auto result = lower_text(kUnprivileged, "lxc.mount.entry: /a /mnt//x none bind\n");
  EXPECT_EQ(result.spec.mounts.at(0).target, "mnt/x");
  ASSERT_THAT(result.diagnostics, SizeIs(1));
  EXPECT_EQ(result.diagnostics[0].origin, (Origin{"100.conf", 5}));
  EXPECT_EQ(mount_of("/a /var/lib/lxc/100/rootfs/mnt/x none bind").target, "mnt/x");
}

TEST(RawMountEntry, RefusesBadLines) {
  for (const auto* bad :
       {"/a", "/a b", "/a ../b none bind", "/a b/../../c none bind", "/a / none bind", "../a b none bind",
        "/a b none create=dir", "/a b none bind,idmap=proc/1/ns/user", "/a b none bind,create=link",
        "t b tmpfs idmap=container", "t b tmpfs idmap=/proc/1/ns/user",
        "a b none bind,relative,idmap=container", "../a b none bind,relative", "/a b c d 0 0 0"}) {
    EXPECT_THAT(error_of(kUnprivileged, std::string("lxc.mount.entry: ") + bad + "\n"),
                AllOf(HasSubstr("mount entry"), HasSubstr("[100.conf:5]")))
        << bad;
  }
}

TEST(RawMountEntry, IsClearedByAnEmptyLine) {
  EXPECT_THAT(spec_of(kPrivileged, "lxc.mount.entry:\n").mounts, IsEmpty());
}

TEST(RawMountFstab, ComesBeforeTheEntries) {
  const auto mounts =
      spec_of(kUnprivileged, "lxc.mount.entry: /c c none bind\nlxc.mount.fstab: /fstab\n").mounts;
  ASSERT_THAT(mounts, SizeIs(3));
  EXPECT_EQ(mounts[0].source, "/a");
  EXPECT_EQ(mounts[0].origin, (Origin{"/fstab", 3}));
  EXPECT_EQ(mounts[1].source, "/b");
  EXPECT_EQ(mounts[2].source, "/c");
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.mount: /fstab\nlxc.mount.fstab:\n").mounts, IsEmpty());
}

TEST(RawMountFstab, RefusesMissingFilesAndBadLines) {
  EXPECT_THAT(error_of(kUnprivileged, "lxc.mount.fstab: /none\n"),
              AllOf(HasSubstr("ENOENT"), HasSubstr("[100.conf:5]")));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.mount.fstab: /bad-fstab\n"), HasSubstr("[/bad-fstab:2]"));
}

TEST(RawMountAuto, ReplacesOnlyItsCategory) {
  const auto spec = spec_of(kUnprivileged, "lxc.mount.auto: \"proc:rw sys:ro\"\n");
  EXPECT_EQ(spec.proc, ProcMount::read_write);
  EXPECT_EQ(spec.sys, SysMount::read_only);
  EXPECT_EQ(spec.cgroup, CgroupMount::read_write);
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.mount.auto: cgroup:ro:force\n").cgroup, CgroupMount::read_only);
}

TEST(RawMountAuto, IsClearedByAnEmptyLine) {
  const auto spec = spec_of(kUnprivileged, "lxc.mount.auto:\nlxc.mount.auto: proc\n");
  EXPECT_EQ(spec.proc, ProcMount::mixed);
  EXPECT_EQ(spec.sys, SysMount::none);
  EXPECT_EQ(spec.cgroup, CgroupMount::none);
  EXPECT_THAT(error_of(kUnprivileged, "lxc.mount.auto: proc:ro\n"), HasSubstr("unknown mount 'proc:ro'"));
}

}  // namespace
}  // namespace hutch::config
