#include <linux/if_link.h>

#include "tests/config/lowering_fixture.h"

namespace hutch::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = LinkSpec::Kind;

std::vector<LinkSpec> links_of(const std::string& lines) {
  return spec_of(kPrivileged, lines).links;
}

LinkSpec link_of(const std::string& lines) {
  const auto links = links_of(lines);
  return links.size() == 1 ? links[0] : LinkSpec{.name = "not one link"};
}

std::string refusal(const std::string& lines) {
  return error_of(kPrivileged, lines);
}

TEST(LowerNet, AVethHasEverythingThatItsLinesSay) {
  LinkSpec expected;
  expected.index = 3;
  expected.name = "lan0";
  expected.host_name = "mine";
  expected.bridge = "br0";
  expected.mac = "00:16:3e:xx:xx:xx";
  expected.mtu = 1400;
  expected.configure = expected.up = true;
  expected.addresses = {"10.0.0.5/24 10.0.0.99", "fd00::5/64"};
  expected.gateway4 = "10.0.0.1";
  expected.gateway6 = "dev";
  expected.routes = {"192.168.0.0/16", "fd01::/32"};
  expected.rx_queues = 2;
  expected.tx_queues = 3;
  expected.tag = 7;
  expected.trunks = {{8, 8}, {9, 9}};
  expected.proxy_neighbours = true;
  expected.script_up = {"/up a", {"100.conf", 20}};
  expected.script_down = {"/down", {"100.conf", 21}};
  expected.origin = {"100.conf", 4};
  EXPECT_EQ(link_of("lxc.net.3.type: veth\n"
                    "lxc.net.3.veth.pair: mine\n"
                    "lxc.net.3.link: br0\n"
                    "lxc.net.3.name: lan0\n"
                    "lxc.net.3.flags: up\n"
                    "lxc.net.3.hwaddr: 00:16:3e:xx:xx:xx\n"
                    "lxc.net.3.mtu: 1400\n"
                    "lxc.net.3.ipv4.address: 10.0.0.5/24 10.0.0.99\n"
                    "lxc.net.3.ipv6.address: fd00::5\n"
                    "lxc.net.3.ipv4.gateway: 10.0.0.1\n"
                    "lxc.net.3.ipv6.gateway: dev\n"
                    "lxc.net.3.veth.ipv4.route: 192.168.0.0/16\n"
                    "lxc.net.3.veth.ipv6.route: fd01::/32\n"
                    "lxc.net.3.veth.n_rxqueues: 2\n"
                    "lxc.net.3.veth.n_txqueues: 3\n"
                    "lxc.net.3.l2proxy: 1\n"
                    "lxc.net.3.script.up: /up a\n"
                    "lxc.net.3.script.down: /down\n"
                    "lxc.net.3.veth.vlan.id: 7\n"
                    "lxc.net.3.veth.vlan.tagged.id: 8\n"
                    "lxc.net.3.veth.vlan.tagged.id: 9\n"),
            expected);
}

TEST(LowerNet, NamesAreGivenAfterThoseThatAreWrittenOut) {
  const auto links = links_of(
      "lxc.net.0.type: veth\nlxc.net.5.type: macvlan\nlxc.net.5.link: eth9\nlxc.net.5.name: eth0\n"
      "lxc.net.2.type: phys\nlxc.net.2.link: enp1s0\nlxc.net.7.type: veth\nlxc.net.7.name: lan%d\n");
  ASSERT_EQ(links.size(), 4U);
  EXPECT_EQ(links[0].name, "eth1");
  EXPECT_EQ(links[0].host_name, "veth100i0");
  EXPECT_EQ(links[1].name, "enp1s0");
  EXPECT_EQ(links[1].kind, Kind::phys);
  EXPECT_EQ(links[2].name, "eth0");
  EXPECT_EQ(links[3].name, "lan0");
}

TEST(LowerNet, ALongNameIsCutShortWithAWarning) {
  EXPECT_THAT(diagnostics_of(kPrivileged, "lxc.net.0.type: veth\nlxc.net.0.name: abcdefghijklmnopq\n"),
              ElementsAre(HasSubstr("'abcdefghijklmno' is taken")));
}

TEST(LowerNet, OnlyNoneIsTheHostsNetwork) {
  const auto spec = spec_of(kPrivileged, "lxc.net.0.type: none\n");
  EXPECT_FALSE(spec.namespaces.net);
  EXPECT_THAT(spec.links, IsEmpty());
  const auto both =
      spec_of(kPrivileged, "lxc.net.0.type: none\nlxc.net.1.type: empty\nlxc.net.1.flags: up\n");
  EXPECT_TRUE(both.namespaces.net);
  ASSERT_EQ(both.links.size(), 1U);
  EXPECT_EQ(both.links[0].kind, Kind::empty);
  EXPECT_TRUE(both.links[0].up);
  EXPECT_TRUE(spec_of(kPrivileged).namespaces.net);
}

