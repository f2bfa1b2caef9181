#include "runtime/link_hot_plug.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <signal.h>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "netlink/link.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LinkHotPlugTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    other_bridge_ = formatted("hbln{}", vmid());
  }
  void TearDown() override {
    ContainerTest::TearDown();
    run_program({"ip", "link", "delete", other_bridge_});
  }

  LinkSpec link_on(const std::string& bridge) {
    LinkSpec link = veth_on(bridge);
    link.mac = "BC:24:11:12:34:56";
    link.own_vlans = true;
    link.addresses = {inner_address() + "/24"};
    link.gateway4 = subnet_address(1);
    link.origin = {"test.conf", 5};
    return link;
  }
  void make_other_bridge() {
    run_checked({"ip", "link", "add", other_bridge_, "type", "bridge"});
    run_checked({"ip", "link", "set", other_bridge_, "up"});
  }
  void add(const LinkSpec& link) { add_link(sysroot(), state(), link); }
  void change(const LinkSpec& from, const LinkSpec& to) { change_link(sysroot(), state(), from, to); }
  std::string change_error(const LinkSpec& from, const LinkSpec& to) {
    try {
      change(from, to);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  std::string other_bridge_;
};

TEST_F(LinkHotPlugTest, ALinkComesAndGoes) {
  start();
  const LinkSpec link = link_on(make_bridge());
  add(link);
  EXPECT_TRUE(pings(inner_address()));
  EXPECT_THAT(sh("ip link show eth0"), HasSubstr("bc:24:11:12:34:56"));
  EXPECT_THAT(sh("ip route"), HasSubstr("default via " + link.gateway4));
  EXPECT_THAT(state().host_links, ElementsAre(link.host_name));
  remove_link(sysroot(), state(), link);
  EXPECT_FALSE(on_host(link.host_name));
  EXPECT_THAT(state().host_links, IsEmpty());
  remove_link(sysroot(), state(), link);
}

TEST_F(LinkHotPlugTest, AFailedAdditionLeavesNothing) {
  start();
  LinkSpec link = link_on(make_bridge());
  link.gateway6 = "fe80::1";
  link.gateway4 = "not an address";
  EXPECT_THROW(add(link), Error);
  EXPECT_FALSE(on_host(link.host_name));
  EXPECT_THAT(sh("ip link"), Not(HasSubstr("eth0")));
  EXPECT_THAT(state().host_links, IsEmpty());
  link.bridge = "nosuchbr0";
  try {
    add(link);
    ADD_FAILURE() << "a bridge that does not exist";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("bridge 'nosuchbr0' does not exist [test.conf:5]"));
  }
}

TEST_F(LinkHotPlugTest, WhatIsLeftByAKilledAddIsTakenAwayByTheNext) {
  start();
  const LinkSpec link = link_on(make_bridge());
  add(link);  // and the config was never written
  add(link);
  EXPECT_TRUE(pings(inner_address()));
  EXPECT_THAT(state().host_links, ElementsAre(link.host_name));
  remove_link(sysroot(), state(), link);
  EXPECT_FALSE(on_host(link.host_name));
}

TEST_F(LinkHotPlugTest, ALinkOfSomebodyElseStays) {
  start();
  LinkSpec link = link_on(make_bridge());
  make_other_bridge();
  link.host_name = other_bridge_;
  remove_link(sysroot(), state(), link);
  EXPECT_TRUE(on_host(other_bridge_));
}

TEST_F(LinkHotPlugTest, AddressAndGatewayFollow) {
  start();
  const LinkSpec from = link_on(make_bridge());
  add(from);
  LinkSpec to = from;
  to.addresses = {subnet_address(9) + "/24", "fd77::9/64"};
  to.gateway4 = subnet_address(254);
  to.gateway6 = "fd77::1";
  change(from, to);
  const std::string shown = sh("ip addr show eth0");
  EXPECT_THAT(shown, HasSubstr(to.addresses[0]));
  EXPECT_THAT(shown, HasSubstr("fd77::9/64"));
  EXPECT_THAT(shown, Not(HasSubstr(from.addresses[0])));
  EXPECT_THAT(sh("ip route"), HasSubstr("default via " + to.gateway4));
  EXPECT_THAT(sh("ip -6 route"), HasSubstr("default via fd77::1"));
  EXPECT_TRUE(pings(to.addresses[0].substr(0, to.addresses[0].find('/'))));
  EXPECT_EQ(sh("cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries"), "0");
  LinkSpec none = to;
  none.addresses.clear();
  none.gateway4 = none.gateway6 = "";
  change(to, none);
  EXPECT_THAT(sh("ip addr show eth0"), Not(HasSubstr("inet 10.")));
  EXPECT_EQ(sh("ip route"), "");
}

