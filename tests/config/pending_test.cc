#include "config/pending.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/volume_references.h"

namespace hutch::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

ContainerConfig read(std::string_view text) {
  Diagnostics diagnostics;
  return read_config(text, "100.conf", 100, diagnostics);
}

// The text after everything queued has been taken over.
std::string applied(ContainerConfig config) {
  for (const auto& change : pending_changes(config)) apply_change(config, change);
  return write_config(config);
}

TEST(Queue, AValueReplacesAQueuedDeleteAndTheOtherWayRound) {
  auto config = read("hostname: a\n\n[pve:pending]\ndelete: hostname\n");
  queue_set(config, "hostname", "b");
  EXPECT_EQ(write_config(config), "hostname: a\n\n[pve:pending]\nhostname: b\n");
  queue_delete(config, "hostname");
  EXPECT_EQ(write_config(config), "hostname: a\n\n[pve:pending]\ndelete: hostname\n");
}

TEST(Queue, RevertDropsBothKinds) {
  auto config = read("hostname: a\n\n[pve:pending]\ndelete: hostname\nmemory: 16\n#text\n");
  for (const char* key : {"hostname", "memory", "description", "cores"}) revert(config, key);
  EXPECT_TRUE(config.pending.empty());
}

TEST(Queue, AnEmptyDescriptionIsADelete) {
  auto config = read("#notes\nlxc.environment.runtime: A=1\n");
  queue_set(config, "description", "");
  queue_set(config, "env", "");
  EXPECT_THAT(config.pending.pending_deletes, ElementsAre(Pair("description", false), Pair("env", false)));
  EXPECT_EQ(applied(config), "");
}

TEST(DropUnchanged, LeavesWhatWouldChangeSomething) {
  auto config = read(
      "#notes\nhostname: a\nmemory: 512\nlxc.environment.runtime: A=1\n\n[pve:pending]\n#notes\n"
      "delete: cores,hostname\nmemory: 512\nswap: 0\nlxc.environment.runtime: A=1\n");
  drop_unchanged(config);
  EXPECT_EQ(write_config(config),
            "#notes\nhostname: a\nmemory: 512\nlxc.environment.runtime: A=1\n\n[pve:pending]\n"
            "delete: hostname\nswap: 0\n");
}

TEST(DropUnchanged, TheCommandLinesTextIsTheFilesWithoutItsLastNewline) {
  auto config = read("#two\n#lines\n");
  queue_set(config, "description", "two\nlines");
  drop_unchanged(config);
  EXPECT_TRUE(config.pending.empty());
  queue_set(config, "description", "two\n\nlines");
  drop_unchanged(config);
  EXPECT_EQ(applied(config), "#two\n#\n#lines\n");
}

TEST(PendingChanges, DeletesComeFirstAndNumbersCount) {
  const auto config = read(
      "hostname: a\nmp2: /a,mp=/a\nswap: 1\n\n[pve:pending]\ndelete: mp2,hostname,swap\nmp10: /b,mp=/b\n"
      "mp9: /c,mp=/c\nswap: 2\n");
  EXPECT_THAT(pending_changes(config),
              ElementsAre(PendingChange{"hostname", "a", std::nullopt},
                          PendingChange{"mp2", "/a,mp=/a", std::nullopt},
                          PendingChange{"mp9", std::nullopt, "/c,mp=/c"},
                          PendingChange{"mp10", std::nullopt, "/b,mp=/b"}, PendingChange{"swap", "1", "2"}));
}

struct EffectRow {
  const char* key;
  const char* from;  // null: unset
  const char* to;    // null: deleted
  LiveEffect effect;
};
void PrintTo(const EffectRow& row, std::ostream* out) {
  *out << row.key << ": " << (row.from ? row.from : "-") << " -> " << (row.to ? row.to : "-");
}