TEST(LowerNet, EmptyValuesRemoveNetworks) {
  EXPECT_THAT(links_of("net0: name=eth0\nlxc.net.1.type: veth\nlxc.net:\n"), IsEmpty());
  const auto links = links_of("net0: name=eth0\nlxc.net.1.type: veth\nlxc.net.0:\n");
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links[0].index, 1U);
  EXPECT_THAT(refusal("lxc.net: x\n"), HasSubstr("'lxc.net': 'x' is not empty"));
  EXPECT_THAT(refusal("lxc.net.1: x\n"), HasSubstr("[100.conf:4]"));
}

TEST(LowerNet, EmptyValuesClearLists) {
  const auto link = link_of(
      "lxc.net.0.type: veth\nlxc.net.0.ipv4.address: 10.0.0.1/8\nlxc.net.0.ipv6.address: ::1/128\n"
      "lxc.net.0.ipv4.address:\nlxc.net.0.veth.vlan.tagged.id: 3\nlxc.net.0.veth.vlan.tagged.id:\n");
  EXPECT_THAT(link.addresses, ElementsAre("::1/128"));
  EXPECT_THAT(link.trunks, IsEmpty());
}

TEST(LowerNet, AnAddressWithoutALengthHasThatOfItsClass) {
  const auto address = [](const std::string& text) {
    return link_of("lxc.net.0.type: veth\nlxc.net.0.ipv4.address: " + text + "\n").addresses.at(0);
  };
  EXPECT_EQ(address("10.1.2.3"), "10.1.2.3/8");
  EXPECT_EQ(address("172.16.0.1"), "172.16.0.1/16");
  EXPECT_EQ(address("192.168.1.2"), "192.168.1.2/24");
  EXPECT_EQ(address("192.168.1.2/31"), "192.168.1.2/31");
}

TEST(LowerNet, ATypeWipesWhatWasSaidBefore) {
  const auto link = link_of("net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:12:34:56\nlxc.net.0.type: veth\n");
  EXPECT_EQ(link.bridge, "");
  EXPECT_EQ(link.mac, "");
  EXPECT_EQ(link.name, "eth0");  // the first free one
  EXPECT_FALSE(link.own_vlans);
}

TEST(LowerNet, LinesGoOnTopOfTheOption) {
  const auto link = link_of(
      "net0: name=eth0,bridge=vmbr0,ip=10.0.0.2/24,gw=10.0.0.1,tag=5\nlxc.net.0.mtu: 1300\n"
      "lxc.net.0.ipv4.address: 10.9.0.2/16\n");
  EXPECT_EQ(link.bridge, "vmbr0");
  EXPECT_EQ(link.mtu, 1300U);
  EXPECT_EQ(link.tag, 5);
  EXPECT_TRUE(link.configure);
  EXPECT_FALSE(link.up);
  // The option's are the guest's business.
  EXPECT_THAT(link.addresses, ElementsAre("10.9.0.2/16"));
  EXPECT_EQ(link.gateway4, "");
}

TEST(LowerNet, AScriptReplacesWhatTheOptionDoesWithTheBridge) {
  const std::string lines = "net0: name=eth0,bridge=vmbr0,tag=5,rate=1\nlxc.net.0.script.up: /plug\n";
  EXPECT_THAT(diagnostics_of(kPrivileged, lines), ElementsAre(HasSubstr("replaces what net0 says")));
  const auto link = lower_text(kPrivileged, lines).spec.links.at(0);
  EXPECT_EQ(link.bridge, "");
  EXPECT_FALSE(link.tag);
  EXPECT_EQ(link.rate, 0U);
}

TEST(LowerNet, RoutedVethHasNoBridge) {
  const auto link = link_of(
      "lxc.net.0.type: veth\nlxc.net.0.veth.mode: router\nlxc.net.0.link: eth0\nlxc.net.0.flags: up\n"
      "lxc.net.0.ipv4.address: 10.0.0.2/32\nlxc.net.0.ipv4.gateway: 169.254.0.1\n");
  EXPECT_TRUE(link.router);
  EXPECT_EQ(link.bridge, "");
  EXPECT_EQ(link.lower, "eth0");
}

