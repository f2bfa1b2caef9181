// Links of every type, by their effects.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "netlink/link.h"
#include "runtime/host_facts.h"
#include "runtime/stop.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = LinkSpec::Kind;

class LinksTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    wire_ = formatted("hbln{}a", vmid() % 100000);
    far_ = formatted("hbln{}b", vmid() % 100000);
  }
  void TearDown() override {
    ContainerTest::TearDown();
    for (const auto& link : made_) run_program({"ip", "link", "delete", link});
  }

  void ip(const std::string& words) {
    std::vector<std::string> argv = {"ip"};
    for (const auto word : split_blanks(words)) argv.emplace_back(word);
    run_checked(argv);
  }

  // A cable: `wire_` is for the container, `far_` stands for another machine, with far_address().
  void lay_wire() {
    ip(formatted("link add {} type veth peer name {}", wire_, far_));
    made_.push_back(far_);
    ip(formatted("link set {} up", wire_));
    ip(formatted("link set {} up", far_));
    ip(formatted("addr add {}/24 dev {}", far_address(), far_));
  }
  std::string far_address() const { return subnet_address(1, 1); }
  std::string near_address() const { return subnet_address(2, 1); }

  LinkSpec& add_link(Kind kind, const std::string& name) {
    LinkSpec link;
    link.kind = kind;
    link.name = name;
    link.index = static_cast<unsigned>(spec.links.size());
    if (kind == Kind::veth) link.host_name = formatted("veth{}i{}", vmid(), link.index);
    link.origin = {"test.conf", 5};
    spec.links.push_back(link);
    return spec.links.back();
  }

  LinkSpec& add_wire() {
    lay_wire();
    LinkSpec& link = add_link(Kind::phys, "lan0");
    link.lower = wire_;
    link.configure = true;
    link.addresses = {near_address() + "/24"};
    return link;
  }

  // Scripts that write what they get to a file that `recorded` reads.
  Located<std::string> recording_script(const std::string& name) {
    return {
        formatted("sh -c 'echo \"$@\" $LXC_NAME $LXC_HOOK_TYPE $LXC_NET_PARENT >> {}' sh", record_path(name)),
        {"test.conf", 6}};
  }
  std::string record_path(const std::string& name) const { return directory() + "/" + name; }
  std::string recorded(const std::string& name) {
    return read_file_if_exists(AT_FDCWD, record_path(name)).value_or("nothing");
  }

  std::string wire_;
  std::string far_;
  std::vector<std::string> made_;
};

TEST_F(LinksTest, APhysicalLinkIsLentToTheContainer) {
  add_wire().mtu = 1400;
  ip(formatted("link property add dev {} altname {}alt", wire_, wire_));
  start();
  EXPECT_FALSE(on_host(wire_));
  EXPECT_THAT(sh("ip link show lan0"), HasSubstr("mtu 1400"));
  EXPECT_TRUE(pings(near_address()));
  kill();
  const auto back = on_host(wire_);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->mtu, 1500U);
  EXPECT_THAT(back->alternative_names, ElementsAre(wire_ + "alt"));
}

TEST_F(LinksTest, APhysicalLinkComesBackWhenTheContainerDies) {
  add_wire();
  start();
  ASSERT_FALSE(on_host(wire_));
  ASSERT_EQ(::kill(state().init.pid, SIGKILL), 0);
  ASSERT_TRUE(wait_until_gone());
  EXPECT_TRUE(on_host(wire_));
}

TEST_F(LinksTest, ARenamedPhysicalLinkComesBack) {
  add_wire();
  start();
  sh("ip link set lan0 down; ip link set lan0 name mine");
  kill();
  EXPECT_TRUE(on_host(wire_));
}

TEST_F(LinksTest, ALinkOfTheContainersStaysInside) {
  add_wire();
  start();
  sh("ip link delete lan0; ip link add lan0 type bridge");
  ASSERT_THAT(sh("ip link show lan0"), HasSubstr("lan0:"));
  kill();
  EXPECT_FALSE(on_host(wire_));
}

TEST_F(LinksTest, APhysicalLinkComesBackFromAFailedStart) {
  add_wire();
  spec.init.argv = {"/bin/missing"};
  start_error();
  EXPECT_TRUE(on_host(wire_));
}

