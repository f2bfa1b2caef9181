#include <linux/mount.h>

#include "base/format.h"
#include "tests/config/lowering_fixture.h"

// dev[n], the options of volumes, LXC's rootfs keys, automatic mounts: lowered to values.
namespace hutch::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr std::string_view kNoRootfs =
    "arch: amd64\n"
    "ostype: unmanaged\n"
    "unprivileged: 1\n";

cgroupv2::DeviceRule rule(bool allow, char type, unsigned major, unsigned minor, std::string_view access,
                          int line) {
  const auto has = [access](char c) { return access.find(c) != access.npos; };
  return {allow, type, major, minor, has('r'), has('w'), has('m'), {"100.conf", line}};
}

TEST(LowerDevices, PassesANodeWithItsRule) {
  const auto spec = spec_of(kUnprivileged, "dev0: /dev/kfd\n");
  ASSERT_THAT(spec.passed_devices, SizeIs(1));
  const DeviceSpec wanted{"dev0", "/dev/kfd", 0660, 0, 0, false, {"100.conf", 5}};
  EXPECT_EQ(spec.passed_devices[0], wanted);
  EXPECT_THAT(spec.devices.rules, ElementsAre(rule(true, 'c', 510, 0, "rw", 5)));
}

TEST(LowerDevices, TakesOwnerModeAndDenyWrite) {
  const auto spec = spec_of(kUnprivileged, "dev3: path=/dev/kfd,mode=0600,uid=5,gid=44,deny-write=1\n");
  const DeviceSpec wanted{"dev3", "/dev/kfd", 0600, 5, 44, true, {"100.conf", 5}};
  EXPECT_THAT(spec.passed_devices, ElementsAre(wanted));
  EXPECT_THAT(spec.devices.rules,
              ElementsAre(rule(true, 'c', 510, 0, "r", 5), rule(false, 'c', 510, 0, "w", 5)));
}

TEST(LowerDevices, KeepsTheOrderOfTheIndexesAndStandsBeforeTheConsole) {
  const auto spec = spec_of(kUnprivileged, "dev1: /dev/kfd\ndev0: /dev/kfd,deny-write=1\nconsole: 0\n");
  ASSERT_THAT(spec.passed_devices, SizeIs(2));
  EXPECT_EQ(spec.passed_devices[0].key, "dev0");
  EXPECT_EQ(spec.devices.rules.back(), rule(false, 'c', 5, 1, "rwm", 7));
}

TEST(LowerDevices, NamesAMissingDevicesLine) {
  EXPECT_THAT(error_of(kUnprivileged, "dev0: /dev/nothing\n"),
              AllOf(HasSubstr("option 'dev0'"), HasSubstr("/dev/nothing"), HasSubstr("ENOENT"),
                    HasSubstr("[100.conf:5]")));
}

TEST(LowerDevices, NeverPassesLoopControlOn) {
  Diagnostics ignored;
  const auto config =
      read_config(std::string(kUnprivileged) + "dev0: /dev/loop-control\n", "100.conf", 100, ignored);
  auto context = test_context();
  context.device_at = [](const std::string&) { return HostDevice{'c', 10, 237}; };
  const auto result = lower(config, context);
  EXPECT_THAT(result.spec.passed_devices, IsEmpty());
  EXPECT_THAT(result.spec.devices.rules, IsEmpty());
  ASSERT_THAT(result.diagnostics, SizeIs(1));
  EXPECT_THAT(result.diagnostics[0].text(), AllOf(HasSubstr("dev0"), HasSubstr("100.conf:5")));
}

TEST(LowerDevices, IgnoreWhatFollowsThreeLettersOfAccess) {
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.cgroup2.devices.deny: c 1:3 rwmx and more\n").devices.rules,
              ElementsAre(rule(false, 'c', 1, 3, "rwm", 5)));
}

TEST(LowerDevices, DenyAllAloneNeedsAFilter) {
  const auto devices = spec_of(kUnprivileged, "lxc.cgroup2.devices.deny: a\n").devices;
  EXPECT_FALSE(devices.allow_by_default);
  EXPECT_THAT(devices.rules, IsEmpty());
}

