#include "storage/dir_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"
#include "storage/storage_lock.h"
#include "tests/storage/scratch.h"
#include "tests/storage/tar_maker.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

class DirStorageTest : public ::testing::Test {
 protected:
  DirStorageTest()
      : sysroot_(scratch_.path()), storage_(StorageConfig::load(sysroot_).dir("local"), sysroot_) {}
  std::string images(const std::string& name) const { return scratch_ / ("var/lib/vz/images/" + name); }

  Scratch scratch_;
  Sysroot sysroot_;
  DirStorage storage_;
};

TEST_F(DirStorageTest, Paths) {
  EXPECT_EQ(storage_.path_of({"local", "101/vm-101-disk-0.raw"}), images("101/vm-101-disk-0.raw"));
  EXPECT_EQ(storage_.path_of({"local", "snippets/h.sh"}), scratch_ / "var/lib/vz/snippets/h.sh");
  EXPECT_THROW(storage_.path_of({"other", "snippets/h.sh"}), Error);
  EXPECT_THROW(storage_.path_of({"local", "../x"}), Error);
}

TEST_F(DirStorageTest, NumbersAreSharedByAllKinds) {
  EXPECT_EQ(storage_.next_disk_number(101), 0);
  make_directories(images("101/subvol-101-disk-0.subvol"));
  write_text(images("101/vm-101-disk-1.raw"), "xyz");
  write_text(images("101/base-101-disk-3.raw"), "");
  write_text(images("101/notes.txt"), "");
  EXPECT_EQ(storage_.next_disk_number(101), 2);
  const auto volumes = storage_.list();
  ASSERT_EQ(volumes.size(), 3U);
  EXPECT_EQ(volumes[0].id.text(), "local:101/base-101-disk-3.raw");
  EXPECT_EQ(volumes[1].size, 0U);
  EXPECT_EQ(volumes[2].size, 3U);
  EXPECT_TRUE(storage_.list(102).empty());
}

TEST_F(DirStorageTest, NumbersEnd) {
  make_directories(images("101"));
  for (int n = 0; n < 1024; ++n) write_text(images("101/vm-101-disk-" + std::to_string(n) + ".raw"), "");
  EXPECT_THROW(storage_.next_disk_number(101), Error);
}

TEST_F(DirStorageTest, TheLockTimesOut) {
  const StorageLock held(sysroot_, "local");
  EXPECT_THAT(error_of([&] { StorageLock(sysroot_, "local", std::chrono::milliseconds(50)); }),
              AllOf(HasSubstr("can't lock file"), HasSubstr("got timeout")));
  const StorageLock other(sysroot_, "other");
}

TEST_F(DirStorageTest, OfflineWhenNothingIsMounted) {
  auto settings = storage_.settings();
  settings.mountpoint = scratch_.path();
  EXPECT_THAT(error_of([&] { DirStorage(settings, sysroot_).activate(); }), HasSubstr("nothing is mounted"));
  settings.mountpoint.clear();
  settings.create_base_path = false;
  EXPECT_THAT(error_of([&] { DirStorage(settings, sysroot_).activate(); }), HasSubstr("offline"));
}

TEST_F(DirStorageTest, OnlyDisksAreFreed) {
  EXPECT_THROW(storage_.free({"local", "vztmpl/x.tar"}), Error);
  storage_.free({"local", "101/vm-101-disk-0.raw"});
}

}  // namespace
}  // namespace hutch