TEST_F(LinksTest, APatternTakesTheLastLink) {
  lay_wire();
  LinkSpec& link = add_link(Kind::phys, wire_.substr(0, wire_.size() - 1) + "+");
  link.lower = link.name;
  start();
  // Which of both has the higher index is the kernel's choice.
  EXPECT_NE(on_host(wire_).has_value(), on_host(far_).has_value());
}

TEST_F(LinksTest, AMissingLowerLinkIsNamedWithItsLine) {
  add_link(Kind::macvlan, "eth0").lower = "nosuchlink0";
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("no link 'nosuchlink0'"));
  EXPECT_THAT(error, HasSubstr("test.conf:5"));
}

TEST_F(LinksTest, AMacvlanReachesTheWire) {
  lay_wire();
  LinkSpec& link = add_link(Kind::macvlan, "eth0");
  link.lower = wire_;
  link.mode = MACVLAN_MODE_BRIDGE;
  link.mac = "02:16:3e:xx:xx:xx";
  link.configure = true;
  link.addresses = {near_address() + "/24"};
  start();
  EXPECT_THAT(sh("ip link show eth0"), HasSubstr("02:16:3e"));
  EXPECT_TRUE(pings(near_address()));
}

TEST_F(LinksTest, AVlanCarriesItsTag) {
  lay_wire();
  LinkSpec& link = add_link(Kind::vlan, "eth0");
  link.lower = wire_;
  link.vlan_id = 5;
  link.configure = true;
  link.addresses = {near_address() + "/24"};
  if (!run_program({"ip", "link", "add", "link", far_, "name", far_ + ".5", "type", "vlan", "id", "5"})
           .succeeded()) {
    EXPECT_THAT(start_error(), HasSubstr("links of the kind vlan"));
    GTEST_SKIP() << "probe: this kernel has no VLAN links";
  }
  start();
  EXPECT_FALSE(pings(near_address(), 2));
  ip(formatted("addr flush dev {}", far_));
  ip(formatted("addr add {}/24 dev {}.5", far_address(), far_));
  ip(formatted("link set {}.5 up", far_));
  EXPECT_TRUE(pings(near_address()));
}

TEST_F(LinksTest, AnIpvlanReachesTheWire) {
  lay_wire();
  LinkSpec& link = add_link(Kind::ipvlan, "eth0");
  link.lower = wire_;
  link.mode = IPVLAN_MODE_L2;
  link.configure = true;
  link.addresses = {near_address() + "/24"};
  try {
    start();
  } catch (const Error& error) {
    ASSERT_EQ(error.error_number(), EOPNOTSUPP) << error.what();
    GTEST_SKIP() << "probe: this kernel has no ipvlan";
  }
  EXPECT_TRUE(pings(near_address()));
}

TEST_F(LinksTest, ARoutedVethIsReachedByARoute) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.router = true;
  link.configure = true;
  link.addresses = {near_address() + "/32"};
  link.gateway4 = "169.254.7.7";
  link.routes = {subnet_address(0, 2) + "/24"};
  start();
  // The kernel answers for an address only when it has a route to it over another link (net/ipv4/arp.c), and
  // a test machine may have neither routes nor an address to ask from.
  lay_wire();
  ip(formatted("route add 169.254.7.7/32 dev {}", far_));
  EXPECT_TRUE(pings(near_address()));
  const std::string routes = run_checked({"ip", "route"}).out;
  EXPECT_THAT(routes, HasSubstr(formatted("{}/24 dev {}", subnet_address(0, 2), link.host_name)));
  EXPECT_THAT(sh("ip route"), HasSubstr("default via 169.254.7.7"));
  // The host answers for the gateway.
  EXPECT_THAT(run_checked({"ip", "neigh", "show", "proxy"}).out,
              HasSubstr(formatted("169.254.7.7 dev {}", link.host_name)));
}

TEST_F(LinksTest, ARouteOverTheLinkItself) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.configure = true;
  link.addresses = {inner_address() + "/24 10.77.0.77"};
  link.gateway4 = "dev";
  start();
  EXPECT_THAT(sh("ip route"), HasSubstr("default dev eth0"));
  EXPECT_THAT(sh("ip addr show eth0"), HasSubstr("brd 10.77.0.77"));
}

