#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netlink/link.h"
#include "netlink/socket.h"
#include "tests/cli/running_container.h"

// Links, volumes and devices that come to a running container by `pct set`, and go when the command fails.
namespace hutch::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class LinkHotPlug : public testing::RunningContainer {
 protected:
  void SetUp() override {
    RunningContainer::SetUp();
    if (!IsSkipped()) netlink::create_bridge(socket_, bridge_);
  }
  void TearDown() override {
    RunningContainer::TearDown();
    if (netlink::find_link(socket_, bridge_)) netlink::delete_link(socket_, bridge_);
  }
  // An interface with a MAC address of its own.
  std::string net(const std::string& name, const std::string& settings = {}) const {
    return formatted("name={},bridge={},hwaddr=02:00:00:00:00:01{}", name, bridge_, settings);
  }
  std::string links() { return inside({"ip", "-o", "link"}).out; }
  std::string addresses() { return inside({"ip", "-o", "-4", "addr"}).out; }

  const std::string bridge_ = formatted("hset{}", ::getpid() % 1000000);
  netlink::Socket socket_;
};

TEST_F(LinkHotPlug, ComesIsReaddressedAndGoes) {
  expect_done({"--net0", net("eth0", ",ip=10.213.9.2/24,gw=10.213.9.1")});
  EXPECT_THAT(addresses(), HasSubstr("inet 10.213.9.2/24 "));
  EXPECT_THAT(inside({"ip", "route"}).out, HasSubstr("default via 10.213.9.1 dev eth0"));
  expect_done({"--net0", net("eth0", ",ip=10.213.9.3/24")});
  EXPECT_THAT(addresses(), HasSubstr("inet 10.213.9.3/24 "));
  EXPECT_THAT(addresses(), Not(HasSubstr("10.213.9.2/")));
  EXPECT_THAT(inside({"ip", "route"}).out, Not(HasSubstr("default")));
  expect_done({"--net0", net("lan", ",ip=10.213.9.3/24")});
  EXPECT_THAT(links(), HasSubstr(": lan@"));
  expect_done({"--delete", "net0"});
  EXPECT_THAT(links(), Not(HasSubstr(": lan@")));
  EXPECT_FALSE(netlink::find_link(socket_, "veth2110i0"));
  EXPECT_THAT(config(), Not(HasSubstr("net0")));
}

TEST_F(LinkHotPlug, TheTenthGoesLikeTheFirst) {
  expect_done({"--net10", net("eth10")});
  EXPECT_THAT(links(), HasSubstr(": eth10@"));
  expect_done({"--delete", "net10"});
  EXPECT_THAT(links(), Not(HasSubstr(": eth10@")));
}

TEST_F(LinkHotPlug, AnMtuWaitsInsteadOfLying) {
  expect_done({"--net0", net("eth0")});
  expect_done({"--net0", net("eth0", ",mtu=1400")});
  EXPECT_THAT(links(), HasSubstr("mtu 1500"));
  EXPECT_THAT(pending(), HasSubstr("\nnew net0: "));
}

TEST_F(LinkHotPlug, ADownLinkLeavesTheBridge) {
  expect_done({"--net0", net("eth0")});
  EXPECT_NE(netlink::find_link(socket_, "veth2110i0")->master, 0);
  expect_done({"--net0", net("eth0", ",link_down=1")});
  EXPECT_EQ(netlink::find_link(socket_, "veth2110i0")->master, 0);
}

