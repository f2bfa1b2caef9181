#include "runtime/validate.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/format.h"

namespace hutch {
namespace {

class Validate : public ::testing::Test {
 protected:
  Validate() {
    spec.id_map.uids = {{0, 100000, 65536, {"100.conf", 1}}};
    spec.id_map.gids = {{0, 100000, 65536, {"100.conf", 2}}};
    facts.bridges = {{"vmbr0", {3, 1500, true}}, {"eth0", {2, 1500, false}}};
  }
  std::string refusal() {
    try {
      validate(spec, facts);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  void expect_refusal(const std::string& part) {
    EXPECT_NE(refusal().find(part), std::string::npos) << refusal();
  }
  LinkSpec& add_link() {
    LinkSpec link;
    link.index = static_cast<unsigned>(spec.links.size());
    link.name = "eth" + std::to_string(link.index);
    link.host_name = "veth100i" + std::to_string(link.index);
    link.bridge = "vmbr0";
    link.origin = {"100.conf", 5};
    spec.links.push_back(link);
    return spec.links.back();
  }
  ContainerSpec spec;
  HostFacts facts;
};

TEST_F(Validate, AcceptsAnOrdinaryContainer) {
  add_link();
  EXPECT_EQ(refusal(), "");
}

TEST_F(Validate, IdMapsThatOverlap) {
  spec.id_map.uids.push_back({65535, 300000, 10, {"100.conf", 3}});
  expect_refusal("overlap (the other one: 100.conf:1) [100.conf:3]");
  spec.id_map.uids.back() = {70000, 165535, 10, {"100.conf", 3}};
  expect_refusal("overlap");
  spec.id_map.uids.back() = {65536, 165536, 10, {"100.conf", 3}};
  EXPECT_EQ(refusal(), "");
}

TEST_F(Validate, IdMapsWithoutRootOrBeyondTheEnd) {
  spec.id_map.gids = {{1, 100000, 10, {}}};
  expect_refusal("does not map the container's root");
  spec.id_map.gids = {{0, 4294967290U, 10, {}}};
  expect_refusal("beyond the largest id");
  spec.id_map.gids = {{0, 1, 0, {}}};
  expect_refusal("an empty group range");
}

TEST_F(Validate, AnInitUserThatIsNotMapped) {
  spec.init.uid = 70000;
  expect_refusal("init is to run as 70000:0");
}

TEST_F(Validate, AnImageIsMountedOnceUnlessNobodyWrites) {
  VolumeSpec volume;
  volume.kind = VolumeSpec::Kind::image;
  volume.source = "/images/100/vm-100-disk-1.raw";
  for (const char* key : {"mp0", "mp1"}) {
    volume.key = key;
    volume.target = formatted("/{}", key);
    volume.origin = {"100.conf", 5};
    spec.mount_points.push_back(volume);
  }
  expect_refusal(
      "mp0 and mp1 are both the image '/images/100/vm-100-disk-1.raw', which would be damaged "
      "[100.conf:5]");
  spec.mount_points[0].read_only = true;
  expect_refusal("mp0 and mp1");
  spec.mount_points[1].read_only = true;
  EXPECT_EQ(refusal(), "");
  spec.mount_points[1] = spec.mount_points[0];
  spec.mount_points[0].kind = spec.mount_points[1].kind = VolumeSpec::Kind::directory;
  EXPECT_EQ(refusal(), "");
  spec.mount_points[0].kind = spec.rootfs.kind = VolumeSpec::Kind::image;
  spec.rootfs.key = "rootfs";
  spec.rootfs.source = volume.source;
  expect_refusal("rootfs and mp0 are both the image");
}

TEST_F(Validate, Links) {
  add_link().bridge = "nosuch";
  expect_refusal("bridge 'nosuch' does not exist [100.conf:5]");
  spec.links.back().bridge = "eth0";
  expect_refusal("'eth0' is not a bridge");
  spec.links.back().bridge = "vmbr0";
  spec.links.back().mtu = 9000;
  expect_refusal("larger than that of bridge 'vmbr0', 1500");
  spec.links.back().mtu = 1500;
  add_link().name = "eth0";
  expect_refusal("net0 and net1 are both named 'eth0'");
  spec.links.back().name = "lo";
  expect_refusal("net1: 'lo' is the name of the container's loopback [100.conf:5]; choose another name");
  spec.links.back().name = "a-name-of-16-byte";
  expect_refusal("cannot be the name of a network interface");
}

TEST_F(Validate, PathsThatLeaveTheContainer) {
  MountSpec mount;
  mount.target = "mnt/../../etc";
  spec.mounts = {mount};
  expect_refusal("leaves the container");
  spec.mounts.clear();
  VolumeSpec volume;
  volume.key = "mp0";
  for (const auto* target : {"", "/", "srv", "/srv/../.."}) {
    volume.target = target;
    spec.mount_points = {volume};
    expect_refusal("is not a mount path inside the container");
  }
}

TEST_F(Validate, AppArmorProfilesNeedAppArmor) {
  spec.apparmor.profile = "my-profile";
  expect_refusal("does not enforce AppArmor");
  facts.apparmor.emplace();
  expect_refusal("cannot mediate mounts");
  spec.apparmor.allow_incomplete = true;
  EXPECT_EQ(refusal(), "");
}

TEST_F(Validate, LongHostNames) {
  spec.hostname.assign(65, 'a');
  expect_refusal("longer than 64 bytes");
}

TEST_F(Validate, PassedDevicesNeedADevOfTheContainersOwnAndAnOwnerInside) {
  DeviceSpec device{"dev0", "/dev/kfd", 0660, 0, 0, false, {"100.conf", 9}};
  spec.passed_devices = {device};
  EXPECT_EQ(refusal(), "");
  spec.passed_devices[0].gid = 70000;
  expect_refusal("does not map 0:70000");
  spec.passed_devices[0] = device;
  spec.passed_devices[0].path = "/dev/../etc/passwd";
  expect_refusal("not a path below /dev");
  spec.passed_devices[0] = device;
  spec.autodev = false;
  expect_refusal("without a /dev of its own");
  expect_refusal("100.conf:9");
}

TEST_F(Validate, TheIdMapOfADiskIsOneToOne) {
  VolumeSpec volume;
  volume.key = "mp0";
  volume.target = "/a";
  volume.disk_ids = DiskIds::ranges;
  volume.disk_ranges = {{true, 5, 100006, 1}};
  volume.origin = {"100.conf", 8};
  spec.mount_points = {volume};
  expect_refusal("group 100006");
  expect_refusal("100.conf:8");
}

TEST_F(Validate, AnotherNamespaceMapsBindsOnly) {
  MountSpec mount;
  mount.target = "a";
  mount.type = "tmpfs";
  mount.id_map_path = "/proc/7/ns/user";
  mount.origin = {"100.conf", 7};
  spec.mounts = {mount};
  expect_refusal("needs a bind mount");
}

}  // namespace
}  // namespace hutch
