#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/loop_device.h"
#include "base/mount.h"
#include "base/process.h"
#include "base/text.h"
#include "base/undo.h"
#include "runtime/id_map.h"
#include "runtime/locked_mount.h"
#include "tests/kernel/container_fixture.h"

// Kinds of root file systems and volumes, their id maps, and mount entries, in real containers.
namespace hutch::kernel_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

uid_t owner_of(const std::string& path) {
  struct stat status {};
  check(::lstat(path.c_str(), &status), "cannot stat " + path);
  return status.st_uid;
}

class RootfsTest : public ContainerTest {
 protected:
  void make_overlay(uid_t lower_owner) {
    if (lower_owner != 100000) set_owner_of_rootfs(lower_owner);
    spec.rootfs.kind = VolumeSpec::Kind::overlay;
    spec.rootfs.lower = {rootfs()};
    spec.rootfs.source = directory() + "/delta0";
    spec.rootfs.work = directory() + "/olwork";
  }

  std::string make_image(const std::string& name, const std::vector<std::string>& options) {
    const std::string image = directory() + "/" + name;
    run_checked({"truncate", "-s", "64M", image});
    std::vector<std::string> words = {"mkfs.ext4", "-q"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(image);
    run_checked(words);
    return image;
  }

  VolumeSpec mount_point(const std::string& source, const std::string& target) {
    VolumeSpec volume;
    volume.key = formatted("mp{}", spec.mount_points.size());
    volume.source = source;
    volume.target = target;
    volume.bind = true;
    volume.origin = {"test.conf", 4};
    return volume;
  }

  MountSpec entry(const std::string& source, const std::string& target) {
    MountSpec mount;
    mount.bind = true;
    mount.source = source;
    mount.target = target;
    mount.type = "none";
    mount.create = MountSpec::Create::directory;
    mount.origin = {"test.conf", 7};
    return mount;
  }

  std::string make_data(uid_t owner) {
    const std::string data = directory() + "/data";
    make_directories(data);
    replace_file(AT_FDCWD, data + "/file", "data\n", 0644, Owner{owner, owner});
    check(::chown(data.c_str(), owner, owner), "chown");
    return data;
  }
};

TEST_F(RootfsTest, AnOverlayTakesTheWritesInItsUpperDirectory) {
  make_overlay(100000);
  start();
  EXPECT_THAT(sh("grep ' / ' /proc/mounts"), HasSubstr(" / overlay "));
  EXPECT_EQ(sh("echo mine > /root/file; rm /etc/passwd; stat -c %u:%g / /root/file"), "0:0\n0:0");
  EXPECT_EQ(owner_of(directory() + "/delta0/root/file"), 100000U);
  EXPECT_FALSE(fs::exists(rootfs() + "/root/file"));
  EXPECT_TRUE(fs::exists(rootfs() + "/etc/passwd"));
  kill();
  start();
  EXPECT_EQ(sh("cat /root/file; test -e /etc/passwd || echo gone"), "mine\ngone");
}

TEST_F(RootfsTest, AnOverlaysLowerDirectoryIsIdMapped) {
  make_overlay(0);
  start();
  EXPECT_EQ(sh("stat -c %u:%g / /bin/busybox; chmod 700 /root && stat -c %a /root"), "0:0\n0:0\n700");
  // Copied up with a host id; below, everything is still root's.
  EXPECT_EQ(owner_of(directory() + "/delta0/root"), 100000U);
  EXPECT_EQ(owner_of(rootfs() + "/root"), 0U);
}

TEST_F(RootfsTest, AnOverlayHasSeveralLowerDirectories) {
  make_overlay(100000);
  const std::string top = directory() + "/top";
  make_directories(top + "/etc");
  replace_file(AT_FDCWD, top + "/etc/passwd", "top\n", 0644);
  spec.rootfs.lower = {top, rootfs()};
  start();
  EXPECT_EQ(sh("cat /etc/passwd; test -x /bin/busybox && echo both"), "top\nboth");
}

TEST_F(RootfsTest, AMissingLowerDirectoryNamesItsLine) {
  make_overlay(100000);
  spec.rootfs.lower = {directory() + "/nowhere"};
  spec.rootfs.origin = {"test.conf", 2};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("nowhere"));
  EXPECT_THAT(error, HasSubstr("test.conf:2"));
}

TEST_F(RootfsTest, ABtrfsImageBoots) {
  make_privileged();
  const std::string image = directory() + "/btrfs.img";
  try {
    run_checked({"truncate", "-s", "200M", image});
    run_checked({"mkfs.btrfs", "-q", "-r", rootfs(), image});
  } catch (const Error& error) {
    GTEST_SKIP() << "probe: mkfs.btrfs: " << error.what();
  }
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = image;
  start();
  EXPECT_THAT(sh("grep ' / ' /proc/mounts"), HasSubstr(" / btrfs "));
}