TEST_F(LinkHotPlug, IsAsBeforeWhenAnotherFails) {
  expect_done({"--net0", net("eth0", ",ip=10.213.9.2/24"), "--net1", "name=eth1,hwaddr=02:00:00:00:00:02"});
  const std::string before = config();
  const auto outcome = set({"--delete", "net1", "--net0", net("eth0", ",ip=10.213.9.9/24"), "--memory", "128",
                            "--net2", "name=eth2,bridge=hnosuch"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, StartsWith("unable to hotplug net2: "));
  EXPECT_EQ(config(), before);
  EXPECT_EQ(memory_limit(), "67108864");
  EXPECT_THAT(addresses(), HasSubstr("inet 10.213.9.2/24 "));
  EXPECT_THAT(addresses(), Not(HasSubstr("10.213.9.9")));
  EXPECT_THAT(links(), HasSubstr(": eth1@"));
  EXPECT_THAT(links(), Not(HasSubstr(": eth2@")));
}

// A script ends the container while it gets the link, and fails.
TEST_F(LinkHotPlug, AContainerThatEndsMeanwhileGetsItAsAStoppedOne) {
  const auto running = find_running(host.sysroot(), kVmid);
  ASSERT_TRUE(running);
  host.write("end.sh",
             formatted("#!/bin/sh\nkill -9 {0}\nwhile kill -0 {0}; do sleep 0.01; done 2>/dev/null\nexit 1\n",
                       running->init.pid));
  ASSERT_EQ(::chmod(host.path("end.sh").c_str(), 0755), 0);
  host.add_container(kVmid, config() + formatted("lxc.net.1.script.up: {}\n", host.path("end.sh")));
  expect_done({"--net1", net("eth1")});
  EXPECT_FALSE(find_running(host.sysroot(), kVmid));
  EXPECT_THAT(config(), HasSubstr("net1: name=eth1,"));
  EXPECT_THAT(config(), Not(HasSubstr("pve:pending")));
  // Its supervisor cleans up beside us.
  const std::string directory = state_directory(host.sysroot(), kVmid);
  for (int tries = 0; tries < 6000 && std::filesystem::exists(directory); ++tries) ::usleep(10000);
}

TEST_F(LinkHotPlug, TheGuestsFilesFollowAndComeBack) {
  ASSERT_EQ(pct({"stop", kId}).status, 0);
  host.write(rootfs_ + "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
  host.write(rootfs_ + "etc/debian_version", "12.5\n");
  host.write(rootfs_ + "etc/network/interfaces", "auto lo\niface lo inet loopback\n");
  run_checked({"chown", "-R", "100000:100000", host.path(rootfs_ + "etc")});
  expect_done({"--ostype", "debian"});
  ASSERT_EQ(pct({"start", kId}).status, 0);
  const auto file = [&] { return host.read(rootfs_ + "etc/network/interfaces"); };
  expect_done({"--net0", net("eth0", ",ip=10.213.9.2/24")});
  EXPECT_THAT(file(), HasSubstr("iface eth0 inet static\n\taddress 10.213.9.2/24\n"));
  struct stat status {};
  ASSERT_EQ(::stat(host.path(rootfs_ + "etc/network/interfaces").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 100000U);
  const std::string before = file();
  EXPECT_NE(set({"--net0", net("eth0", ",ip=10.213.9.9/24"), "--net1", "name=eth1,bridge=hnosuch"}).status,
            0);
  EXPECT_EQ(file(), before);
}

class VolumeHotPlug : public testing::RunningContainer {
 protected:
  std::string mounts() { return inside({"cat", "/proc/mounts"}).out; }
  std::vector<std::string> volumes() const { return list_directory(host.path("var/lib/vz/images/2110")); }
};

TEST_F(VolumeHotPlug, NewMountPointsAndDevicesAreThereAtOnce) {
  host.write("share/file", "shared\n");
  expect_done({"--mp0", "local:0.02,mp=/image", "--mp1", "local:0,mp=/directory", "--mp2",
               host.path("share") + ",mp=/bind", "--dev0", "/dev/full,mode=0600"});
  EXPECT_THAT(mounts(), HasSubstr(" /image ext4 rw"));
  EXPECT_EQ(inside({"touch", "/image/a", "/directory/a"}).status, 0);
  EXPECT_EQ(inside({"cat", "/bind/file"}).out, "shared\n");
  EXPECT_THAT(inside({"sh", "-c", "echo x > /dev/full"}).err, HasSubstr("No space left on device"));
  EXPECT_THAT(config(), HasSubstr("mp0: local:2110/vm-2110-disk-1.raw,mp=/image,size=20M\n"));
  EXPECT_THAT(config(), Not(HasSubstr("pve:pending")));
}

TEST_F(VolumeHotPlug, DoNotCoverTheKernelsDirectories) {
  for (const char* path : {"/dev", "/proc/sys", "//sys"}) {
    const auto outcome = pct({"set", "2110", "--mp0", std::string("local:0,mp=") + path});
    EXPECT_NE(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("would cover the running container's own")) << path;
  }
  EXPECT_THAT(config(), Not(HasSubstr("mp0")));
}

TEST_F(VolumeHotPlug, AreAsBeforeWhenAnotherFails) {
  const std::string before = config();
  const auto outcome = set({"--mp0", "local:0.02,mp=/image", "--mp1", "local:0,mp=/directory", "--dev0",
                            "/dev/kmsg", "--mp2", "/nosuch/directory,mp=/bind", "--memory", "128"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, StartsWith("unable to hotplug mp2: "));
  EXPECT_EQ(config(), before);
  EXPECT_EQ(volumes(), std::vector<std::string>{"subvol-2110-disk-0.subvol"});
  EXPECT_THAT(mounts(), Not(HasSubstr("/image")));
  EXPECT_THAT(mounts(), Not(HasSubstr("/directory")));
  EXPECT_NE(inside({"ls", "/dev/kmsg"}).status, 0);
  EXPECT_EQ(memory_limit(), "67108864");
}

TEST_F(VolumeHotPlug, AChangedOneWaits) {
  expect_done({"--mp0", "local:0,mp=/a", "--dev0", "/dev/full"});
  expect_done({"--mp0", "local:2110/subvol-2110-disk-1.subvol,mp=/b", "--dev0", "/dev/full,mode=0600"});
  EXPECT_THAT(mounts(), HasSubstr(" /a "));
  EXPECT_THAT(mounts(), Not(HasSubstr(" /b ")));
  EXPECT_THAT(pending(), HasSubstr("\nnew dev0: /dev/full,mode=0600\n"));
  EXPECT_THAT(pending(), HasSubstr("\nnew mp0: local:2110/subvol-2110-disk-1.subvol,mp=/b\n"));
}

}  // namespace
}  // namespace hutch::cli