TEST_F(LinkHotPlugTest, AGatewayOutsideTheSubnetHasItsRoute) {
  start();
  const LinkSpec from = link_on(make_bridge());
  add(from);
  LinkSpec to = from;
  to.gateway4 = "192.0.2.1";
  change(from, to);
  EXPECT_THAT(sh("ip route"), HasSubstr("192.0.2.1 dev eth0"));
  EXPECT_THAT(sh("ip route"), HasSubstr("default via 192.0.2.1"));
}

TEST_F(LinkHotPlugTest, AFailedChangeRestoresWhatWas) {
  start();
  const LinkSpec from = link_on(make_bridge());
  add(from);
  make_other_bridge();
  LinkSpec to = from;
  to.bridge = other_bridge_;
  // The last of all to change, and refused by the kernel.
  to.addresses = {subnet_address(9) + "/24", "fd77::9/64"};
  to.gateway4 = subnet_address(254);
  sh("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6");
  EXPECT_THAT(change_error(from, to), HasSubstr("test.conf:5"));
  EXPECT_EQ(on_host(from.host_name)->master, on_host(from.bridge)->index);
  const std::string shown = sh("ip addr show eth0");
  EXPECT_THAT(shown, HasSubstr(from.addresses[0]));
  EXPECT_THAT(shown, Not(HasSubstr(to.addresses[0])));
  EXPECT_THAT(sh("ip route"), HasSubstr("default via " + from.gateway4));
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinkHotPlugTest, AnotherBridgeAndDown) {
  start();
  const LinkSpec from = link_on(make_bridge());
  add(from);
  make_other_bridge();
  LinkSpec moved = from;
  moved.bridge = other_bridge_;
  change(from, moved);
  EXPECT_EQ(on_host(from.host_name)->master, on_host(other_bridge_)->index);
  LinkSpec down = moved;
  down.link_down = true;
  change(moved, down);
  EXPECT_EQ(on_host(from.host_name)->master, 0);
  EXPECT_FALSE(on_host(from.host_name)->is_up());
  change(down, from);
  EXPECT_EQ(on_host(from.host_name)->master, on_host(from.bridge)->index);
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinkHotPlugTest, AFailedConnectionIsTakenBack) {
  start();
  const LinkSpec from = link_on(make_bridge());
  add(from);
  LinkSpec to = from;
  to.tag = 5;  // a plain bridge without a physical port
  EXPECT_THAT(change_error(from, to), HasSubstr("no physical interface"));
  EXPECT_EQ(on_host(from.host_name)->master, on_host(from.bridge)->index);
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinkHotPlugTest, ALinkWithoutAWayBackIsNotDisconnected) {
  start();
  LinkSpec from = link_on(make_bridge());
  add(from);
  from.trunks = {{20, 21}};  // from a time when the bridge told VLANs apart
  make_other_bridge();
  LinkSpec to = link_on(other_bridge_);
  to.gateway4 = "not an address";
  EXPECT_THAT(change_error(from, to), HasSubstr("'trunks' needs a VLAN-aware bridge"));
  EXPECT_EQ(on_host(from.host_name)->master, on_host(from.bridge)->index);
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinkHotPlugTest, ALinkWhoseBridgeIsGoneGetsAnother) {
  start();
  make_other_bridge();
  const LinkSpec from = link_on(other_bridge_);
  add(from);
  run_checked({"ip", "link", "delete", other_bridge_});
  LinkSpec to = from;
  to.bridge = make_bridge();
  to.gateway4 = "not an address";
  EXPECT_THAT(change_error(from, to), HasSubstr("'not an address' is not an IP address"));
  EXPECT_EQ(on_host(from.host_name)->master, 0) << "there is nothing to connect it to";
  EXPECT_FALSE(on_host(from.host_name)->is_up());
  to.gateway4 = from.gateway4;
  change(from, to);
  EXPECT_EQ(on_host(from.host_name)->master, on_host(to.bridge)->index);
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinkHotPlugTest, AnotherNameOrMacIsANewLink) {
  start();
  const LinkSpec from = link_on(make_bridge());
  add(from);
  const int index = on_host(from.host_name)->index;
  LinkSpec to = from;
  to.name = "lan0";
  to.mac = "BC:24:11:12:34:57";
  change(from, to);
  EXPECT_THAT(sh("ip link show lan0"), HasSubstr("bc:24:11:12:34:57"));
  EXPECT_NE(on_host(from.host_name)->index, index);
  EXPECT_TRUE(pings(inner_address()));
  LinkSpec bad = to;
  bad.name = "lo";
  EXPECT_THROW(change(to, bad), Error);
  EXPECT_THAT(sh("ip link show lan0"), HasSubstr("bc:24:11:12:34:57"));
}