TEST(LowerVolumeOptions, TakeSingleIdRanges) {
  const auto volume =
      spec_of(kUnprivileged, "mp0: /t,mp=/a,idmap=u:1000:1000:1;g:44:44:2\n").mount_points.at(0);
  EXPECT_EQ(volume.disk_ids, DiskIds::ranges);
  EXPECT_THAT(volume.disk_ranges,
              ElementsAre(DiskIdRange{false, 1000, 1000, 1}, DiskIdRange{true, 44, 44, 2}));
  EXPECT_THAT(diagnostics_of(kPrivileged, "mp0: /t,mp=/a,idmap=u:1000:1000:1\n"),
              ElementsAre(HasSubstr("'idmap' has no effect in a privileged container")));
}

TEST(LowerVolumeOptions, GiveQuotaTheOptionsOfExt4) {
  const auto volume = spec_of(kPrivileged, "mp0: local:100/x.raw,mp=/a,quota=1\n").mount_points.at(0);
  EXPECT_TRUE(volume.quota);
  EXPECT_THAT(volume.fs_options, ElementsAre(Pair("usrjquota", "aquota.user"),
                                             Pair("grpjquota", "aquota.group"), Pair("jqfmt", "vfsv0")));
  EXPECT_THAT(spec_of(kPrivileged, "mp0: local:100/x.raw,mp=/a,quota=1,ro=1\n").mount_points.at(0).fs_options,
              IsEmpty());
}

TEST(LowerVolumeOptions, WithoutEffectAtRunTimeGiveNoWarning) {
  const auto volume =
      spec_of(kUnprivileged, "mp0: local:100/x.raw,mp=/a,backup=1,replicate=0,shared=1,keepattrs=1\n")
          .mount_points.at(0);
  EXPECT_TRUE(volume.keep_attributes);
}

VolumeSpec rootfs_of(const std::string& lines) {
  return spec_of(kNoRootfs, lines).rootfs;
}

TEST(LowerRootfs, TakesADirectory) {
  for (const auto* path : {"/srv/ct", "dir:/srv/ct", "btrfs:/srv/ct"}) {
    const auto rootfs = rootfs_of("lxc.rootfs.path: " + std::string(path) + "\n");
    EXPECT_EQ(rootfs.kind, VolumeSpec::Kind::directory) << path;
    EXPECT_EQ(rootfs.source, "/srv/ct") << path;
    EXPECT_EQ(rootfs.target, "/");
    EXPECT_EQ(rootfs.key, "rootfs");
    EXPECT_TRUE(rootfs.bind);
    EXPECT_EQ(rootfs.origin, (Origin{"100.conf", 4}));
  }
}

TEST(LowerRootfs, TakesAnOverlaysLayersAndPutsItsWorkDirectoryBesideTheUpper) {
  for (const auto* type : {"overlay", "overlayfs"}) {
    const auto rootfs = rootfs_of(formatted("lxc.rootfs.path: {}:/srv/top:/srv/base:/srv/ct/delta0\n", type));
    EXPECT_EQ(rootfs.kind, VolumeSpec::Kind::overlay);
    EXPECT_THAT(rootfs.lower, ElementsAre("/srv/top", "/srv/base"));
    EXPECT_EQ(rootfs.source, "/srv/ct/delta0");
    EXPECT_EQ(rootfs.work, "/srv/ct/olwork");
  }
  // A colon that no slash follows belongs to the name.
  EXPECT_THAT(rootfs_of("lxc.rootfs.path: overlay:/a:b:/c\n").lower, ElementsAre("/a:b"));
  for (const auto* bad : {"overlay:", "overlay:/a", "overlay:a:/b"}) {
    EXPECT_THAT(error_of(kNoRootfs, "lxc.rootfs.path: " + std::string(bad) + "\n"),
                AllOf(HasSubstr("overlay:<lower>"), HasSubstr("[100.conf:4]")))
        << bad;
  }
}

LoweringResult lower_on(HostFile file, const std::string& lines) {
  Diagnostics ignored;
  auto context = test_context();
  context.file_at = [file](const std::string&) { return file; };
  return lower(read_config(std::string(kNoRootfs) + lines, "100.conf", 100, ignored), context);
}