TEST_F(RootfsTest, AnotherStagingDirectoryHasToExistAndStays) {
  spec.rootfs_mount = directory() + "/stage";
  EXPECT_THAT(start_error(), HasSubstr(directory() + "/stage"));
  make_directories(spec.rootfs_mount);
  start();
  EXPECT_TRUE(fs::exists(formatted("/proc/{}/root{}/bin", state().supervisor.pid, spec.rootfs_mount)));
  EXPECT_FALSE(fs::exists(spec.rootfs_mount + "/bin"));
  kill();
  EXPECT_TRUE(fs::is_directory(spec.rootfs_mount));
}

TEST_F(RootfsTest, AnImageThatIsAttachedAlreadyIsUsedAgain) {
  const std::string image = make_image("data.raw", {"-E", "root_owner=100000:100000"});
  const LoopDevice mine = attach_loop_device(image, false);
  auto volume = mount_point(image, "/mnt/data");
  volume.bind = false;
  volume.kind = VolumeSpec::Kind::image;
  spec.mount_points = {volume};
  start();
  EXPECT_THAT(sh("grep /mnt/data /proc/mounts"), HasSubstr(mine.path + " "));
}

TEST_F(RootfsTest, AnImageCanBeReadOnly) {
  auto volume = mount_point(make_image("data.raw", {"-E", "root_owner=100000:100000"}), "/mnt/data");
  volume.bind = false;
  volume.kind = VolumeSpec::Kind::image;
  volume.read_only = true;
  spec.mount_points = {volume};
  start();
  EXPECT_THAT(sh("touch /mnt/data/x; grep -o 'ext4 r[ow]' /proc/mounts"), HasSubstr("ext4 ro"));
}

TEST_F(RootfsTest, AReadOnlyMountPointCannotBeMadeWritableFromInside) {
  const std::string data = make_data(100000);
  auto volume = mount_point(data, "/mnt/data");
  volume.read_only = true;
  volume.mount_attributes = MOUNT_ATTR_NOEXEC;
  spec.mount_points = {volume};
  start();
  EXPECT_THAT(sh("touch /mnt/data/x"), HasSubstr("Read-only file system"));
  EXPECT_NE(sh("mount -o remount,bind,rw,exec /mnt/data && echo changed"), "changed");
  // What it covers stays covered.
  EXPECT_NE(sh("umount /mnt/data && echo changed"), "changed");
  EXPECT_FALSE(fs::exists(data + "/x"));
}

TEST_F(RootfsTest, AReadOnlyEntryAndAReadOnlyHostMountCannotBeMadeWritableEither) {
  const std::string data = make_data(100000);
  auto read_only = entry(data, "mnt/one");
  read_only.attributes_set = MOUNT_ATTR_RDONLY;
  // The host's own mount is read-only, the entry says nothing.
  const std::string place = directory() + "/ro";
  make_directories(place);
  const UniqueFd bound = clone_mount(AT_FDCWD, data, false);
  set_mount_attributes(bound.get(), MOUNT_ATTR_RDONLY, 0, false);
  attach_mount(bound.get(), AT_FDCWD, place);
  UndoStack undo;
  undo.push("unmount", [&] { ::umount2(place.c_str(), MNT_DETACH); });
  auto file = entry(data + "/file", "mnt/file");
  file.create = MountSpec::Create::file;
  file.attributes_set = MOUNT_ATTR_RDONLY;
  spec.mounts = {read_only, entry(place, "mnt/two"), file};
  start();
  for (const auto* path : {"/mnt/one", "/mnt/two", "/mnt/file"}) {
    EXPECT_NE(sh(formatted("mount -o remount,bind,rw {} && echo changed", path)), "changed") << path;
  }
  EXPECT_THAT(sh("touch /mnt/one/x; touch /mnt/two/x; echo x > /mnt/file"),
              HasSubstr("Read-only file system"));
  EXPECT_FALSE(fs::exists(data + "/x"));
  kill();
}

TEST_F(RootfsTest, SingleIdsOnDiskAreSeenFromBothSides) {
  const std::string data = make_data(1000);
  check(::chmod(data.c_str(), 0777), "chmod");
  auto volume = mount_point(data, "/mnt/data");
  volume.disk_ids = DiskIds::ranges;
  volume.disk_ranges = {{false, 1000, 1000, 1}, {true, 1000, 1000, 1}};
  spec.mount_points = {volume};
  start();
  EXPECT_EQ(sh("stat -c %u:%g /mnt/data/file"), "1000:1000");
  EXPECT_EQ(sh("touch /mnt/data/root /mnt/data/user && chown 1000:1000 /mnt/data/user && echo ok"), "ok");
  EXPECT_EQ(owner_of(data + "/user"), 1000U);
  EXPECT_EQ(owner_of(data + "/root"), 100000U);
}