class Effect : public testing::TestWithParam<EffectRow> {};
TEST_P(Effect, IsTheTablesOne) {
  const auto& row = GetParam();
  PendingChange change{row.key, std::nullopt, std::nullopt};
  if (row.from != nullptr) change.from = row.from;
  if (row.to != nullptr) change.to = row.to;
  EXPECT_EQ(live_effect(change), row.effect);
}
using enum LiveEffect;
INSTANTIATE_TEST_SUITE_P(
    Options, Effect,
    testing::Values(
        EffectRow{"description", "a", "b", config_only}, EffectRow{"onboot", nullptr, "1", config_only},
        EffectRow{"startup", "1", nullptr, config_only}, EffectRow{"protection", "0", "1", config_only},
        EffectRow{"hostname", "a", nullptr, config_only},
        EffectRow{"hookscript", nullptr, "local:snippets/a", config_only},
        EffectRow{"tags", "a", "b", config_only}, EffectRow{"lock", nullptr, "backup", config_only},
        EffectRow{"cores", "1", nullptr, cpus}, EffectRow{"memory", "16", "32", limits},
        EffectRow{"swap", "16", nullptr, limits}, EffectRow{"cpulimit", nullptr, "1", limits},
        EffectRow{"cpuunits", "1", nullptr, limits}, EffectRow{"nameserver", nullptr, "::1", none},
        EffectRow{"searchdomain", "a", nullptr, none}, EffectRow{"tty", "1", "2", none},
        EffectRow{"rootfs", "/a", "/b", none}, EffectRow{"features", nullptr, "nesting=1", none},
        EffectRow{"unused0", "local:100/x.raw", nullptr, free_volume},
        EffectRow{"unused0", nullptr, "local:100/x.raw", none}, EffectRow{"mp0", nullptr, "/a,mp=/a", volume},
        EffectRow{"mp0", "/a,mp=/a", nullptr, none}, EffectRow{"mp0", "/a,mp=/a", "/b,mp=/a", none},
        EffectRow{"dev0", nullptr, "/dev/fuse", device}, EffectRow{"dev0", "/dev/fuse", nullptr, none},
        EffectRow{"nosuch", nullptr, "1", none}));
INSTANTIATE_TEST_SUITE_P(Links, Effect,
                         testing::Values(EffectRow{"net0", nullptr, "name=a", link},
                                         EffectRow{"net0", "name=a", nullptr, link},
                                         EffectRow{"net10", "name=a", nullptr, link},
                                         EffectRow{"net0", "name=a", "name=a,tag=5", link},
                                         EffectRow{"net0", "name=a", "name=a,link_down=1", link},
                                         EffectRow{"net0", "name=a", "name=a,rate=5", link},
                                         EffectRow{"net0", "name=a", "name=a,ip=10.0.0.1/8", link},
                                         EffectRow{"net0", "name=a", "name=a,mtu=1400", none},
                                         EffectRow{"net0", "name=a,trunks=5", "name=a", none},
                                         EffectRow{"net0", "name=a", "name=a,host-managed=1,tag=5", none},
                                         EffectRow{"net0", "name=a", "name=b,mtu=1400", link},
                                         EffectRow{"net0", "name=a,hwaddr=02:00:00:00:00:01",
                                                   "name=a,hwaddr=02:00:00:00:00:02,mtu=9000", link},
                                         EffectRow{"net0", "nonsense", "name=a", none}));

constexpr const char* kVolumes =
    "mp0: local:100/vm-100-disk-1.raw,mp=/a\nmp1: /srv,mp=/b\n"
    "rootfs: local:100/vm-100-disk-0.raw\nunused0: local:100/vm-100-disk-7.raw\n";

TEST(ApplyChange, ARemovedVolumeBecomesUnusedUnderTheLowestFreeNumber) {
  auto config = read(kVolumes);
  queue_delete(config, "mp0");
  queue_delete(config, "mp1");
  EXPECT_EQ(applied(config),
            "rootfs: local:100/vm-100-disk-0.raw\nunused0: local:100/vm-100-disk-7.raw\n"
            "unused1: local:100/vm-100-disk-1.raw\n");
}

TEST(ApplyChange, AReplacedVolumeBecomesUnusedToo) {
  auto config = read(kVolumes);
  queue_set(config, "mp0", "/other,mp=/a");
  queue_set(config, "rootfs", "local:100/vm-100-disk-7.raw");
  EXPECT_EQ(applied(config),
            "mp0: /other,mp=/a\nmp1: /srv,mp=/b\nrootfs: local:100/vm-100-disk-7.raw\n"
            "unused1: local:100/vm-100-disk-1.raw\nunused2: local:100/vm-100-disk-0.raw\n");
}

TEST(ApplyChange, AVolumeThatIsStillUsedDoesNotBecomeUnused) {
  auto moved = read(kVolumes);
  queue_delete(moved, "mp0");
  queue_set(moved, "mp5", "local:100/vm-100-disk-1.raw,mp=/c");
  EXPECT_THAT(applied(moved), testing::Not(HasSubstr("unused1")));

  auto snapshot = read(std::string(kVolumes) + "\n[one]\nmp9: local:100/vm-100-disk-1.raw,mp=/a\n");
  queue_delete(snapshot, "mp0");
  EXPECT_THAT(applied(snapshot), testing::Not(HasSubstr("unused1")));

  auto reordered = read(kVolumes);
  queue_set(reordered, "mp0", "local:100/vm-100-disk-1.raw,mp=/a,ro=1");
  EXPECT_THAT(applied(reordered), testing::Not(HasSubstr("unused1")));
}

