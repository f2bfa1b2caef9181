// Volumes on real file systems: made, mounted, filled, freed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <memory>
#include <optional>

#include "base/loop_device.h"
#include "base/mount.h"
#include "storage/dir_storage.h"
#include "tests/storage/needs_root.h"
#include "tests/storage/unpacked.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

class VolumeKernel : public NeedsRoot {
 protected:
  void SetUp() override {
    NeedsRoot::SetUp();
    if (IsSkipped()) return;
    if (!path_exists(AT_FDCWD, "/dev/loop-control")) GTEST_SKIP() << "probe: no loop devices";
    storage_.emplace(StorageConfig::load(sysroot_).dir("local"), sysroot_);
  }
  // The root directory of an image, mounted nowhere: it is released with its descriptor.
  static UniqueFd mounted(const std::string& image) {
    const LoopDevice device = attach_loop_device(image, false);
    return mount_block_device(device.path, {}, 0);
  }
  std::string extract_into(int root_fd, const std::string& bytes) {
    write_text(scratch_ / "a.tar", bytes);
    const UniqueFd root = open_file(root_fd, ".", O_RDONLY | O_DIRECTORY);
    return error_of([&] {
      extract_template(
          {.archive = scratch_ / "a.tar", .root_fd = root.get(), .uids = kShifted, .gids = kShifted});
    });
  }

  Scratch scratch_;
  Sysroot sysroot_{scratch_.path()};
  std::optional<DirStorage> storage_;
};

TEST_F(VolumeKernel, ADirectoryVolume) {
  const VolumeId id = storage_->allocate(101, 0, {100000, 100001});
  EXPECT_EQ(id.text(), "local:101/subvol-101-disk-0.subvol");
  struct stat status {};
  ASSERT_EQ(::lstat(storage_->path_of(id).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFDIR | 0755U);
  EXPECT_EQ(status.st_uid, 100000U);
  EXPECT_EQ(status.st_gid, 100001U);
  make_directories(storage_->path_of(id) + "/deep/tree");
  storage_->free(id);
  EXPECT_FALSE(path_exists(AT_FDCWD, scratch_ / "var/lib/vz/images/101"));
}

TEST_F(VolumeKernel, AnImageVolumeHoldsAContainer) {
  const VolumeId id = storage_->allocate(101, 64ULL << 20, {100000, 100000});
  EXPECT_EQ(id.text(), "local:101/vm-101-disk-0.raw");
  const VolumeId second = storage_->allocate(101, 0, {0, 0});
  EXPECT_EQ(second.text(), "local:101/subvol-101-disk-1.subvol");
  struct stat status {};
  ASSERT_EQ(::lstat(storage_->path_of(id).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0640U);
  EXPECT_EQ(status.st_size, 64 << 20);
  EXPECT_LT(status.st_blocks, 64 << 10);
  {
    const UniqueFd root = mounted(storage_->path_of(id));
    ASSERT_EQ(::fstat(root.get(), &status), 0);
    EXPECT_EQ(status.st_uid, 100000U);
    EXPECT_EQ(extract_into(root.get(), TarMaker().directory("etc/").file("etc/x", "y").stream()), "");
    EXPECT_EQ(read_file(root.get(), "etc/x"), "y");
  }
  storage_->free(id);
  EXPECT_TRUE(path_exists(AT_FDCWD, scratch_ / "var/lib/vz/images/101"));
  storage_->free(second);
  EXPECT_FALSE(path_exists(AT_FDCWD, scratch_ / "var/lib/vz/images/101"));
}

TEST_F(VolumeKernel, AFullVolumeSaysSo) {
  const VolumeId id = storage_->allocate(101, 8ULL << 20, {100000, 100000});
  const UniqueFd root = mounted(storage_->path_of(id));
  EXPECT_THAT(extract_into(root.get(), TarMaker().file("big", std::string(16U << 20, 'x')).stream()),
              AllOf(HasSubstr("ENOSPC"), HasSubstr("make the volume larger")));
}

TEST_F(VolumeKernel, NothingIsLeftOfAnImageThatCannotBeMade) {
  EXPECT_THAT(error_of([&] { storage_->allocate(101, 1024, {0, 0}); }), HasSubstr("mkfs.ext4"));
  EXPECT_FALSE(path_exists(AT_FDCWD, scratch_ / "var/lib/vz/images/101"));
  EXPECT_THROW(storage_->allocate(101, 1ULL << 63, {0, 0}), Error);
  EXPECT_FALSE(path_exists(AT_FDCWD, scratch_ / "var/lib/vz/images/101"));
}

TEST_F(VolumeKernel, AFullStorageIsEnospc) {
  make_directories(scratch_ / "var/lib/vz");
  const UniqueFd small = new_filesystem("tmpfs", {{"size", "64k"}}, 0);
  attach_mount(small.get(), AT_FDCWD, scratch_ / "var/lib/vz");
  std::string text;
  bool left = true;
  text = error_of([&] { storage_->allocate(101, 512ULL << 20, {0, 0}); });
  left = path_exists(AT_FDCWD, scratch_ / "var/lib/vz/images/101");
  ASSERT_EQ(::umount2((scratch_ / "var/lib/vz").c_str(), MNT_DETACH), 0);
  EXPECT_THAT(text, HasSubstr("ENOSPC"));
  EXPECT_FALSE(left);
}

}  // namespace
}  // namespace hutch