TEST_F(LinkHotPlugTest, AnotherRate) {
  start();
  LinkSpec from = link_on(make_bridge());
  add(from);
  LinkSpec to = from;
  to.rate = 1U << 20;
  const std::string error = change_error(from, to);
  if (error != "no error") {
    EXPECT_THAT(error, HasSubstr("this kernel lacks a part of traffic control"));
    EXPECT_THAT(run_checked({"tc", "qdisc", "show", "dev", from.host_name}).out, Not(HasSubstr("htb")));
    EXPECT_TRUE(pings(inner_address()));
    GTEST_SKIP() << "probe: this kernel has no htb, matchall or police";
  }
  EXPECT_THAT(run_checked({"tc", "class", "show", "dev", from.host_name}).out, HasSubstr("htb 1:1"));
  change(to, from);
  EXPECT_THAT(run_checked({"tc", "qdisc", "show", "dev", from.host_name}).out, Not(HasSubstr("htb")));
}

TEST_F(LinkHotPlugTest, VlansFollowOnAVlanAwareBridge) {
  LinkSpec from = link_on(make_bridge());
  if (!run_program({"ip", "link", "set", from.bridge, "type", "bridge", "vlan_filtering", "1"}).succeeded()) {
    GTEST_SKIP() << "probe: this kernel's bridges do not filter by VLAN";
  }
  start();
  add(from);
  EXPECT_TRUE(pings(inner_address()));
  LinkSpec to = from;
  to.tag = 5;
  to.trunks = {{20, 21}};
  change(from, to);
  EXPECT_FALSE(pings(inner_address(), 2));
  const std::string shown = run_checked({"bridge", "vlan", "show", "dev", from.host_name}).out;
  EXPECT_THAT(shown, HasSubstr("5 PVID Egress Untagged"));
  EXPECT_THAT(shown, HasSubstr("21"));
  change(to, from);
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinkHotPlugTest, ARenamedMacvlanIsNotSaidToBeGone) {
  make_other_bridge();
  start();
  LinkSpec link;
  link.kind = LinkSpec::Kind::macvlan;
  link.name = "mac0";
  link.mode = MACVLAN_MODE_BRIDGE;
  link.lower = other_bridge_;
  try {
    add(link);
  } catch (const Error& error) {
    if (error.error_number() != EOPNOTSUPP) throw;
    GTEST_SKIP() << "probe: this kernel has no macvlan";
  }
  sh("ip link set mac0 down; ip link set mac0 name mine");
  try {
    remove_link(sysroot(), state(), link);
    ADD_FAILURE() << "said to be gone";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENODEV);
    EXPECT_THAT(error.what(), HasSubstr("'mac0'"));
  }
  sh("ip link set mine name mac0");
  remove_link(sysroot(), state(), link);
  EXPECT_THAT(sh("ip link"), Not(HasSubstr("mac0")));
}

TEST_F(LinkHotPlugTest, ALinkTakesItsScriptAndItsProxiesAlong) {
  start();
  LinkSpec link = link_on(make_bridge());
  link.proxy_neighbours = true;
  link.script_down = {formatted("sh -c 'echo ran >> {}/down' sh", directory()), {"test.conf", 6}};
  write_kernel_file(AT_FDCWD, formatted("/proc/sys/net/ipv4/conf/{}/forwarding", link.bridge), "1");
  add(link);
  EXPECT_THAT(run_checked({"ip", "neigh", "show", "proxy"}).out, HasSubstr(inner_address()));
  remove_link(sysroot(), state(), link);
  EXPECT_THAT(run_checked({"ip", "neigh", "show", "proxy"}).out, Not(HasSubstr(inner_address())));
  EXPECT_THAT(state().proxies, IsEmpty());
  EXPECT_THAT(state().down_scripts, IsEmpty());
  EXPECT_EQ(read_file_if_exists(AT_FDCWD, directory() + "/down").value_or("nothing"), "ran\n");
  kill();
  EXPECT_EQ(read_file_if_exists(AT_FDCWD, directory() + "/down").value_or("nothing"), "ran\n");
}

TEST_F(LinkHotPlugTest, APatternsLinkComesBack) {
  start();
  LinkSpec link;
  link.kind = LinkSpec::Kind::phys;
  link.name = "lan0";
  const std::string wire = formatted("hbwire{}", vmid());
  link.lower = wire.substr(0, wire.size() - 1) + "+";
  run_checked({"ip", "link", "add", wire, "type", "veth", "peer", "name", formatted("hbfar{}", vmid())});
  add(link);
  EXPECT_FALSE(on_host(wire));
  remove_link(sysroot(), state(), link);
  EXPECT_TRUE(on_host(wire));
  EXPECT_THAT(state().moved_links, IsEmpty());
  run_program({"ip", "link", "delete", formatted("hbfar{}", vmid())});
}

TEST_F(LinkHotPlugTest, NothingIsPluggedIntoADeadContainer) {
  start();
  const ContainerState before = state();
  const LinkSpec link = link_on(make_bridge());
  kill();
  EXPECT_THROW(add_link(sysroot(), before, link), Error);
  EXPECT_FALSE(on_host(link.host_name));
}

}  // namespace
}  // namespace hutch::kernel_test
