// What the host does with links besides veth pairs: stacked links, moves, VLANs of ports, limits, routes.
#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "netlink/address.h"
#include "netlink/bridge_port.h"
#include "netlink/link.h"
#include "netlink/stacked_link.h"
#include "netlink/traffic_limit.h"
#include "netlink/veth.h"
#include "tests/netlink/network_namespaces.h"

namespace hutch::netlink {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class HostLinkTest : public NetworkNamespaces {
 protected:
  // A pair on the host, both ends up; gives the index of "hbln0".
  int make_pair() {
    VethRequest request;
    request.host_name = "hbln0";
    request.peer_name = "hbln1";
    create_veth(host(), request);
    for (const auto* name : {"hbln0", "hbln1"}) {
      change_link(host(), find_link(host(), name)->index, {.up = true});
    }
    return find_link(host(), "hbln0")->index;
  }
  std::string on_host(const std::vector<std::string>& argv) {
    ProgramOptions options;
    options.before_exec = [this] { check(::setns(host_.get(), CLONE_NEWNET), "cannot enter"); };
    return run_program(argv, options).out;
  }
};

TEST_F(HostLinkTest, AMacvlanIsBornInside) {
  StackedLinkRequest request;
  request.name = "eth0";
  request.lower_index = make_pair();
  request.netns_fd = guest_.get();
  request.mac = MacAddress{0, 0x16, 0x3e, 1, 2, 3};
  request.mode = MACVLAN_MODE_BRIDGE;
  request.mtu = 1400;
  create_stacked_link(host(), request);
  const auto link = find_link(guest(), "eth0");
  ASSERT_TRUE(link);
  EXPECT_EQ("macvlan", link->kind);
  EXPECT_EQ("00:16:3E:01:02:03", link->mac);
  EXPECT_EQ(1400U, link->mtu);
  EXPECT_FALSE(find_link(host(), "eth0"));
}

TEST_F(HostLinkTest, AnIpvlanAndAVlanAreBornInside) {
  StackedLinkRequest request;
  request.lower_index = make_pair();
  request.netns_fd = guest_.get();
  request.name = "vl0";
  request.kind = StackedLinkRequest::Kind::vlan;
  request.vlan_id = 5;
  const int vlan = errno_of([&] { create_stacked_link(host(), request); });
  if (vlan == EOPNOTSUPP) GTEST_SKIP() << "probe: this kernel has no VLAN links";
  EXPECT_EQ(0, vlan);
  EXPECT_EQ("vlan", find_link(guest(), "vl0")->kind);
  request.name = "ipvl0";
  request.kind = StackedLinkRequest::Kind::ipvlan;
  request.mode = IPVLAN_MODE_L3S;
  create_stacked_link(host(), request);
  EXPECT_EQ("ipvlan", find_link(guest(), "ipvl0")->kind);
}

TEST_F(HostLinkTest, AMissingKindIsNamed) {
  StackedLinkRequest request;
  request.lower_index = make_pair();
  request.name = "x0";
  request.kind = StackedLinkRequest::Kind::ipvlan;
  const std::string error = error_of([&] { create_stacked_link(host(), request); });
  if (error.empty()) GTEST_SKIP() << "probe: this kernel has ipvlan";
  EXPECT_THAT(error, HasSubstr("links of the kind ipvlan"));
}

TEST_F(HostLinkTest, ALinkMovesWithAnotherNameAndBack) {
  const int index = make_pair();
  add_alternative_name(host(), index, "a-rather-long-alternative-name");
  EXPECT_THAT(find_link(host(), index)->alternative_names, ElementsAre("a-rather-long-alternative-name"));
  delete_alternative_name(host(), index, "a-rather-long-alternative-name");
  EXPECT_THAT(find_link(host(), index)->alternative_names, ::testing::IsEmpty());
  move_link(host(), index, {guest_.get(), "lan0", 1400, MacAddress{0, 0x16, 0x3e, 9, 9, 9}});
  EXPECT_FALSE(find_link(host(), "hbln0"));
  const auto inside = find_link(guest(), "lan0");
  ASSERT_TRUE(inside);
  EXPECT_EQ(1400U, inside->mtu);
  EXPECT_EQ("00:16:3E:09:09:09", inside->mac);
  move_link(guest(), inside->index, {host_.get(), "hbln0", 1500, {}});
  EXPECT_EQ(1500U, find_link(host(), "hbln0")->mtu);
  EXPECT_FALSE(find_link(guest(), "lan0"));
}

TEST_F(HostLinkTest, AMoveReplacesATakenNameAtOnce) {
  const int index = make_pair();
  create_bridge(guest(), "hbln0");
  move_link(host(), index, {guest_.get(), "lan0", {}, {}});
  EXPECT_EQ("veth", find_link(guest(), "lan0")->kind);
}

TEST_F(HostLinkTest, APortHasTheVlansThatItIsGiven) {
  const int index = make_pair();
  create_bridge(host(), "hblnbr");
  change_link(host(), index, {.master = find_link(host(), "hblnbr")->index});
  on_host({"ip", "link", "set", "hblnbr", "type", "bridge", "vlan_filtering", "1"});
  if (!find_link(host(), "hblnbr")->vlan_filtering.value_or(false)) {
    GTEST_SKIP() << "probe: this kernel's bridges do not filter by VLAN";
  }
  EXPECT_EQ(1, find_link(host(), "hblnbr")->default_vlan);
  change_port_vlans(host(), index, {{false, 1, 4094}, {true, 20, 22}, {true, 5, 5, true}});
  const std::string shown = on_host({"bridge", "-compressvlans", "vlan", "show", "dev", "hbln0"});
  EXPECT_THAT(shown, HasSubstr("5 PVID Egress Untagged"));
  EXPECT_THAT(shown, HasSubstr("20-22"));
  EXPECT_THAT(shown, Not(HasSubstr(" 1 ")));
}

TEST_F(HostLinkTest, APortThatDoesNotLearn) {
  const int index = make_pair();
  create_bridge(host(), "hblnbr");
  change_link(host(), index, {.master = find_link(host(), "hblnbr")->index});
  stop_port_learning(host(), index);
  add_static_address(host(), index, MacAddress{0xbc, 0x24, 0x11, 1, 2, 3});
  const std::string shown = on_host({"bridge", "-d", "link", "show", "dev", "hbln0"});
  EXPECT_THAT(shown, HasSubstr("learning off"));
  EXPECT_THAT(shown, HasSubstr("flood off"));
  EXPECT_THAT(on_host({"bridge", "fdb", "show", "dev", "hbln0"}),
              HasSubstr("bc:24:11:01:02:03 master hblnbr static"));
}

TEST_F(HostLinkTest, ATrafficLimitComesAndGoes) {
  const int index = make_pair();
  clear_traffic_limit(host(), index);
  const std::string error = error_of([&] { set_traffic_limit(host(), index, 2U << 20); });
  if (!error.empty()) {
    EXPECT_THAT(error, HasSubstr("this kernel lacks a part of traffic control"));
    clear_traffic_limit(host(), index);
    GTEST_SKIP() << "probe: this kernel has no htb, matchall or police";
  }
  EXPECT_THAT(on_host({"tc", "class", "show", "dev", "hbln0"}), HasSubstr("rate 16777Kbit"));
  EXPECT_THAT(on_host({"tc", "filter", "show", "dev", "hbln0", "ingress"}), HasSubstr("police"));
  EXPECT_NE(0, errno_of([&] { set_traffic_limit(host(), index, 1U << 20); }));
  clear_traffic_limit(host(), index);
  set_traffic_limit(host(), index, 5'000'000'000);
  clear_traffic_limit(host(), index);
  EXPECT_THAT(on_host({"tc", "qdisc", "show", "dev", "hbln0"}), Not(HasSubstr("htb")));
}

TEST_F(HostLinkTest, RoutesAndProxies) {
  const int index = make_pair();
  const auto route = *parse_cidr("10.1.2.3/16");
  add_link_route(host(), index, route);
  EXPECT_THAT(on_host({"ip", "route"}), HasSubstr("10.1.0.0/16 dev hbln0"));
  EXPECT_EQ(EEXIST, errno_of([&] { add_link_route(host(), index, route); }));
  delete_link_route(host(), index, route);
  EXPECT_EQ(ESRCH, errno_of([&] { delete_link_route(host(), index, route); }));
  const auto address = *parse_ip_address("10.1.2.3");
  add_neighbour_proxy(host(), index, address);
  EXPECT_THAT(on_host({"ip", "neigh", "show", "proxy"}), HasSubstr("10.1.2.3 dev hbln0 proxy"));
  delete_neighbour_proxy(host(), index, address);
  EXPECT_EQ(ENOENT, errno_of([&] { delete_neighbour_proxy(host(), index, address); }));
}

TEST_F(HostLinkTest, AProxyOutlivesALostCarrier) {
  const int index = make_pair();
  const int peer = find_link(host(), "hbln1")->index;
  const auto wait_for_carrier = [&](bool wanted) {
    const auto has = [&] { return (find_link(host(), "hbln0")->flags & IFF_RUNNING) != 0; };
    for (int attempt = 0; attempt < 5000 && has() != wanted; ++attempt) ::usleep(1000);
    ASSERT_EQ(wanted, has());
  };
  wait_for_carrier(true);
  add_neighbour_proxy(host(), index, *parse_ip_address("10.1.2.3"));
  change_link(host(), peer, {.up = false});
  wait_for_carrier(false);
  // Takes the lock under which the kernel tells everybody of the carrier.
  change_link(host(), peer, {.up = true});
  EXPECT_THAT(on_host({"ip", "neigh", "show", "proxy"}), HasSubstr("10.1.2.3 dev hbln0 proxy"));
}

TEST_F(HostLinkTest, TheDefaultRouteIsReplacedAndDeleted) {
  const int index = make_pair();
  add_address(host(), index, *parse_cidr("10.1.0.2/24"));
  replace_default_route(host(), index, *parse_ip_address("10.1.0.1"));
  EXPECT_THAT(on_host({"ip", "route"}), HasSubstr("default via 10.1.0.1"));
  // Outside of the subnet.
  replace_default_route(host(), index, *parse_ip_address("10.9.0.1"));
  const std::string shown = on_host({"ip", "route"});
  EXPECT_THAT(shown, HasSubstr("default via 10.9.0.1"));
  EXPECT_THAT(shown, HasSubstr("10.9.0.1 dev hbln0"));
  EXPECT_THAT(shown, Not(HasSubstr("via 10.1.0.1")));
  delete_default_route(host(), index, AF_INET);
  EXPECT_EQ(ESRCH, errno_of([&] { delete_default_route(host(), index, AF_INET); }));
}

TEST_F(HostLinkTest, AnInterfaceWithItsOwnBroadcastAndARouteOverItself) {
  make_pair();
  InterfaceSetup setup;
  setup.name = "hbln0";
  setup.addresses_with_broadcast = {{*parse_cidr("10.1.0.2/24"), *parse_ip_address("10.1.0.99")}};
  setup.up = setup.default_route4 = true;
  configure_interface(host(), setup);
  EXPECT_THAT(on_host({"ip", "addr", "show", "dev", "hbln0"}), HasSubstr("10.1.0.2/24 brd 10.1.0.99"));
  EXPECT_THAT(on_host({"ip", "route"}), HasSubstr("default dev hbln0"));
}

TEST_F(HostLinkTest, AVethHasAsManyQueuesAsAskedFor) {
  VethRequest request;
  request.host_name = "hbln0";
  request.peer_name = "eth0";
  request.peer_netns_fd = guest_.get();
  request.rx_queues = 2;
  request.tx_queues = 3;
  create_veth(host(), request);
  EXPECT_THAT(on_host({"ip", "-d", "link", "show", "dev", "hbln0"}),
              ::testing::AllOf(HasSubstr("numtxqueues 3"), HasSubstr("numrxqueues 2")));
}

}  // namespace
}  // namespace hutch::netlink
