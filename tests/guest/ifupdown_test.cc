#include "guest/ifupdown.h"

#include <gtest/gtest.h>

#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

const std::string kLoopback = "auto lo\niface lo inet loopback\niface lo inet6 loopback\n\n";

NetworkInterface eth0(const std::string& ip, const std::string& gw = "", const std::string& ip6 = "",
                      const std::string& gw6 = "") {
  return {.name = "eth0", .ip = ip, .gw = gw, .ip6 = ip6, .gw6 = gw6};
}

// Every result must be a fixed point.
std::string rewrite(const std::string& content, const std::vector<NetworkInterface>& interfaces,
                    AddressForm form = AddressForm::cidr) {
  const std::string once = rewrite_interfaces(content, interfaces, form);
  EXPECT_EQ(once, rewrite_interfaces(once, interfaces, form)) << "second run differs";
  return once;
}

TEST(Ifupdown, NewFile) {
  EXPECT_EQ(
      kLoopback + "auto eth0\niface eth0 inet static\n\taddress 10.10.10.2/24\n\tgateway 10.10.10.1\n\n",
      rewrite("", {eth0("10.10.10.2/24", "10.10.10.1")}));
}

// The worked example: a gateway outside the subnet.
TEST(Ifupdown, OutsideGatewayOfTheSpecification) {
  const std::string stanza =
      "auto eth0\n"
      "iface eth0 inet static\n"
      "\taddress 10.0.0.100/32\n"
      "# --- BEGIN PVE ---\n"
      "\tpost-up ip route add 11.0.0.1 dev eth0\n"
      "\tpost-up ip route add default via 11.0.0.1 dev eth0\n"
      "\tpre-down ip route del default via 11.0.0.1 dev eth0\n"
      "\tpre-down ip route del 11.0.0.1 dev eth0\n"
      "# --- END PVE ---\n"
      "\n";
  EXPECT_EQ(kLoopback + stanza, rewrite("", {eth0("10.0.0.100/32", "11.0.0.1")}));
}

TEST(Ifupdown, OldAddressForm) {
  EXPECT_EQ(kLoopback +
                "auto eth0\niface eth0 inet static\n\taddress 10.0.0.2\n\tnetmask 255.255.240.0\n\tgateway "
                "10.0.0.1\n\n"
                "iface eth0 inet6 static\n\taddress fd00::2\n\tnetmask 64\n\tgateway fd00::1\n\n",
            rewrite("", {eth0("10.0.0.2/20", "10.0.0.1", "fd00::2/64", "fd00::1")}, AddressForm::netmask));
}

TEST(Ifupdown, Words) {
  EXPECT_EQ(kLoopback + "auto eth0\niface eth0 inet dhcp\n\niface eth0 inet6 auto\n\n",
            rewrite("", {eth0("dhcp", "", "auto")}));
  EXPECT_EQ(kLoopback + "auto eth0\niface eth0 inet manual\n\niface eth0 inet6 dhcp\n\n",
            rewrite("", {eth0("manual", "", "dhcp")}));
  EXPECT_EQ(kLoopback + "auto eth0\niface eth0 inet6 manual\n\n", rewrite("", {eth0("", "", "manual")}));
}

TEST(Ifupdown, LinkLocalGatewayNeedsNoRoute) {
  EXPECT_EQ(kLoopback + "auto eth0\niface eth0 inet6 static\n\taddress fd00::2/64\n\tgateway fe80::1\n\n",
            rewrite("", {eth0("", "", "fd00::2/64", "fe80::1")}));
  EXPECT_NE(std::string::npos, rewrite("", {eth0("", "", "fd00::2/64", "fd01::1")})
                                   .find("\tpost-up ip route add default via fd01::1 dev eth0\n"));
}

TEST(Ifupdown, UnmanagedInterfacesLeaveTheFileAlone) {
  const std::string content = "iface eth0 inet static\n\taddress 1.2.3.4/8";
  EXPECT_EQ(content, rewrite(content, {eth0("")}));
  EXPECT_EQ(content, rewrite(content, {}));
  EXPECT_EQ(content, rewrite(content, {{.name = "", .ip = "dhcp"}}));
}

TEST(Ifupdown, StanzaIsRegeneratedInPlaceWithOtherAttributesKept) {
  const std::string before =
      "# hand-made\n"
      "auto lo eth0\n"
      "iface lo inet loopback\n"
      "\n"
      "iface eth0 inet static\n"
      "    address 1.2.3.4\n"
      "  netmask 255.0.0.0\n"
      "\tgateway 1.0.0.1\n"
      "\tbroadcast 1.255.255.255\n"
      "    mtu 1400\n"
      "\tup echo 'a  b'\n"
      "iface eth1 inet static\n"
      "    address 9.9.9.9\n"
      "\n"
      "source /etc/network/interfaces.d/*\n";
  const std::string after =
      "# hand-made\n"
      "auto lo eth0\n"
      "iface lo inet loopback\n"
      "\n"
      "iface eth0 inet static\n"
      "\taddress 10.0.0.2/24\n"
      "\tmtu 1400\n"
      "\tup echo 'a  b'\n"
      "\n"
      "iface eth1 inet static\n"
      "    address 9.9.9.9\n"
      "\n"
      "source /etc/network/interfaces.d/*\n";
  EXPECT_EQ(after, rewrite(before, {eth0("10.0.0.2/24")}));
}

