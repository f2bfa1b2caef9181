#include <gmock/gmock.h>

#include "base/error.h"
#include "base/format.h"
#include "base/process.h"
#include "netlink/link.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class NetworkTest : public ContainerTest {
 protected:
  LinkSpec& add_link(const std::string& bridge) {
    LinkSpec link = veth_on(bridge);
    link.mac = "BC:24:11:12:34:56";
    link.origin = {"test.conf", 5};
    spec.links.push_back(link);
    return spec.links.back();
  }
};

TEST_F(NetworkTest, TheHostReachesAConfiguredInterface) {
  LinkSpec& link = add_link(make_bridge());
  link.configure = true;
  link.addresses = {inner_address() + "/24"};
  link.mtu = 1400;
  start();
  const std::string shown = sh("ip addr show eth0");
  EXPECT_THAT(shown, HasSubstr("bc:24:11:12:34:56"));
  EXPECT_THAT(shown, HasSubstr("mtu 1400"));
  EXPECT_THAT(shown, HasSubstr(inner_address()));
  EXPECT_TRUE(pings(inner_address()));
  netlink::Socket socket;
  const auto host_end = netlink::find_link(socket, link.host_name);
  ASSERT_TRUE(host_end);
  EXPECT_EQ(host_end->mac.substr(0, 2), "FE");
  EXPECT_EQ(host_end->mtu, 1400U);
  EXPECT_EQ(host_end->master, netlink::find_link(socket, link.bridge)->index);
  kill();
  EXPECT_FALSE(netlink::find_link(socket, link.host_name));
}

TEST_F(NetworkTest, AnInterfaceThatTheGuestConfiguresIsOnlyNamed) {
  add_link(make_bridge());
  start();
  const std::string shown = sh("ip addr show eth0");
  EXPECT_THAT(shown, HasSubstr("<BROADCAST,MULTICAST"));
  EXPECT_THAT(shown, Not(HasSubstr(",UP")));
  EXPECT_THAT(sh("ip link show lo"), HasSubstr("<LOOPBACK>"));
}

TEST_F(NetworkTest, LinkDownStaysOffTheBridge) {
  LinkSpec& link = add_link(make_bridge());
  link.link_down = true;
  start();
  netlink::Socket socket;
  const auto host_end = netlink::find_link(socket, link.host_name);
  ASSERT_TRUE(host_end);
  EXPECT_EQ(host_end->master, 0);
  EXPECT_FALSE(host_end->is_up());
}

TEST_F(NetworkTest, AMissingBridgeIsNamedWithItsLine) {
  add_link("nosuchbr0");
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("bridge 'nosuchbr0' does not exist"));
  EXPECT_THAT(error, HasSubstr("test.conf:5"));
}

TEST_F(NetworkTest, AnMtuAboveTheBridgesIsRefused) {
  add_link(make_bridge()).mtu = 9000;
  EXPECT_THAT(start_error(), HasSubstr("larger than that of bridge"));
}

TEST_F(NetworkTest, ATakenHostNameFailsAndTheOtherLinkStays) {
  LinkSpec& link = add_link(make_bridge());
  netlink::Socket socket;
  netlink::create_bridge(socket, link.host_name);
  const std::string error = start_error();
  EXPECT_THAT(error, HasSubstr("EEXIST"));
  EXPECT_TRUE(netlink::find_link(socket, link.host_name));
  netlink::delete_link(socket, link.host_name);
}

}  // namespace
}  // namespace hutch::kernel_test
