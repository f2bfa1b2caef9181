#include <gmock/gmock.h>

#include <cerrno>

#include "runtime/state.h"
#include "tests/cli/container_fixture.h"

namespace hutch::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Destroy : public testing::ContainerFixture {
 protected:
  void create(const char* vmid) {
    const auto outcome = pct({"create", vmid, "local:vztmpl/debian.tar.gz", "--rootfs", "0"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
};

TEST_F(Destroy, CreatedContainerLeavesNothing) {
  const auto before = files();
  create("100");
  host.write("var/lib/lxc/100/config", "generated\n");
  std::filesystem::create_directories(host.path("var/lib/lxc/100/rootfs"));
  host.write("run/hutch/100/failure", "old\n");
  const auto outcome = pct({"destroy", "100"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  auto after = files();
  after.erase("run/hutch");
  EXPECT_EQ(after, before);
  EXPECT_THAT(kernel_leftovers(), IsEmpty());
}

TEST_F(Destroy, EveryVolumeOfTheContainerGoes) {
  create("100");
  create("101");
  const auto images = [&](const std::string& name) { return host.path("var/lib/vz/images/" + name); };
  for (int disk = 1; disk < 5; ++disk) {
    std::filesystem::create_directories(images("100/subvol-100-disk-" + std::to_string(disk) + ".subvol/x"));
  }
  host.add_container(
      100,
      "mp0: local:100/subvol-100-disk-1.subvol,mp=/a\nmp1: /etc,mp=/b\n"
      "mp2: local:101/subvol-101-disk-0.subvol,mp=/c\nmp3: gone:100/vm-100-disk-0.raw,mp=/d\n"
      "rootfs: local:100/subvol-100-disk-0.subvol,size=0T\nunused0: local:100/subvol-100-disk-2.subvol\n"
      "\n[pve:pending]\nmp4: local:100/subvol-100-disk-3.subvol,mp=/e\n");
  const auto outcome = pct({"destroy", "100"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("WARN: volume 'local:101/subvol-101-disk-0.subvol' does not belong to CT 100"));
  EXPECT_THAT(outcome.out, HasSubstr("WARN: volume 'gone:100/vm-100-disk-0.raw' is left alone"));
  EXPECT_EQ(outcome.err, "Task finished with 2 warning(s)!\n");
  EXPECT_TRUE(std::filesystem::exists(images("101/subvol-101-disk-0.subvol/bin/sh")));
  EXPECT_TRUE(std::filesystem::exists("/etc/passwd"));
  EXPECT_FALSE(std::filesystem::exists(images("100/subvol-100-disk-0.subvol")));
  EXPECT_FALSE(std::filesystem::exists(images("100/subvol-100-disk-3.subvol")));
  EXPECT_TRUE(std::filesystem::exists(images("100/subvol-100-disk-4.subvol")));  // not named in the config
}

TEST_F(Destroy, UnreferencedDisks) {
  create("100");
  std::filesystem::create_directories(host.path("var/lib/vz/images/100/subvol-100-disk-7.subvol"));
  EXPECT_EQ(pct({"destroy", "100", "--destroy-unreferenced-disks"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(host.path("var/lib/vz/images/100")));
}

TEST_F(Destroy, Purge) {
  create("100");
  EXPECT_EQ(pct({"destroy", "100", "--purge", "1"}).out, "purging CT 100 from related configurations..\n");
}

TEST_F(Destroy, Refusals) {
  create("100");
  const std::string config = host.config(100);
  const auto refused = [&](const std::string& text) {
    const auto before = files();
    const auto outcome = pct({"destroy", "100"});
    EXPECT_EQ(outcome.status, 255);
    EXPECT_THAT(outcome.err, StartsWith(text));
    EXPECT_EQ(files(), before);
  };
  host.add_container(100, "lock: backup\n" + config);
  refused("CT is locked (backup)");
  host.add_container(100, "protection: 1\n" + config);
  refused("can't remove CT 100 - protection mode enabled");

  ContainerState state;
  state.vmid = 100;
  state.init = identify_process(::getpid()).value();
  host.add_container(100, config);
  host.write("run/hutch/100/state", print_state(state));
  refused("unable to destroy CT 100 - container is running");
  EXPECT_EQ(host.config(100), config);
}

TEST_F(Destroy, WhatIsNotManagedHereIsLeftAlone) {
  host.add_container(100, "rootfs: local:100/subvol-100-disk-0.subvol\nlxc.rootfs.managed: 0\n");
  const auto outcome = pct({"destroy", "100"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("not managed here"));
  EXPECT_THAT(outcome.err, HasSubstr("100.conf:2"));
}

TEST_F(Destroy, WhatAnIncludeSaysIsNotManagedIsLeftAlone) {
  create("100");
  host.add_container(100, host.config(100) + "lxc.include: " + host.path("more.conf") + "\n");
  const auto before = files();
  const auto unreadable = pct({"destroy", "100"});
  EXPECT_NE(unreadable.status, 0);
  EXPECT_THAT(unreadable.err, HasSubstr("whether its root file system is managed here is unknown"));
  EXPECT_EQ(files(), before);
  host.write("more.conf", "lxc.rootfs.managed = \"00\"\n");
  const auto outcome = pct({"destroy", "100"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("more.conf:1"));
  host.write("more.conf", "lxc.rootfs.managed = 1\n");
  EXPECT_EQ(pct({"destroy", "100"}).status, 0);
}

TEST_F(Destroy, HalfDoneDestroyCanBeRepeated) {
  create("100");
  // Something is mounted inside of the volume: freeing it fails.
  const std::string inside = host.path("var/lib/vz/images/100/subvol-100-disk-0.subvol/srv");
  ASSERT_EQ(::mount("hutch-test", inside.c_str(), "tmpfs", 0, "size=64k"), 0);
  const auto failed = pct({"destroy", "100"});
  ASSERT_EQ(::umount(inside.c_str()), 0);
  EXPECT_EQ(failed.status, 255);
  EXPECT_THAT(host.config(100), HasSubstr("lock: destroyed\n"));
  const auto outcome = pct({"destroy", "100"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(100));
  EXPECT_FALSE(std::filesystem::exists(host.path("var/lib/vz/images/100")));
}

}  // namespace
}  // namespace hutch::cli