TEST_F(RootfsTest, ARootfsWithSingleIdsIsSetUpWithTheRightOwner) {
  spec.rootfs.disk_ids = DiskIds::ranges;
  spec.rootfs.disk_ranges = {{false, 1000, 1000, 1}};
  replace_file(AT_FDCWD, rootfs() + "/etc/theirs", "x", 0644, Owner{1000, 100000});
  StartOptions options;
  options.set_up_guest = [](int root, Owner owner, const StartOptions::Warn&) {
    replace_file(root, "etc/edited", "by the host", 0644, owner, Resolve::in_root);
  };
  start(options);
  EXPECT_EQ(sh("stat -c %u:%g /etc/edited /etc/theirs"), "0:0\n1000:0");
}

TEST_F(RootfsTest, AnIdMapThatMapsTwiceIsRefused) {
  auto volume = mount_point(make_data(0), "/mnt/data");
  volume.disk_ids = DiskIds::ranges;
  volume.disk_ranges = {{false, 1000, 100005, 1}};
  spec.mount_points = {volume};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("user 100005"));
  EXPECT_THAT(error, HasSubstr("test.conf:4"));
}

TEST_F(RootfsTest, AnEntryCanBeMappedByAnotherNamespace) {
  IdMap map;
  map.uids = map.gids = {{500, 100033, 1, {}}};
  const UniqueFd other = make_id_map_namespace(map);
  auto mapped = entry(make_data(500), "mnt/data");
  mapped.id_map_path = formatted("/proc/{}/fd/{}", ::getpid(), other.get());
  spec.mounts = {mapped};
  start();
  EXPECT_EQ(sh("stat -c %u:%g /mnt/data/file"), "33:33");
}

TEST_F(RootfsTest, WhatIsNoUserNamespaceIsNoIdMap) {
  auto mapped = entry(make_data(500), "mnt/data");
  mapped.id_map_path = "/proc/self/ns/net";
  spec.mounts = {mapped};
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("not a user namespace"));
  EXPECT_THAT(error, HasSubstr("test.conf:7"));
}

TEST_F(RootfsTest, KeepAttributesTakesThoseOfTheCoveredDirectory) {
  make_directories(rootfs() + "/srv");
  check(::chown((rootfs() + "/srv").c_str(), 100033, 100044), "chown");
  check(::chmod((rootfs() + "/srv").c_str(), 02750), "chmod");
  auto volume = mount_point(make_data(100000), "/srv");
  volume.keep_attributes = true;
  spec.mount_points = {volume};
  start();
  EXPECT_EQ(sh("stat -c '%u:%g %a' /srv; cat /srv/file"), "33:44 2750\ndata");
}

TEST_F(RootfsTest, AccessTimesAreAnAttributeOfADirectoryToo) {
  auto volume = mount_point(make_data(100000), "/mnt/data");
  volume.mount_attributes = MOUNT_ATTR_NOATIME | MOUNT_ATTR_NOSUID;
  spec.mount_points = {volume};
  start();
  EXPECT_THAT(sh("grep /mnt/data /proc/mounts"), HasSubstr("nosuid,noatime"));
}

TEST_F(RootfsTest, QuotaIsSwitchedOnAndTheDeviceIsInside) {
  if (!fs::exists("/proc/sys/fs/quota")) GTEST_SKIP() << "probe: this kernel has no disk quota";
  make_privileged();
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = make_image("rootfs.raw", {"-d", rootfs()});
  spec.rootfs.quota = true;
  spec.rootfs.fs_options = {{"usrjquota", "aquota.user"}, {"grpjquota", "aquota.group"}, {"jqfmt", "vfsv0"}};
  start();
  EXPECT_THAT(sh("grep ' / ' /proc/mounts"), HasSubstr("usrjquota=aquota.user"));
  const std::string device = sh("grep ' / ' /proc/mounts | head -1 | grep -o '^/dev/loop[0-9]*'");
  EXPECT_THAT(device, HasSubstr("/dev/loop"));
  EXPECT_EQ(sh(formatted("stat -c '%F %a' {}", device)), "block special file 666");
}

TEST_F(RootfsTest, QuotaNeedsExt4) {
  if (!fs::exists("/proc/sys/fs/quota")) GTEST_SKIP() << "probe: this kernel has no disk quota";
  make_privileged();
  spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.source = directory() + "/root.squashfs";
  try {
    run_checked({"mksquashfs", rootfs(), spec.rootfs.source, "-quiet"});
  } catch (const Error& error) {
    GTEST_SKIP() << "probe: mksquashfs: " << error.what();
  }
  spec.rootfs.quota = true;
  EXPECT_THAT(start_error(), HasSubstr("needs an ext4 file system"));
}