TEST(LowerNet, ModesAreTheKernels) {
  const auto mode = [](const std::string& type, const std::string& lines) {
    return link_of("lxc.net.0.type: " + type + "\nlxc.net.0.link: eth0\n" + lines);
  };
  EXPECT_EQ(mode("macvlan", "").mode, std::uint32_t{MACVLAN_MODE_PRIVATE});
  EXPECT_EQ(mode("macvlan", "lxc.net.0.macvlan.mode: bridge\n").mode, std::uint32_t{MACVLAN_MODE_BRIDGE});
  EXPECT_EQ(mode("macvlan", "lxc.net.0.macvlan.mode: passthru\n").mode, std::uint32_t{MACVLAN_MODE_PASSTHRU});
  EXPECT_EQ(mode("ipvlan", "").mode, std::uint32_t{IPVLAN_MODE_L3});
  EXPECT_EQ(mode("ipvlan", "lxc.net.0.ipvlan.mode: l2\n").mode, std::uint32_t{IPVLAN_MODE_L2});
  EXPECT_EQ(mode("ipvlan", "lxc.net.0.ipvlan.isolation: vepa\n").isolation, IPVLAN_F_VEPA);
  EXPECT_EQ(mode("vlan", "lxc.net.0.vlan.id: 0x10\n").vlan_id, 16);
}

class BadNetwork : public testing::TestWithParam<std::pair<const char*, const char*>> {};
TEST_P(BadNetwork, IsRefusedWithItsLine) {
  const std::string error = refusal(GetParam().first);
  EXPECT_THAT(error, HasSubstr(GetParam().second));
  EXPECT_THAT(error, HasSubstr("100.conf:"));
}
INSTANTIATE_TEST_SUITE_P(
    Lines, BadNetwork,
    testing::Values(
        std::pair{"lxc.net.0.type: wifi\n", "is not a network type"},
        std::pair{"lxc.net.0.type:\n", "it has no type"},
        std::pair{"lxc.net.0.link: br0\n", "it has no type"},
        std::pair{"lxc.net.0.colour: red\n", "is no key of a network"},
        std::pair{"lxc.net.eth0.type: veth\n", "a network has a number"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.macvlan.mode: bridge\n", "needs the type 'macvlan'"},
        std::pair{"lxc.net.0.veth.pair: a\nlxc.net.0.type: veth\n", "needs the type 'veth'"},
        std::pair{"lxc.net.0.type: macvlan\n", "needs a link of the host"},
        std::pair{"lxc.net.0.type: phys\n", "needs a link of the host"},
        std::pair{"lxc.net.0.type: macvlan\nlxc.net.0.macvlan.mode: fast\n", "one of 'private'"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.hwaddr: 00:16:3e:xx:xx\n", "MAC address"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.mtu: big\n", "number"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.ipv4.address: 10.0.0.1/33\n", "up to 32"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.ipv4.address: 10.0.0.1/24 x\n", "broadcast"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.ipv6.address: 10.0.0.1\n", "IPv6"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.veth.ipv4.route: 10.0.0.0\n", "prefix length"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.ipv4.gateway: here\n", "'auto' or 'dev'"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.ipv4.gateway: 10.0.0.1\n", "interface that is up"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.flags: up\nlxc.net.0.ipv4.gateway: 10.0.0.1\n",
                  "an address of its family"},
        std::pair{"lxc.net.0.type: vlan\nlxc.net.0.link: eth0\nlxc.net.0.flags: up\n"
                  "lxc.net.0.ipv4.address: 10.0.0.2/8\nlxc.net.0.ipv4.gateway: auto\n",
                  "veth or macvlan"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.veth.vlan.id: 5\n", "bridge to be a port of"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.veth.vlan.id: 4095\n", "4094"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.link: br0\nlxc.net.0.veth.vlan.id: 5\n"
                  "lxc.net.0.veth.vlan.tagged.id: 5\n",
                  "both untagged and tagged"},
        std::pair{"lxc.net.0.type: ipvlan\nlxc.net.0.link: eth0\nlxc.net.0.l2proxy: 1\n", "mode l3s"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.veth.n_rxqueues: 0\n", "at least 1"},
        std::pair{"lxc.net.0.type: veth\nlxc.net.0.veth.pair: a-name-too-long-\n", "at most 15"}));

TEST(LowerNet, ALinkLocalGatewayNeedsNoAddress) {
  EXPECT_EQ(link_of("lxc.net.0.type: veth\nlxc.net.0.flags: up\nlxc.net.0.ipv6.gateway: fe80::1\n").gateway6,
            "fe80::1");
}

}  // namespace
}  // namespace hutch::config
