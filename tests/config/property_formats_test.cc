#include "config/property_formats.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "config/property_string.h"

namespace hutch::config {
namespace {

std::string reason(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.action();
  }
  return "accepted";
}

std::string net_reason(std::string_view text) {
  return reason([text] { parse_net(text); });
}
std::string mp_reason(std::string_view text) {
  return reason([text] { parse_mount_point(text); });
}

constexpr PropertyKey kKeys[] = {{.name = "file", .required = true},
                                 {.name = "zone", .required = true},
                                 {.name = "count", .type = PropertyKey::Type::integer, .min = 2, .max = 9},
                                 {.name = "share", .type = PropertyKey::Type::number},
                                 {.name = "quick", .type = PropertyKey::Type::boolean}};
constexpr PropertyFormat kFormat{.default_key = "file", .keys = kKeys};

std::string common_reason(std::string_view text) {
  return reason([text] { parse_property_string(kFormat, text); });
}

TEST(PropertyString, ReadsKeysAndTheDefaultKeyAnywhere) {
  const PropertyValues expected{{"file", "x"}, {"quick", "1"}, {"zone", "a=b"}};
  EXPECT_EQ(parse_property_string(kFormat, "zone=a=b,x,quick=Yes"), expected);
  EXPECT_EQ(parse_property_string(kFormat, "file=x,,zone=a=b, ,quick=on,"), expected);
}

TEST(PropertyString, DoesNotTrimBlanks) {
  EXPECT_EQ(parse_property_string(kFormat, " x ,zone= y").at("file"), " x ");
  EXPECT_EQ(parse_property_string(kFormat, "x,zone= y").at("zone"), " y");
}

TEST(PropertyString, RefusesWithTheReason) {
  EXPECT_EQ(common_reason("x,=y"), "empty key in '=y'");
  EXPECT_EQ(common_reason("x,zone="), "empty value for key 'zone'");
  EXPECT_EQ(common_reason("x,zone= \n"), "empty value for key 'zone'");
  EXPECT_EQ(common_reason("x,zone=y,z"), "'z' lacks a key and 'file' is already given");
  EXPECT_EQ(common_reason("x,zone=y,colour=red"), "unknown key 'colour'");
  EXPECT_EQ(common_reason("x,zone=y,zone=z"), "key 'zone' is given twice");
  EXPECT_EQ(common_reason("x"), "key 'zone' is missing");
  EXPECT_EQ(common_reason("x,zone=y,quick=maybe"), "quick: 'maybe' is not a boolean (1 or 0)");
  EXPECT_EQ(common_reason("x,zone=y,count=10"), "count: 10 is not in the range 2 to 9");
  EXPECT_EQ(common_reason("x,zone=y,count=-2"), "count: '-2' is not a whole number");
  EXPECT_EQ(common_reason("x,zone=y,share=much"), "share: 'much' is not a number");
  EXPECT_EQ(net_reason("eth0"), "'eth0' lacks a key (key=value)");
}

TEST(PropertyString, PrintsTheDefaultKeyThenRequiredThenTheRest) {
  EXPECT_EQ(print_property_string(kFormat, {{"count", "3"}, {"file", "x"}, {"quick", "0"}, {"zone", "z"}}),
            "x,zone=z,count=3,quick=0");
}

TEST(Net, PrintsTheTypicalOutput) {
  constexpr std::string_view text =
      "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.0.1,hwaddr=BC:24:11:12:34:56,ip=10.0.0.5/24,tag=5,type=veth";
  EXPECT_EQ(print_net(parse_net(text)), text);
}

TEST(Net, ReadsEveryKey) {
  const auto net = parse_net(
      "type=veth,trunks=10;20-30,rate=1.5,mtu=1400,link_down=yes,ip6=auto,gw6=fe80::1,host-managed=0,name=e-_"
      ".0,"
      "bridge=b,hwaddr=02:00:00:00:00:01,ip=manual,gw=1.2.3.4,tag=4094,firewall=off");
  const NetOption expected{.name = "e-_.0",
                           .bridge = "b",
                           .hwaddr = "02:00:00:00:00:01",
                           .ip = "manual",
                           .gw = "1.2.3.4",
                           .ip6 = "auto",
                           .gw6 = "fe80::1",
                           .mtu = 1400,
                           .tag = 4094,
                           .trunks = "10;20-30",
                           .rate = "1.5",
                           .firewall = false,
                           .link_down = true,
                           .host_managed = false,
                           .type = "veth"};
  EXPECT_EQ(net, expected);
  EXPECT_EQ(parse_net(print_net(net)), expected);
}

TEST(Net, RefusesBadValues) {
  EXPECT_EQ(net_reason("bridge=vmbr0"), "key 'name' is missing");
  for (const auto* bad :
       {"hwaddr=BD:24:11:12:34:56", "ip=10.0.0.1", "ip=10.0.0.1/33", "ip=auto", "gw=10.0.0.0/8", "ip6=::1",
        "gw6=10.0.0.1", "mtu=63", "mtu=65536", "tag=0", "tag=4095", "trunks=4095", "trunks=", "rate=-1",
        "type=phys", "bridge=a/b", "firewall=2"}) {
    EXPECT_NE(net_reason(std::string("name=eth0,") + bad), "accepted") << bad;
  }
}

TEST(Volume, ReadsARootfs) {
  const auto rootfs = parse_rootfs("local:101/vm-101-disk-0.raw,size=4G");
  EXPECT_EQ(rootfs.volume, "local:101/vm-101-disk-0.raw");
  EXPECT_EQ(rootfs.mp, "/");
  EXPECT_EQ(rootfs.size, 4ULL << 30);
  EXPECT_EQ(rootfs.kind(), VolumeOption::Kind::volume);
  EXPECT_EQ(print_rootfs(rootfs), "local:101/vm-101-disk-0.raw,size=4G");
}

TEST(Volume, OfARootfsHasNoMountPointKeys) {
  EXPECT_EQ(reason([] { parse_rootfs("local:8,backup=1"); }), "unknown key 'backup'");
  EXPECT_EQ(reason([] { parse_rootfs("local:8,mp=/"); }), "unknown key 'mp'");
}

TEST(Volume, PrintsAVolumeWithAnEqualsSignByName) {
  const auto volume = parse_mount_point("volume=/srv/a=b,mp=/c");
  EXPECT_EQ(volume.volume, "/srv/a=b");
  EXPECT_EQ(print_mount_point(volume), "volume=/srv/a=b,mp=/c");
  EXPECT_EQ(parse_mount_point(print_mount_point(volume)), volume);
}

TEST(Volume, PrintsAMountPointWithItsPathFirst) {
  constexpr std::string_view text =
      "local:101/vm-101-disk-1.raw,mp=/srv,acl=1,backup=1,idmap=u:0:0:1;g:0:5:1,keepattrs=0,"
      "mountoptions=noatime;nodev,quota=0,replicate=0,ro=1,shared=1,size=1536M";
  const auto volume = parse_mount_point(text);
  EXPECT_EQ(print_mount_point(volume), text);
  EXPECT_EQ(volume.mount_options, (std::vector<std::string>{"noatime", "nodev"}));
  EXPECT_EQ(volume.idmap, (std::vector<VolumeIdRange>{{'u', 0, 0, 1}, {'g', 0, 5, 1}}));
}

TEST(Volume, TellsDevicesBindsAndVolumesApart) {
  EXPECT_EQ(parse_rootfs("/dev/sdb1").kind(), VolumeOption::Kind::device);
  EXPECT_EQ(parse_rootfs("/tank/data").kind(), VolumeOption::Kind::bind);
  EXPECT_EQ(parse_rootfs("/devices").kind(), VolumeOption::Kind::bind);
  EXPECT_EQ(parse_rootfs("tank:subvol-100-disk-0").kind(), VolumeOption::Kind::volume);
}

TEST(Volume, RefusesDotComponents) {
  for (const auto* path : {"/a/./b", "/a/../b", "/a/.", "/a/..", "../a"}) {
    EXPECT_NE(mp_reason(std::string("/tank,mp=") + path), "accepted") << path;
    EXPECT_NE(mp_reason(std::string(path) + ",mp=/a"), "accepted") << path;
  }
  EXPECT_EQ(mp_reason("/tank,mp=/a/..b/.c"), "accepted");
}

TEST(Volume, RefusesBadValues) {
  EXPECT_EQ(mp_reason("local:8"), "key 'mp' is missing");
  EXPECT_EQ(mp_reason("mp=/a"), "key 'volume' is missing");
  for (const auto* bad : {"size=8X", "mountoptions=suid", "mountoptions=nodev;", "idmap=x:0:0:1",
                          "idmap=u:0:0", "idmap=u:0:0:0", "ro=2", "acl="}) {
    EXPECT_NE(mp_reason(std::string("local:8,mp=/a,") + bad), "accepted") << bad;
  }
}

TEST(Volume, ReadsThePassthroughIdMap) {
  const auto volume = parse_mount_point("/tank,mp=/a,idmap=passthrough");
  EXPECT_TRUE(volume.idmap_passthrough);
  EXPECT_TRUE(volume.idmap.empty());
  EXPECT_EQ(print_mount_point(volume), "/tank,mp=/a,idmap=passthrough");
}

TEST(Volume, NamesTheFirstDoublyMappedId) {
  EXPECT_EQ(reason([] {
              check_idmap_overlap({{'u', 0, 0, 10}, {'g', 0, 0, 10}, {'u', 5, 100, 10}});
            }),
            "idmap entry 'u:5:100:10' maps container id 5 a second time, entry 'u:0:0:10' does already");
  EXPECT_EQ(reason([] {
              check_idmap_overlap({{'g', 0, 50, 10}, {'g', 10, 59, 1}});
            }),
            "idmap entry 'g:10:59:1' maps host id 59 a second time, entry 'g:0:50:10' does already");
  EXPECT_EQ(reason([] { check_idmap_overlap({{'u', 0, 0, 10}, {'u', 10, 10, 5}}); }), "accepted");
}

TEST(NewVolume, RoundsDownToWholeMebibytes) {
  EXPECT_EQ(parse_new_volume("local:8"), (NewVolume{"local", 8ULL << 30}));
  EXPECT_EQ(parse_new_volume("local:0"), (NewVolume{"local", 0}));
  EXPECT_EQ(parse_new_volume("local:0.0015"), (NewVolume{"local", 1ULL << 20}));
  for (const auto* text :
       {"local:", ":8", "local:8G", "local:100/vm-100-disk-0.raw", "/dev/sda", "lo cal:8"}) {
    EXPECT_FALSE(parse_new_volume(text)) << text;
  }
}

TEST(Features, AreReadAndPrintedSorted) {
  const auto features = parse_features("nesting=1,mount=nfs;cifs,keyctl=yes,fuse=0");
  EXPECT_EQ(features.nesting, true);
  EXPECT_EQ(features.fuse, false);
  EXPECT_EQ(features.mount_types(), (std::vector<std::string>{"nfs", "cifs"}));
  EXPECT_EQ(print_features(features), "fuse=0,keyctl=1,mount=nfs;cifs,nesting=1");
  EXPECT_NE(reason([] { parse_features("mount=a/b"); }), "accepted");
  EXPECT_NE(reason([] { parse_features("1"); }), "accepted");
}

TEST(Device, IsReadAndPrinted) {
  const auto device = parse_device("/dev/ttyUSB0,mode=0666,uid=1000,deny-write=1");
  EXPECT_EQ(device.mode, 0666U);
  EXPECT_EQ(device.uid, 1000U);
  EXPECT_EQ(device.gid, std::nullopt);
  EXPECT_EQ(print_device(device), "/dev/ttyUSB0,deny-write=1,mode=0666,uid=1000");
}

TEST(Device, RefusesBadValues) {
  for (const auto* bad :
       {"/tmp/x", "/dev/", "/dev/../etc", "/dev/a,mode=666", "/dev/a,mode=0888", "/dev/a,uid=-1"}) {
    EXPECT_NE(reason([bad] { parse_device(bad); }), "accepted") << bad;
  }
}

TEST(Startup, TakesABareNumberAsTheOrder) {
  EXPECT_EQ(parse_startup("3,up=10,,down=20"), (StartupOption{3, 10, 20}));
  EXPECT_EQ(parse_startup("order=0"), (StartupOption{0, std::nullopt, std::nullopt}));
  for (const auto* bad : {"first", "up=", "left=1", "up=-1"}) {
    EXPECT_NE(reason([bad] { parse_startup(bad); }), "accepted") << bad;
  }
}

TEST(Unused, IsAVolumeWithOrWithoutItsKey) {
  EXPECT_EQ(parse_unused("local:100/vm-100-disk-1.raw"), "local:100/vm-100-disk-1.raw");
  EXPECT_EQ(parse_unused("volume=local:100/vm-100-disk-1.raw"), "local:100/vm-100-disk-1.raw");
}

}  // namespace
}  // namespace hutch::config
