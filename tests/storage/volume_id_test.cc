#include "storage/volume_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "tests/storage/scratch.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

FileVolume parsed(const std::string& text) {
  return parse_file_volume(parse_volume_id(text));
}

TEST(VolumeId, SplitsStorageAndName) {
  const VolumeId id = parse_volume_id("local:101/vm-101-disk-0.raw");
  EXPECT_EQ(id.storage, "local");
  EXPECT_EQ(id.name, "101/vm-101-disk-0.raw");
  EXPECT_EQ(id.text(), "local:101/vm-101-disk-0.raw");
}

TEST(VolumeId, KindsOfADirectoryStorage) {
  EXPECT_EQ(parsed("local:101/vm-101-disk-0.raw"),
            (FileVolume{VolumeKind::image, VolumeFormat::raw, 101, "vm-101-disk-0.raw"}));
  EXPECT_EQ(parsed("local:101/subvol-101-disk-3.subvol"),
            (FileVolume{VolumeKind::subvol, VolumeFormat::subvol, 101, "subvol-101-disk-3.subvol"}));
  EXPECT_EQ(parsed("local:101/base-101-disk-0.raw").kind, VolumeKind::base_image);
  EXPECT_EQ(parsed("local:101/web.raw").kind, VolumeKind::image);
  EXPECT_THROW(parsed("local:101/web root.raw"), Error);
}

TEST(VolumeId, PlainFilesHaveNoOwner) {
  EXPECT_EQ(parsed("local:vztmpl/debian.tar.zst"),
            (FileVolume{VolumeKind::container_template, VolumeFormat::none, 0, "debian.tar.zst"}));
  EXPECT_EQ(parsed("local:backup/x.tar").kind, VolumeKind::backup);
  EXPECT_EQ(parsed("local:snippets/hook.sh").kind, VolumeKind::snippet);
}

TEST(VolumeId, RefusesWaysOutOfTheStorage) {
  for (const char* text :
       {"local:../../etc/passwd", "local:101/../102/vm-102-disk-0.raw", "local:/etc/passwd",
        "local:vztmpl/..", "local:vztmpl//x", "local:101/./x.raw", "local:", "local:vztmpl/a\nb",
        "l:vztmpl/x", "../x:vztmpl/x", "local", "local:vztmpl/", "-x:vztmpl/x"}) {
    EXPECT_THROW(parse_volume_id(text), Error) << text;
  }
  EXPECT_THROW(parse_volume_id("local:" + std::string(256, 'x')), Error);
  EXPECT_THROW(parse_file_volume({"local", "vztmpl/.."}), Error);
}

TEST(VolumeId, RefusesNamesOfNoKnownShape) {
  for (const char* text :
       {"local:101/vm-101-disk-0", "local:x/vm-1.raw", "local:0/vm-0-disk-0.raw", "local:vztmpl/a/b",
        "local:0101/vm-101-disk-0.raw", "local:subvol-101-disk-0", "local:101/.raw"}) {
    EXPECT_THROW(parsed(text), Error) << text;
  }
  EXPECT_THAT(error_of([] { parsed("local:100/base-100-disk-0.raw/101/vm-101-disk-0.qcow2"); }),
              HasSubstr("linked clones"));
}

TEST(VolumeId, DiskNumbers) {
  EXPECT_EQ(disk_number("vm-101-disk-0.raw", 101), 0);
  EXPECT_EQ(disk_number("subvol-101-disk-12.subvol", 101), 12);
  EXPECT_EQ(disk_number("base-101-disk-7.raw", 101), 7);
  EXPECT_EQ(disk_number("basevol-101-disk-8", 101), 8);
  EXPECT_EQ(disk_number("vm-1010-disk-0.raw", 101), -1);
  EXPECT_EQ(disk_number("vm-101-cloudinit.raw", 101), -1);
  EXPECT_EQ(disk_number("vm-101-disk-x.raw", 101), -1);
}

TEST(VolumeId, StorageIds) {
  EXPECT_TRUE(is_storage_id("local"));
  EXPECT_TRUE(is_storage_id("a.b-c_1"));
  for (const char* id : {"", "a", "1a", "ab-", "a b", "a/b"}) EXPECT_FALSE(is_storage_id(id)) << id;
  EXPECT_TRUE(is_volume_id("local:x"));
  EXPECT_FALSE(is_volume_id("/tmp/a:b"));
  EXPECT_FALSE(is_volume_id("./local:x"));
}

}  // namespace
}  // namespace hutch
