#include "runtime/id_map.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace hutch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const IdMap kContainer{{{0, 100000, 65536, {}}}, {{0, 100000, 65536, {}}}};

VolumeSpec volume_with(std::vector<DiskIdRange> ranges) {
  VolumeSpec volume;
  volume.key = "mp0";
  volume.disk_ids = DiskIds::ranges;
  volume.disk_ranges = std::move(ranges);
  volume.origin = {"100.conf", 3};
  return volume;
}

IdRange range(std::uint32_t disk, std::uint32_t host, std::uint32_t count) {
  return {disk, host, count, {}};
}

TEST(DiskIdMap, IsTheContainersForPassthrough) {
  VolumeSpec volume;
  volume.disk_ids = DiskIds::container;
  EXPECT_EQ(disk_id_map(kContainer, volume), kContainer);
}

TEST(DiskIdMap, IsTheIdentityButForTheRanges) {
  const IdMap map = disk_id_map(kContainer, volume_with({{false, 1000, 1000, 1}}));
  EXPECT_THAT(map.uids,
              ElementsAre(range(100000, 100000, 1000), range(1000, 101000, 1), range(101001, 101001, 64535)));
  EXPECT_THAT(map.gids, ElementsAre(range(100000, 100000, 65536)));
}

TEST(DiskIdMap, ClampsRangesToThoseOfTheContainer) {
  const IdMap holes{{{0, 100000, 10, {}}, {20, 20, 5, {}}}, {{0, 100000, 10, {}}}};
  // 5..24 inside is 1005..1024 on disk.
  const IdMap map = disk_id_map(holes, volume_with({{false, 5, 1005, 20}}));
  EXPECT_THAT(map.uids, ElementsAre(range(100000, 100000, 5), range(1005, 100005, 5), range(1020, 20, 5)));
}

TEST(DiskIdMap, TakesRangesInAnyOrderAndAtTheEdges) {
  const IdMap map = disk_id_map(kContainer, volume_with({{true, 65535, 7, 1}, {true, 0, 0, 2}}));
  EXPECT_THAT(map.gids, ElementsAre(range(0, 100000, 2), range(100002, 100002, 65533), range(7, 165535, 1)));
  const IdMap last{{{0, 4294901759, 65535, {}}}, {{0, 0, 1, {}}}};
  EXPECT_THAT(disk_id_map(last, volume_with({{false, 65534, 0, 1}})).uids,
              ElementsAre(range(4294901759, 4294901759, 65534), range(0, 4294967293, 1)));
}

TEST(DiskIdMap, RefusesAnIdOnDiskThatWouldBeTwo) {
  try {
    disk_id_map(kContainer, volume_with({{false, 1000, 100005, 1}}));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("mp0"));
    EXPECT_THAT(error.what(), HasSubstr("user 100005"));
    EXPECT_THAT(error.what(), HasSubstr("100.conf:3"));
  }
}

TEST(DiskIdMap, TellsTheOwnerOnDisk) {
  const IdMap map = disk_id_map(kContainer, volume_with({{false, 0, 5, 1}}));
  EXPECT_EQ(owner_on_disk(map, {100000, 100000}), (Owner{5, 100000}));
  EXPECT_EQ(owner_on_disk(kContainer, {100000, 100000}), Owner{});
}

}  // namespace
}  // namespace hutch