TEST_F(LinksTest, AutoIsTheBridgesAddress) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.configure = true;
  link.addresses = {inner_address() + "/24"};
  link.gateway4 = "auto";
  start();
  EXPECT_THAT(sh("ip route"), HasSubstr("default via " + subnet_address(1)));
}

TEST_F(LinksTest, AnotherLinkAnswersForTheContainer) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.proxy_neighbours = true;
  link.configure = true;
  link.addresses = {inner_address() + "/24"};
  const std::string forwarding = formatted("/proc/sys/net/ipv4/conf/{}/forwarding", link.bridge);
  write_kernel_file(AT_FDCWD, forwarding, "0");
  EXPECT_THAT(start_error(), HasSubstr(forwarding));
  write_kernel_file(AT_FDCWD, forwarding, "1");
  start();
  const std::string entry = formatted("{} dev {}", inner_address(), link.bridge);
  EXPECT_THAT(run_checked({"ip", "neigh", "show", "proxy"}).out, HasSubstr(entry));
  kill();
  EXPECT_THAT(run_checked({"ip", "neigh", "show", "proxy"}).out, Not(HasSubstr(entry)));
}

TEST_F(LinksTest, EmptyHasOnlyTheLoopback) {
  add_link(Kind::empty, "").configure = true;
  start();
  EXPECT_THAT(sh("ip link show lo"), HasSubstr("LOOPBACK,UP"));
}

TEST_F(LinksTest, TheHostsNetworkIsShared) {
  spec.namespaces.net = false;
  lay_wire();
  start();
  EXPECT_THAT(sh("ip link"), HasSubstr(wire_));
}

// Steps beside the starter's do not take the first process's CPU; scripts are as any program that the user
// starts.
TEST_F(LinksTest, LinksAreMadeWithoutHaste) {
  const StartPlan planned = [&] {
    add_link(Kind::veth, "eth0");
    return plan();
  }();
  std::set<int> policies[2];
  StartOptions options;
  options.before_step = [&](std::size_t at) {
    if (at == planned.host.size()) return;
    policies[static_cast<int>(planned.host[at].lane)].insert(::sched_getscheduler(0));
  };
  start(options);
  EXPECT_THAT(policies[static_cast<int>(HostLane::main)], ElementsAre(SCHED_OTHER));
  EXPECT_THAT(policies[static_cast<int>(HostLane::side)], ElementsAre(SCHED_BATCH));
  EXPECT_EQ(::sched_getscheduler(state().init.pid), SCHED_OTHER);
  EXPECT_EQ(::sched_getscheduler(state().supervisor.pid), SCHED_OTHER);
}

TEST_F(LinksTest, ScriptsHaveTheUsualSchedulingPolicy) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.script_up = {formatted("sh -c 'cut -d\" \" -f41 /proc/self/stat > {}' sh", record_path("policy")),
                    {"test.conf", 6}};
  start();
  EXPECT_EQ(recorded("policy"), formatted("{}\n", SCHED_OTHER));
}

TEST_F(LinksTest, ScriptsGetTheirArguments) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.script_up = recording_script("up");
  link.script_down = recording_script("down");
  start();
  const std::string id = std::to_string(vmid());
  // Without a bridge there is one word less.
  EXPECT_EQ(recorded("up"), formatted("{} net up veth {} {}\n", id, link.host_name, id));
  EXPECT_EQ(recorded("down"), "nothing");
  kill();
  EXPECT_EQ(recorded("down"), formatted("{} net down veth {} {}\n", id, link.host_name, id));
}

TEST_F(LinksTest, ScriptsOfVersionOneReadTheEnvironment) {
  spec.hook_version = 1;
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.script_up = recording_script("up");
  link.script_down = recording_script("down");
  start();
  EXPECT_EQ(recorded("up"),
            formatted("veth {} {} {} up {}\n", link.bridge, link.host_name, vmid(), link.bridge));
  // The container ends by itself: its supervisor runs the script.
  ASSERT_EQ(::kill(state().init.pid, SIGKILL), 0);
  ASSERT_TRUE(wait_until_gone());
  EXPECT_THAT(recorded("down"), StartsWith("veth " + link.bridge));
}