TEST(Ifupdown, DhcpDropsAttributesAndUnsetDropsTheStanza) {
  const std::string before =
      "auto lo\nauto eth0\niface eth0 inet static\n\taddress 1.2.3.4/8\n\tmtu 1400\n\n";
  EXPECT_EQ("auto lo\nauto eth0\niface eth0 inet dhcp\n\n", rewrite(before, {eth0("dhcp")}));
  EXPECT_EQ("auto lo\nauto eth0\niface eth0 inet6 auto\n\n", rewrite(before, {eth0("", "", "auto")}));
}

TEST(Ifupdown, MarkedLinesInAStanzaAreOurs) {
  const std::string with_route = rewrite("auto lo\n", {eth0("10.0.0.100/32", "11.0.0.1")});
  EXPECT_EQ("auto lo\n\nauto eth0\niface eth0 inet static\n\taddress 10.0.0.100/24\n\tgateway 10.0.0.1\n\n",
            rewrite(with_route, {eth0("10.0.0.100/24", "10.0.0.1")}));
}

TEST(Ifupdown, UnmarkedRouteBlockOfOldVersionsIsDropped) {
  const std::string before =
      "auto lo\n"
      "auto eth0\n"
      "iface eth0 inet static\n"
      "\taddress 10.0.0.100\n"
      "\tmtu 1400\n"
      "\tpost-up ip route add 12.0.0.1 dev eth0\n"
      "\tpost-up ip route add default via 12.0.0.1 dev eth0\n"
      "\tpre-down ip route del default via 12.0.0.1 dev eth0\n"
      "\tpre-down ip route del 12.0.0.1 dev eth0\n";
  EXPECT_EQ("auto lo\nauto eth0\niface eth0 inet static\n\taddress 10.0.0.100/24\n\tmtu 1400\n\n",
            rewrite(before, {eth0("10.0.0.100/24")}));
  // Where the file has markers, such lines are the user's.
  const NetworkInterface routed{.name = "eth1", .ip = "10.0.1.2/32", .gw = "10.0.2.1"};
  const std::string marked = "# --- BEGIN PVE ---\n# --- END PVE ---\n" + before;
  EXPECT_NE(std::string::npos, rewrite(marked, {eth0("10.0.0.100/24"), routed}).find("12.0.0.1"));
  // Three of the four lines are the user's, too.
  EXPECT_NE(std::string::npos, rewrite(before.substr(0, before.rfind("\tpre-down")), {eth0("10.0.0.100/24")})
                                   .find("\tpost-up ip route add 12.0.0.1 dev eth0\n"));
}

TEST(Ifupdown, MarkersOutsideAManagedStanzaVanishTheirContentStays) {
  EXPECT_EQ("auto lo\n# c\nauto eth0\niface eth0 inet dhcp\n\n",
            rewrite("auto lo\n# --- BEGIN PVE ---\n# c\n# --- END PVE ---\nauto eth0\niface eth0 inet dhcp\n",
                    {eth0("dhcp")}));
}

TEST(Ifupdown, KeywordsEndAStanza) {
  const std::string before =
      "auto lo\niface eth0 inet dhcp\nmapping hotplug\n\tscript x\nallow-hotplug eth9\nsource-directory y\n";
  EXPECT_EQ(
      "auto lo\nauto eth0\niface eth0 inet dhcp\n\nmapping hotplug\n\tscript x\nallow-hotplug "
      "eth9\nsource-directory y\n",
      rewrite(before, {eth0("dhcp")}));
}

TEST(Ifupdown, AutoLineBelowTheStanzaCounts) {
  const std::string content = "auto lo\niface eth0 inet dhcp\n\nauto eth0\n";
  EXPECT_EQ(content, rewrite(content, {eth0("dhcp")}));
}

TEST(Ifupdown, MissingStanzasAreAppendedSortedV4First) {
  EXPECT_EQ(
      "auto lo\n\n"
      "auto eth0\niface eth0 inet dhcp\n\n"
      "auto eth1\niface eth1 inet static\n\taddress 10.0.0.2/24\n\n"
      "iface eth1 inet6 dhcp\n\n",
      rewrite("auto lo\n", {{.name = "eth1", .ip = "10.0.0.2/24", .ip6 = "dhcp"}, eth0("dhcp")}));
}

TEST(Ifupdown, CommentInAStanzaIsKept) {
  EXPECT_EQ("auto lo\nauto eth0\n# why\niface eth0 inet dhcp\n\n",
            rewrite("auto lo\nauto eth0\niface eth0 inet dhcp\n# why\n", {eth0("dhcp")}));
}

TEST(Ifupdown, FileWithoutLastNewline) {
  EXPECT_EQ("auto lo\n\nauto eth0\niface eth0 inet dhcp\n\n", rewrite("auto lo", {eth0("dhcp")}));
}

TEST(Ifupdown, BadAddressNamesItself) {
  EXPECT_THROW(rewrite_interfaces("", {eth0("10.0.0.2")}, AddressForm::cidr), Error);
  EXPECT_THROW(rewrite_interfaces("", {eth0("10.0.0.2/33")}, AddressForm::cidr), Error);
  EXPECT_THROW(rewrite_interfaces("", {eth0("10.0.0.2/24", "fd00::1")}, AddressForm::cidr), Error);
}

TEST(Ifupdown, MakesTheDirectory) {
  const TemporaryRootfs rootfs;
  write_interfaces(rootfs.root(), {eth0("")}, AddressForm::cidr);
  EXPECT_FALSE(rootfs.exists("/etc/network"));
  write_interfaces(rootfs.root(), {eth0("dhcp")}, AddressForm::cidr);
  EXPECT_EQ(kLoopback + "auto eth0\niface eth0 inet dhcp\n\n", rootfs.get("/etc/network/interfaces"));
}

}  // namespace
}  // namespace hutch::guest
