#include "runtime/link_plan.h"

#include <gmock/gmock.h>

#include "tests/base/error_of.h"

namespace hutch {
namespace {

using netlink::PortVlan;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const BridgeFacts kPlain{.index = 3, .mtu = 1500};
const BridgeFacts kAware{.index = 4, .mtu = 1500, .vlan_aware = true};
const BridgeFacts kOpenVswitch{.index = 5, .is_bridge = false, .open_vswitch = true};

LinkSpec veth() {
  LinkSpec link;
  link.name = "eth0";
  link.host_name = "veth100i0";
  link.bridge = "vmbr0";
  link.own_vlans = true;
  link.origin = {"100.conf", 3};
  return link;
}

TEST(NeedsPlug, OnlyWhatABridgeDoesNotDoByItself) {
  LinkSpec link = veth();
  EXPECT_FALSE(needs_plug(link, &kPlain));
  EXPECT_FALSE(needs_plug(link, nullptr));
  EXPECT_TRUE(needs_plug(link, &kAware));
  EXPECT_TRUE(needs_plug(link, &kOpenVswitch));
  link.rate = 1;
  EXPECT_TRUE(needs_plug(link, &kPlain));
  EXPECT_TRUE(needs_plug(link, nullptr));
  link.link_down = true;
  EXPECT_FALSE(needs_plug(link, &kAware));
  LinkSpec raw = veth();
  raw.own_vlans = false;
  EXPECT_FALSE(needs_plug(raw, &kAware));
}

TEST(PlanPlug, AVlanAwareBridgeGetsExactlyTheVlans) {
  LinkSpec link = veth();
  EXPECT_THAT(plan_plug(link, &kAware).vlans,
              ElementsAre(PortVlan{false, 1, 4094}, PortVlan{true, 2, 4094}, PortVlan{true, 1, 1, true}));
  link.tag = 5;
  EXPECT_THAT(plan_plug(link, &kAware).vlans,
              ElementsAre(PortVlan{false, 1, 4094}, PortVlan{true, 5, 5, true}));
  link.trunks = {{10, 12}};
  EXPECT_THAT(plan_plug(link, &kAware).vlans,
              ElementsAre(PortVlan{false, 1, 4094}, PortVlan{true, 10, 12}, PortVlan{true, 5, 5, true}));
  link.tag.reset();
  EXPECT_THAT(plan_plug(link, &kAware).vlans,
              ElementsAre(PortVlan{false, 1, 4094}, PortVlan{true, 10, 12}, PortVlan{true, 1, 1, true}));
}

TEST(PlanPlug, OtherwiseTheBridgesOwnVlanIsOnlyReplaced) {
  LinkSpec link = veth();
  link.own_vlans = false;
  link.tag = 5;
  EXPECT_THAT(plan_plug(link, &kAware).vlans, ElementsAre(PortVlan{false, 1, 1}, PortVlan{true, 5, 5, true}));
  link.tag = 1;
  EXPECT_THAT(plan_plug(link, &kAware).vlans, ElementsAre(PortVlan{true, 1, 1, true}));
  link.tag.reset();
  link.no_untagged = true;
  link.trunks = {{7, 7}};
  EXPECT_THAT(plan_plug(link, &kAware).vlans, ElementsAre(PortVlan{false, 1, 1}, PortVlan{true, 7, 7}));
  EXPECT_THAT(error_of([&] { plan_plug(link, &kPlain); }),
              HasSubstr("does not tell VLANs apart [100.conf:3]"));
}

TEST(PlanPlug, APlainBridgeHasAnotherOneForATag) {
  LinkSpec link = veth();
  link.tag = 5;
  const LinkPlug plug = plan_plug(link, &kPlain);
  EXPECT_EQ(plug.bridge, "vmbr0v5");
  EXPECT_EQ(plug.vlan_of, "vmbr0");
  EXPECT_EQ(plug.vlan, 5);
  EXPECT_THAT(plug.vlans, IsEmpty());
  link.trunks = {{6, 6}};
  EXPECT_THAT(error_of([&] { plan_plug(link, &kPlain); }), HasSubstr("'trunks' needs a VLAN-aware bridge"));
  link.trunks.clear();
  link.bridge = "a-long-bridge0";
  EXPECT_THAT(error_of([&] { plan_plug(link, &kPlain); }), HasSubstr("'a-long-bridge0v5'"));
}

TEST(PlanPlug, ABridgeWithoutLearningIsTold) {
  LinkSpec link = veth();
  const BridgeFacts deaf{.index = 3, .learning = false};
  EXPECT_THAT(error_of([&] { plan_plug(link, &deaf); }), HasSubstr("set hwaddr"));
  link.mac = "BC:24:11:00:00:01";
  EXPECT_EQ(plan_plug(link, &deaf).static_mac, link.mac);
}

TEST(OpenVswitchCommand, NamesTagTrunksAndMtu) {
  LinkSpec link = veth();
  link.tag = 5;
  link.trunks = {{6, 8}, {10, 10}};
  link.mtu = 1400;
  EXPECT_THAT(
      open_vswitch_command(plan_plug(link, &kOpenVswitch)),
      ElementsAre("ovs-vsctl", "--timeout=10", "--if-exists", "del-port", "veth100i0", "--", "add-port",
                  "vmbr0", "veth100i0", "tag=5", "trunks=6,7,8,10", "vlan_mode=native-untagged", "--", "set",
                  "Interface", "veth100i0", "mtu_request=1400"));
  link.tag.reset();
  link.trunks.clear();
  link.no_untagged = true;
  EXPECT_THAT(error_of([&] { plan_plug(link, &kOpenVswitch); }), HasSubstr("would carry nothing"));
}

TEST(CheckLink, RefusesWhatTheHostCannotHave) {
  HostFacts facts;
  LinkSpec link = veth();
  EXPECT_THAT(error_of([&] { check_link(link, facts); }),
              HasSubstr("bridge 'vmbr0' does not exist [100.conf:3]"));
  facts.bridges["vmbr0"] = kPlain;
  EXPECT_EQ(error_of([&] { check_link(link, facts); }), "");
  link.mtu = 9000;
  EXPECT_THAT(error_of([&] { check_link(link, facts); }), HasSubstr("net0: the MTU 9000 is larger"));
  link = veth();
  link.configure = true;
  link.gateway6 = "auto";
  EXPECT_THAT(error_of([&] { check_link(link, facts); }), HasSubstr("'vmbr0', which has none"));
  link = veth();
  link.kind = LinkSpec::Kind::phys;
  link.bridge.clear();
  link.lower = "wlan0";
  EXPECT_THAT(error_of([&] { check_link(link, facts); }), HasSubstr("no link 'wlan0'"));
  facts.lower_links["wlan0"] = {.index = 9, .name = "wlan0", .wireless = true};
  EXPECT_THAT(error_of([&] { check_link(link, facts); }), HasSubstr("wireless"));
}

TEST(RecordLink, NamesWhatHasToBeGivenBack) {
  HostFacts facts;
  facts.bridges["vmbr0"] = kOpenVswitch;
  facts.lower_links["eth+"] = {.index = 9,
                               .name = "eth3",
                               .mtu = 9000,
                               .alternative_names = {"lan"},
                               .permanent_mac = "BC:24:11:00:00:01"};
  LinkSpec phys;
  phys.kind = LinkSpec::Kind::phys;
  phys.name = phys.lower = "eth+";
  phys.script_down = {"/down now", {}};
  LinkSpec proxied = veth();
  proxied.proxy_neighbours = true;
  proxied.addresses = {"10.0.0.5/24", "fd00::5/64"};
  ContainerState state;
  const LinkPlanContext context{"100", {"LXC_NAME=100"}, 1};
  record_link(phys, facts, context, state);
  record_link(proxied, facts, context, state);
  EXPECT_THAT(state.moved_links,
              ElementsAre(MovedLink{"eth3", 9, "eth3", 0, 9000, {"lan"}, "", "BC:24:11:00:00:01"}));
  ASSERT_EQ(state.down_scripts.size(), 1U);
  EXPECT_EQ(state.down_scripts[0].parent, "eth3");
  EXPECT_THAT(state.hook_environment, ElementsAre("LXC_NAME=100"));
  EXPECT_THAT(state.open_vswitch_ports, ElementsAre("veth100i0"));
  EXPECT_THAT(state.proxies, ElementsAre(std::pair<std::string, std::string>{"vmbr0", "10.0.0.5"},
                                         std::pair<std::string, std::string>{"vmbr0", "fd00::5"}));
  // The record carries all of it.
  const std::string record = print_state(state);
  EXPECT_EQ(parse_state(record, "state"), state);
  // One of a version that did not know the link's identity.
  const std::string identity = " is:/BC:24:11:00:00:01";
  const auto at = record.find(identity);
  ASSERT_NE(at, std::string::npos);
  state.moved_links[0].permanent_mac.clear();
  EXPECT_EQ(parse_state(std::string(record).erase(at, identity.size()), "state"), state);
}

TEST(LinkScriptRun, HasTheWordsOfItsType) {
  LinkScript script{0, 0, "veth", "vmbr0", "veth100i0", "/plug --fast", {}};
  EXPECT_EQ(hook_command_line(link_script_run(script, true, "100", {})),
            "exec /plug --fast '100' 'net' 'up' veth vmbr0 veth100i0");
  script.parent.clear();
  EXPECT_EQ(hook_command_line(link_script_run(script, false, "100", {})),
            "exec /plug --fast '100' 'net' 'down' veth veth100i0");
  script = {2, 1, "phys", "eth1", "", "/plug", {}};
  const HookCommand hook = link_script_run(script, true, "100", {});
  EXPECT_EQ(hook.key, "lxc.net.2.script.up");
  EXPECT_EQ(hook_command_line(hook), "exec /plug phys eth1");
  EXPECT_THAT(hook.environment, ElementsAre("LXC_NET_TYPE=phys", "LXC_NET_PARENT=eth1"));
}

TEST(LinkScriptLine, RoundTripsACommandWithBlanks) {
  const LinkScript script{3, 1, "veth", "", "veth100i3", "/plug  'a b' \"c\"", {}};
  EXPECT_EQ(parse_link_script(print_link_script(script)), script);
  EXPECT_FALSE(parse_link_script("3 1 veth - veth100i3"));
  EXPECT_FALSE(parse_link_script("x 1 veth - veth100i3 /plug"));
}

}  // namespace
}  // namespace hutch