TEST(ApplyChange, VolumesOfLinesThatGoWithADeletedOneBecomeUnusedToo) {
  constexpr const char* kTwice =
      "mp0: local:100/vm-100-disk-1.raw,mp=/a\nmp0: local:100/vm-100-disk-2.raw,mp=/a\n";
  auto config = read(std::string(kTwice) + "\n[pve:pending]\ndelete: mp0\n");
  EXPECT_EQ(applied(config), "unused0: local:100/vm-100-disk-1.raw\nunused1: local:100/vm-100-disk-2.raw\n");
  // A line that stays still names its volume.
  config = read(std::string(kTwice) + "\n[pve:pending]\nmp0: local:100/vm-100-disk-3.raw,mp=/a\n");
  EXPECT_EQ(applied(config),
            "mp0: local:100/vm-100-disk-1.raw,mp=/a\nmp0: local:100/vm-100-disk-3.raw,mp=/a\n"
            "unused0: local:100/vm-100-disk-2.raw\n");
}

TEST(ApplyChange, ANumberThatWaitsInTheQueueIsNotFree) {
  auto config = read("mp0: local:100/vm-100-disk-1.raw,mp=/a\n");
  queue_set(config, "unused0", "local:100/vm-100-disk-2.raw");
  queue_delete(config, "mp0");
  EXPECT_EQ(applied(config), "unused0: local:100/vm-100-disk-2.raw\nunused1: local:100/vm-100-disk-1.raw\n");
}

TEST(ApplyChange, WithAllNumbersTakenNothingChanges) {
  std::string text = "mp0: local:100/vm-100-disk-1.raw,mp=/a\n";
  for (int index = 0; index < 256; ++index) {
    text +=
        "unused" + std::to_string(index) + ": local:100/vm-100-disk-" + std::to_string(index + 10) + ".raw\n";
  }
  auto config = read(text);
  queue_delete(config, "mp0");
  const auto before = config;
  EXPECT_THROW(apply_change(config, pending_changes(config).front()), Error);
  EXPECT_EQ(config, before);
}

TEST(ApplyChange, TheOriginComesAlong) {
  auto config = read("memory: 16\n");
  queue_set(config, "memory", "32", {"--memory"});
  apply_change(config, pending_changes(config).front());
  EXPECT_EQ(config.main.origin_of("memory"), (Origin{"--memory"}));
  EXPECT_TRUE(config.pending.empty());
}

TEST(WithPending, ShowsWhatWillBe) {
  const auto config = read(
      "#old\nhostname: a\nmemory: 512\nlxc.cap.drop: sys_time\n\n[pve:pending]\n#new\ndelete: hostname\n"
      "memory: 1024\nnameserver: ::1\n");
  const auto merged = with_pending(config);
  EXPECT_THAT(merged.keys(), ElementsAre("description", "memory", "nameserver"));
  EXPECT_EQ(merged.get("memory"), "1024");
  EXPECT_EQ(merged.get("description"), "new\n");
  EXPECT_EQ(merged.raw.size(), 1U);
}

TEST(VolumeReferences, OnlyVolumesOfStoragesCount) {
  EXPECT_EQ(volume_of("mp0", "local:100/vm-100-disk-1.raw,mp=/a"), "local:100/vm-100-disk-1.raw");
  EXPECT_EQ(volume_of("unused3", "local:100/vm-100-disk-1.raw"), "local:100/vm-100-disk-1.raw");
  for (const auto& [key, value] :
       {std::pair("mp0", "/srv,mp=/a"), std::pair("mp0", "/dev/sda,mp=/a"), std::pair("mp0", "local:8,mp=/a"),
        std::pair("mp0", "nonsense"), std::pair("memory", "512"), std::pair("nosuch", "local:100/x.raw")}) {
    EXPECT_EQ(volume_of(key, value), std::nullopt) << key << value;
  }
}

TEST(VolumeReferences, UnusedEntriesUseNothing) {
  const auto config = read(
      "rootfs: local:100/a.raw\nunused0: local:100/b.raw\n\n[pve:pending]\nmp0: local:100/c.raw,mp=/c\n\n"
      "[one]\nrootfs: local:100/d.raw\n");
  for (const char* volume : {"local:100/a.raw", "local:100/c.raw", "local:100/d.raw"})
    EXPECT_TRUE(is_volume_in_use(config, volume)) << volume;
  EXPECT_FALSE(is_volume_in_use(config, "local:100/b.raw"));
  EXPECT_THAT(volumes_of(config.main), ElementsAre("local:100/a.raw", "local:100/b.raw"));
  EXPECT_THAT(volumes_of(Section{}), IsEmpty());
}

}  // namespace
}  // namespace hutch::config
