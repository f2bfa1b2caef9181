#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/mount.h"
#include "base/process.h"
#include "base/undo.h"
#include "runtime/id_map.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void set_owner(const std::string& root, uid_t owner) {
  check(::lchown(root.c_str(), owner, owner), "chown");
  for (const auto& entry : fs::recursive_directory_iterator(root))
    check(::lchown(entry.path().c_str(), owner, owner), "chown");
}

class VolumesTest : public ContainerTest {
 protected:
  uid_t owner_of(const std::string& path) {
    struct stat status {};
    check(::lstat(path.c_str(), &status), "cannot stat " + path);
    return status.st_uid;
  }

  // Why this test's file system cannot be id-mapped; empty when it can.
  std::string id_map_probe() {
    try {
      const UniqueFd tree = clone_mount(AT_FDCWD, rootfs(), false);
      set_mount_id_map(tree.get(), make_id_map_namespace(spec.id_map).get(), false);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  // An ext4 image with the test's rootfs in it, owned by `owner`.
  std::string make_image(uid_t owner) {
    const std::string image = directory() + "/rootfs.raw";
    set_owner(rootfs(), owner);
    run_checked({"truncate", "-s", "64M", image});
    run_checked(
        {"mkfs.ext4", "-q", "-d", rootfs(), "-E", formatted("root_owner={}:{}", owner, owner), image});
    return image;
  }

  MountSpec bind(const std::string& source, const std::string& target, MountSpec::Create create) {
    MountSpec mount;
    mount.bind = true;
    mount.source = source;
    mount.target = target;
    mount.create = create;
    mount.origin = {"test.conf", 7};
    return mount;
  }
};

TEST_F(VolumesTest, ARootfsOwnedByRootIsIdMapped) {
  if (const auto reason = id_map_probe(); !reason.empty()) GTEST_SKIP() << "probe: " << reason;
  set_owner(rootfs(), 0);
  StartOptions options;
  options.set_up_guest = [&](int root, Owner owner, const StartOptions::Warn&) {
    replace_file(root, "etc/edited", "by the host", 0644, owner, Resolve::in_root);
  };
  start(options);
  EXPECT_TRUE(fs::exists(rootfs() + "/etc/edited"));
  EXPECT_EQ(owner_of(rootfs() + "/etc/edited"), 0U);
  EXPECT_EQ(sh("stat -c %u:%g /bin/busybox /etc/edited; touch /tmp/new && stat -c %u /tmp/new"),
            "0:0\n0:0\n0");
  EXPECT_EQ(owner_of(rootfs() + "/tmp/new"), 0U);
}

TEST_F(VolumesTest, ARootfsOfAnotherIdMapIsRefused) {
  set_owner(rootfs(), 200000);
  EXPECT_THAT(start_error(), HasSubstr("belongs to host user 200000"));
}

TEST_F(VolumesTest, AnImageIsMountedAndItsLoopDeviceReleased) {
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = make_image(100000);
  start();
  EXPECT_THAT(sh("grep ' / ' /proc/mounts"), HasSubstr(" / ext4 "));
  EXPECT_EQ(sh("echo kept > /root/file && cat /root/file"), "kept");
  const std::string supervisors =
      formatted("/proc/{}/root{}/bin/busybox", state().supervisor.pid, rootfs_mount_path(sysroot(), vmid()));
  EXPECT_TRUE(fs::exists(supervisors)) << "the rootfs is mounted in the supervisor's mount namespace";
  EXPECT_FALSE(fs::exists(rootfs_mount_path(sysroot(), vmid()) + "/bin")) << "and not on the host";
  kill();
  start();
  EXPECT_EQ(sh("cat /root/file"), "kept");
}

TEST_F(VolumesTest, AnImageWithTheContainersIdsIsIdMapped) {
  if (const auto reason = id_map_probe(); !reason.empty()) GTEST_SKIP() << "probe: " << reason;
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = make_image(0);
  spec.rootfs.disk_ids = DiskIds::container;
  StartOptions options;
  options.set_up_guest = [](int root, Owner owner, const StartOptions::Warn&) {
    replace_file(root, "etc/edited", "by the host", 0644, owner, Resolve::in_root);
  };
  start(options);
  EXPECT_EQ(sh("stat -c %u:%g / /etc/edited"), "0:0\n0:0");
}

TEST_F(VolumesTest, AnImageOfTheWrongIdsSaysWhatToDo) {
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = make_image(0);
  EXPECT_THAT(start_error(), HasSubstr("idmap=passthrough"));
}

TEST_F(VolumesTest, AnImageWithoutAFileSystemIsRefused) {
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = directory() + "/empty.raw";
  run_checked({"truncate", "-s", "1M", spec.rootfs.source});
  EXPECT_THAT(start_error(), HasSubstr("no file system type of this kernel accepts it"));
}

TEST_F(VolumesTest, APrivilegedContainerCannotMakeTheHostsFileSystemReadOnly) {
  // On a file system of the test's own: if this fails, the host's must not be the one that suffers.
  const std::string mounted = directory() + "/fs";
  make_directories(mounted);
  const UniqueFd scratch = new_filesystem("tmpfs", {{"size", "16M"}}, 0);
  attach_mount(scratch.get(), AT_FDCWD, mounted);
  UndoStack undo;
  undo.push("unmount", [&] { ::umount2(mounted.c_str(), MNT_DETACH); });
  fs::copy(rootfs(), mounted + "/rootfs", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  spec.id_map = {};
  spec.unprivileged = false;
  spec.namespaces.user = false;
  spec.rootfs.source = mounted + "/rootfs";
  start();
  EXPECT_THAT(sh("mount -o remount,ro /"), HasSubstr("busy"));
  EXPECT_EQ(sh("touch /tmp/still-writable && echo yes"), "yes");
  kill();
}

TEST_F(VolumesTest, MountPointsAreBoundAndMadeForTheContainersRoot) {
  const std::string source = directory() + "/data";
  make_directories(source);
  replace_file(AT_FDCWD, source + "/file", "shared", 0644);
  VolumeSpec volume;
  volume.key = "mp0";
  volume.source = source;
  volume.target = "/srv/deep/data";
  volume.bind = true;
  volume.read_only = true;
  spec.mount_points = {volume};
  start();
  EXPECT_EQ(sh("cat /srv/deep/data/file; stat -c %u /srv /srv/deep"), "shared0\n0");
  EXPECT_THAT(sh("echo x > /srv/deep/data/file"), HasSubstr("Read-only file system"));
}

TEST_F(VolumesTest, MountPointsOfAnIdMappedRootfsAreMadeWithTheDisksIds) {
  if (const auto reason = id_map_probe(); !reason.empty()) GTEST_SKIP() << "probe: " << reason;
  set_owner(rootfs(), 0);
  make_directories(rootfs() + "/home");
  ASSERT_EQ(::lchown((rootfs() + "/home").c_str(), 1000, 1000), 0);
  ASSERT_EQ(::chmod((rootfs() + "/home").c_str(), 0700), 0);
  VolumeSpec volume;
  volume.key = "mp0";
  volume.source = directory();
  volume.target = "/home/made/here";
  volume.bind = true;
  spec.mount_points = {volume};
  start();
  EXPECT_EQ(sh("stat -c %u:%g /home /home/made"), "1000:1000\n0:0");
  EXPECT_EQ(owner_of(rootfs() + "/home/made/here"), 0U);
}

TEST_F(VolumesTest, AMountPointBehindASymlinkIsRefused) {
  VolumeSpec volume;
  volume.key = "mp0";
  volume.source = directory();
  volume.target = "/link/data";
  volume.bind = true;
  volume.origin = {"test.conf", 9};
  spec.mount_points = {volume};
  ASSERT_EQ(::symlink("/tmp", (rootfs() + "/link").c_str()), 0);
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("ELOOP"));
  EXPECT_THAT(error, HasSubstr("test.conf:9"));
}

TEST_F(VolumesTest, MountEntries) {
  const std::string source = directory() + "/data";
  make_directories(source);
  replace_file(AT_FDCWD, source + "/file", "shared", 0644);
  auto directory_entry = bind(source, "mnt/data", MountSpec::Create::directory);
  directory_entry.attributes_set = MOUNT_ATTR_RDONLY;
  auto file_entry = bind(source + "/file", "mnt/one", MountSpec::Create::file);
  MountSpec tmpfs;
  tmpfs.source = "scratch";
  tmpfs.type = "tmpfs";
  tmpfs.target = "mnt/scratch";
  tmpfs.create = MountSpec::Create::directory;
  tmpfs.fs_options = {{"size", "64k"}};
  auto missing = bind("/does/not/exist", "mnt/missing", MountSpec::Create::directory);
  missing.optional = true;
  MountSpec inside = bind("etc", "mnt/etc", MountSpec::Create::directory);
  inside.source_in_root = true;
  spec.mounts = {directory_entry, file_entry, tmpfs, missing, inside};
  start();
  EXPECT_EQ(sh("cat /mnt/data/file /mnt/one; ls /mnt/etc"), "sharedsharedpasswd");
  EXPECT_THAT(sh("echo x > /mnt/data/file"), HasSubstr("Read-only file system"));
  EXPECT_THAT(sh("grep scratch /proc/mounts"), HasSubstr("scratch /mnt/scratch tmpfs rw,relatime,size=64k"));
}

TEST_F(VolumesTest, AMissingSourceThatIsNotOptionalNamesItsLine) {
  spec.mounts = {bind("/does/not/exist", "mnt/data", MountSpec::Create::directory)};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("ENOENT"));
  EXPECT_THAT(error, HasSubstr("test.conf:7"));
}

TEST_F(VolumesTest, AnEntrysTargetIsNotFollowed) {
  ASSERT_EQ(::symlink("/tmp", (rootfs() + "/mnt/link").c_str()), 0);
  spec.mounts = {bind(directory(), "mnt/link", MountSpec::Create::no)};
  EXPECT_THAT(start_error(), HasSubstr("ELOOP"));
}

TEST_F(VolumesTest, AnIdMappedEntryShowsTheHostsIds) {
  if (const auto reason = id_map_probe(); !reason.empty()) GTEST_SKIP() << "probe: " << reason;
  const std::string source = directory() + "/data";
  make_directories(source);
  replace_file(AT_FDCWD, source + "/file", "shared", 0644, Owner{1234, 1234});
  auto entry = bind(source, "mnt/data", MountSpec::Create::directory);
  entry.id_mapped = true;
  spec.mounts = {entry};
  start();
  EXPECT_EQ(sh("stat -c %u:%g /mnt/data/file"), "1234:1234");
}

}  // namespace
}  // namespace hutch::kernel_test