TEST_F(LinksTest, AFailingScriptStopsTheStart) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.script_up = {"sh -c 'exit 3' sh", {"test.conf", 6}};
  link.script_down = recording_script("down");
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("'lxc.net.0.script.up'"));
  EXPECT_THAT(error, HasSubstr("exited with status 3"));
  EXPECT_THAT(error, HasSubstr("test.conf:6"));
  EXPECT_FALSE(on_host(link.host_name));
  // What the first lines of the script have done can be undone.
  EXPECT_THAT(recorded("down"), HasSubstr("net down veth"));
}

TEST_F(LinksTest, ARateLimitsBothWays) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.rate = 1U << 20;
  link.configure = true;
  link.addresses = {inner_address() + "/24"};
  try {
    start();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("this kernel lacks a part of traffic control"));
    EXPECT_FALSE(on_host(link.host_name));
    GTEST_SKIP() << "probe: this kernel has no htb, matchall or police";
  }
  EXPECT_THAT(run_checked({"tc", "class", "show", "dev", link.host_name}).out, HasSubstr("htb 1:1"));
  EXPECT_THAT(run_checked({"tc", "filter", "show", "dev", link.host_name, "ingress"}).out,
              HasSubstr("police"));
  EXPECT_TRUE(pings(inner_address()));
}

TEST_F(LinksTest, ATagOnAVlanAwareBridgeSeparates) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.own_vlans = true;
  link.tag = 5;
  link.configure = true;
  link.addresses = {inner_address() + "/24"};
  if (!run_program({"ip", "link", "set", link.bridge, "type", "bridge", "vlan_filtering", "1"}).succeeded()) {
    GTEST_SKIP() << "probe: this kernel's bridges do not filter by VLAN";
  }
  start();
  EXPECT_FALSE(pings(inner_address(), 2));
  run_checked({"bridge", "vlan", "add", "dev", link.bridge, "vid", "5", "pvid", "untagged", "self"});
  EXPECT_TRUE(pings(inner_address()));
}

// The first port's link does not need to know it.
TEST_F(LinksTest, ABridgesDefaultVlanIsKnownForItsSecondPort) {
  const std::string bridge = make_bridge();
  add_link(Kind::veth, "eth0").bridge = bridge;
  LinkSpec& second = add_link(Kind::veth, "eth1");
  second.bridge = bridge;
  second.tag = 5;
  if (!run_program({"ip", "link", "set", bridge, "type", "bridge", "vlan_filtering", "1"}).succeeded()) {
    GTEST_SKIP() << "probe: this kernel's bridges do not filter by VLAN";
  }
  ip(formatted("link set {} type bridge vlan_default_pvid 10", bridge));
  HostFacts facts;
  gather_link_facts(spec.links, facts);
  EXPECT_EQ(10U, facts.bridges.at(bridge).default_vlan);
}

TEST_F(LinksTest, ATagOnAPlainBridgeHasABridgeOfItsOwn) {
  LinkSpec& link = add_link(Kind::veth, "eth0");
  link.bridge = make_bridge();
  link.own_vlans = true;
  link.tag = 5;
  link.mac = "BC:24:11:12:34:56";  // the same after a second start, for who remembers it
  link.configure = true;
  link.addresses = {near_address() + "/24"};
  EXPECT_THAT(start_error(), HasSubstr("no physical interface on bridge"));
  wire_ = formatted("eth{}", vmid() % 100000);
  lay_wire();
  ip(formatted("link set {} master {}", wire_, link.bridge));
  if (!run_program({"ip", "link", "add", "link", far_, "name", far_ + ".5", "type", "vlan", "id", "5"})
           .succeeded()) {
    EXPECT_THAT(start_error(), HasSubstr("links of the kind vlan"));
    EXPECT_FALSE(on_host(link.bridge + "v5"));
    GTEST_SKIP() << "probe: this kernel has no VLAN links";
  }
  ip(formatted("addr flush dev {}", far_));
  ip(formatted("addr add {}/24 dev {}.5", far_address(), far_));
  ip(formatted("link set {}.5 up", far_));
  start();
  EXPECT_TRUE(pings(near_address()));
  EXPECT_EQ(on_host(link.host_name)->master, on_host(link.bridge + "v5")->index);
  kill();
  made_.push_back(link.bridge + "v5");
  start();  // with the bridge that is there
  EXPECT_TRUE(pings(near_address()));
}

}  // namespace
}  // namespace hutch::kernel_test