TEST_F(RootfsTest, AnOverlayEntryIsMadeByTheHost) {
  const std::string lower = make_data(100000);
  MountSpec overlay;
  overlay.source = "overlay";
  overlay.type = "overlay";
  overlay.target = "mnt/app";
  overlay.create = MountSpec::Create::directory;
  const std::string own = sysroot().path(formatted("var/lib/lxc/{}", vmid()));
  overlay.fs_options = {{"lowerdir", lower}, {"upperdir", own + "/up"}, {"workdir", own + "/work"}};
  spec.mounts = {overlay};
  start();
  EXPECT_EQ(sh("cat /mnt/app/file; echo new > /mnt/app/file && cat /mnt/app/file"), "data\nnew");
  EXPECT_EQ(read_file(AT_FDCWD, own + "/up/file"), "new\n");
  EXPECT_EQ(read_file(AT_FDCWD, lower + "/file"), "data\n");
  kill();
  remove_tree(AT_FDCWD, own);
}

// The container writes in the first layer, and the second one lies in there.
TEST_F(RootfsTest, AnOverlaysDirectoryIsNoSymlinkOfTheContainers) {
  const std::string lower = make_data(100000);
  const std::string own = sysroot().path(formatted("var/lib/lxc/{}", vmid()));
  const std::string elsewhere = directory() + "/elsewhere";
  make_directories(elsewhere);
  make_directories(own + "/up");
  ASSERT_EQ(::symlink(elsewhere.c_str(), (own + "/up/link").c_str()), 0);
  MountSpec overlay;
  overlay.source = "overlay";
  overlay.type = "overlay";
  overlay.target = "mnt/app";
  overlay.create = MountSpec::Create::directory;
  for (const auto* upper : {"/up/link", "/up/link/deep"}) {
    overlay.fs_options = {{"lowerdir", lower}, {"upperdir", own + upper}, {"workdir", own + "/work"}};
    spec.mounts = {overlay};
    EXPECT_THAT(start_error(), HasSubstr("/up/link' for an overlay")) << upper;
  }
  EXPECT_TRUE(list_directory(elsewhere).empty());
  remove_tree(AT_FDCWD, own);
}

TEST_F(RootfsTest, MountsOfTheHostArriveThroughSharedMounts) {
  const std::string tunnel = directory() + "/tunnel";
  make_directories(tunnel);
  const UniqueFd tree = clone_mount(AT_FDCWD, tunnel, false);
  set_mount_propagation(tree.get(), MS_SHARED, false);
  attach_mount(tree.get(), AT_FDCWD, tunnel);
  UndoStack undo;
  undo.push("unmount", [&] { ::umount2(tunnel.c_str(), MNT_DETACH); });
  auto shared = entry(tunnel, "dev/.lxc-mounts");
  shared.receives_mounts = true;
  spec.mounts = {shared};
  start();
  make_directories(tunnel + "/later");
  const UniqueFd scratch = new_filesystem("tmpfs", {{"mode", "0777"}}, 0);
  attach_mount(scratch.get(), AT_FDCWD, tunnel + "/later");
  undo.push("unmount", [&] { ::umount2((tunnel + "/later").c_str(), MNT_DETACH); });
  replace_file(scratch.get(), "arrived", "", 0644);
  EXPECT_EQ(sh("ls /dev/.lxc-mounts/later"), "arrived");
  // And nothing goes back.
  sh("mkdir /tmp/x; mount -t tmpfs none /dev/.lxc-mounts/later && touch /dev/.lxc-mounts/later/inside");
  EXPECT_FALSE(fs::exists(tunnel + "/later/inside"));
  kill();
}

TEST_F(RootfsTest, ASymlinkToABindSourceIsRefusedForMountPoints) {
  const std::string data = make_data(100000);
  ASSERT_EQ(::symlink(data.c_str(), (directory() + "/link").c_str()), 0);
  spec.mount_points = {mount_point(directory() + "/link", "/mnt/data")};
  EXPECT_THAT(start_error(), HasSubstr("ELOOP"));
}

TEST_F(RootfsTest, AMountInTheContainerCanBeMoved) {
  make_privileged();
  MountSpec scratch;
  scratch.source = "scratch";
  scratch.type = "tmpfs";
  scratch.target = "mnt/old";
  scratch.create = MountSpec::Create::directory;
  MountSpec moved = entry("mnt/old", "mnt/new");
  moved.source_in_root = moved.move = moved.recursive = true;
  spec.mounts = {scratch, moved};
  start();
  EXPECT_EQ(sh("grep -c /mnt/new /proc/mounts; grep -c /mnt/old /proc/mounts"), "1\n0");
}

}  // namespace
}  // namespace hutch::kernel_test