std::string refusal_on(HostFile file, const std::string& path) {
  try {
    lower_on(file, "lxc.rootfs.path: " + path + "\n");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LowerRootfs, SeesByTheFileWhatItIs) {
  const std::string line = "lxc.rootfs.path: /srv/x\n";
  EXPECT_EQ(lower_on(HostFile::directory, line).spec.rootfs.kind, VolumeSpec::Kind::directory);
  EXPECT_EQ(lower_on(HostFile::regular, line).spec.rootfs.kind, VolumeSpec::Kind::image);
  EXPECT_EQ(lower_on(HostFile::block_device, line).spec.rootfs.kind, VolumeSpec::Kind::block_device);
  EXPECT_EQ(lower_on(HostFile::regular, "lxc.rootfs.path: loop:/srv/x.img\n").spec.rootfs.source,
            "/srv/x.img");
  for (const auto* type : {"lvm", "nbd", "rbd", "zfs"}) {
    const auto rootfs =
        lower_on(HostFile::block_device, formatted("lxc.rootfs.path: {}:/dev/vg/ct\n", type)).spec.rootfs;
    EXPECT_EQ(rootfs.kind, VolumeSpec::Kind::block_device) << type;
    EXPECT_EQ(rootfs.source, "/dev/vg/ct") << type;
  }
}

TEST(LowerRootfs, RefusesWhatCannotBeMounted) {
  EXPECT_THAT(refusal_on(HostFile::missing, "/srv/x"), HasSubstr("does not exist"));
  EXPECT_THAT(refusal_on(HostFile::other, "/srv/x"), HasSubstr("neither a directory"));
  EXPECT_THAT(refusal_on(HostFile::regular, "dir:/srv/x"), HasSubstr("is not a directory"));
  EXPECT_THAT(refusal_on(HostFile::directory, "loop:/srv/x"), HasSubstr("is not an image file"));
  for (const auto* path : {"zfs:tank/ct", "nbd:/srv/x.qcow2", "lvm:/dev/vg/x", "rbd:pool/x"}) {
    EXPECT_THAT(refusal_on(HostFile::missing, path),
                AllOf(HasSubstr(path), HasSubstr("not a block device"), HasSubstr("[100.conf:4]")));
  }
  EXPECT_THAT(refusal_on(HostFile::directory, "ceph:/x"), HasSubstr("unknown type 'ceph'"));
  EXPECT_THAT(refusal_on(HostFile::directory, "srv/x"), HasSubstr("neither an absolute path"));
  EXPECT_THAT(error_of(kNoRootfs), HasSubstr("'rootfs' is missing"));
  EXPECT_THAT(error_of(kNoRootfs, "lxc.rootfs.path: /a\nlxc.rootfs.path:\n"), HasSubstr("host's root"));
}

TEST(LowerRootfs, TakesOptions) {
  const auto rootfs =
      rootfs_of("lxc.rootfs.path: dir:/srv/ct\nlxc.rootfs.options: ro,nosuid,rslave,idmap=container,x=y\n");
  EXPECT_TRUE(rootfs.read_only);
  EXPECT_EQ(rootfs.mount_attributes, std::uint64_t{MOUNT_ATTR_NOSUID});
  EXPECT_EQ(rootfs.propagation, Propagation::slave);
  EXPECT_TRUE(rootfs.propagation_recursive);
  EXPECT_EQ(rootfs.disk_ids, DiskIds::container);
  EXPECT_THAT(rootfs.fs_options, IsEmpty());
  const auto other = rootfs_of("lxc.rootfs.path: dir:/srv/ct\nlxc.rootfs.options: idmap=/proc/7/ns/user\n");
  EXPECT_EQ(other.disk_ids, DiskIds::other_namespace);
  EXPECT_EQ(other.id_map_path, "/proc/7/ns/user");
  for (const auto* bad : {"create=dir", "optional", "relative"}) {
    EXPECT_THAT(error_of(kNoRootfs, formatted("lxc.rootfs.path: /x\nlxc.rootfs.options: {}\n", bad)),
                AllOf(HasSubstr("no meaning"), HasSubstr("[100.conf:5]")))
        << bad;
  }
}

TEST(LowerRootfs, KeysCountOnlyWithoutTheOption) {
  const auto result = lower_text(kUnprivileged, "lxc.rootfs.path: dir:/srv/ct\n");
  EXPECT_EQ(result.spec.rootfs.kind, VolumeSpec::Kind::image);
}

TEST(LowerRootfs, TakesTheStagingDirectory) {
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.rootfs.mount: /srv//stage/\n").rootfs_mount, "/srv/stage");
  EXPECT_EQ(spec_of(kUnprivileged, "lxc.rootfs.mount: /x\nlxc.rootfs.mount:\n").rootfs_mount, "");
  EXPECT_THAT(error_of(kUnprivileged, "lxc.rootfs.mount: stage\n"), HasSubstr("[100.conf:5]"));
  EXPECT_THAT(error_of(kUnprivileged, "lxc.rootfs.managed: 2\n"), HasSubstr("[100.conf:5]"));
}

TEST(LowerMounts, TakeOtherNamespacesMovesAndSharedMounts) {
  const auto spec = spec_of(kUnprivileged,
                            "lxc.mount.entry: /a a none rbind,idmap=/proc/7/ns/user\n"
                            "lxc.mount.entry: /a b none move\n"
                            "lxc.mount.entry: a c none move,relative\n"
                            "lxc.mount.auto: shmounts:/run/tunnel shmounts:/run/t2:/mnt/in\n");
  ASSERT_THAT(spec.mounts, SizeIs(5));
  EXPECT_EQ(spec.mounts[0].id_map_path, "/proc/7/ns/user");
  EXPECT_FALSE(spec.mounts[0].id_mapped);
  EXPECT_TRUE(spec.mounts[1].bind && spec.mounts[1].recursive && !spec.mounts[1].move);
  EXPECT_TRUE(spec.mounts[2].move && spec.mounts[2].source_in_root);
  EXPECT_EQ(spec.mounts[3].source, "/run/tunnel");
  EXPECT_EQ(spec.mounts[3].target, "dev/.lxc-mounts");
  EXPECT_TRUE(spec.mounts[3].receives_mounts);
  EXPECT_EQ(spec.mounts[4].target, "mnt/in");
  // Its own category: proc, sys and cgroup stay.
  EXPECT_EQ(spec.proc, ProcMount::mixed);
  for (const auto* bad : {"shmounts", "shmounts:", "shmounts:rel", "shmounts:/a:/", "shmountsx"}) {
    EXPECT_THAT(error_of(kUnprivileged, formatted("lxc.mount.auto: {}\n", bad)), HasSubstr("[100.conf:5]"))
        << bad;
  }
}

TEST(LowerMounts, ForgetAnFstabThatIsEmpty) {
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.mount.fstab: /fstab\n").mounts, SizeIs(2));
  EXPECT_THAT(spec_of(kUnprivileged, "lxc.mount.fstab: /fstab\nlxc.mount.fstab:\n").mounts, IsEmpty());
}

TEST(LowerMounts, TakeTargetsBelowTheRootfsPath) {
  const auto spec =
      spec_of(kNoRootfs, "lxc.rootfs.path: dir:/srv/ct\nlxc.mount.entry: /a /srv/ct/mnt/x none bind\n");
  EXPECT_EQ(spec.mounts.at(0).target, "mnt/x");
}

TEST(LowerDev, HasLxcsWordsForItsSize) {
  EXPECT_FALSE(spec_of(kUnprivileged, "lxc.autodev:\n").autodev);
  EXPECT_TRUE(spec_of(kUnprivileged, "lxc.kmsg: 1\n").kmsg_link);
  const auto result = lower_text(kUnprivileged, "lxc.autodev.tmpfs.size: 1M\n");
  EXPECT_EQ(result.spec.dev_size, 500000U);
  ASSERT_THAT(result.diagnostics, SizeIs(1));
  EXPECT_THAT(result.diagnostics[0].text(), AllOf(HasSubstr("500000"), HasSubstr("100.conf:5")));
}

}  // namespace
}  // namespace hutch::config
