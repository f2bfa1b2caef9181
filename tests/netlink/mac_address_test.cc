#include "netlink/mac_address.h"

#include <gtest/gtest.h>

namespace hutch::netlink {
namespace {

TEST(MacAddress, ParsesEitherCaseAndPrintsUpperCase) {
  const auto address = parse_mac_address("bc:24:11:0A:fF:01");
  ASSERT_TRUE(address);
  EXPECT_EQ((MacAddress{0xbc, 0x24, 0x11, 0x0a, 0xff, 0x01}), *address);
  EXPECT_EQ("BC:24:11:0A:FF:01", mac_address_text(*address));
}

TEST(MacAddress, RefusesEverythingElse) {
  for (const char* text :
       {"", "bc:24:11:0a:ff", "bc:24:11:0a:ff:01:02", "bc:24:11:0a:ff:1", "bc-24-11-0a-ff-01",
        "bc:24:11:0a:ff:0g", "bc:24:11:0a:ff:+1", " bc:24:11:0a:ff:01", "bc:24:11:0a:ff:-1",
        "bc:24:11:0a:ff:001", "bc:24:11::ff:01"}) {
    EXPECT_FALSE(parse_mac_address(text)) << text;
  }
}

TEST(MacAddress, HostEndIsHighLocalUnicastAndRandom) {
  const MacAddress first = random_host_mac();
  EXPECT_EQ(0xfe, first[0]);
  EXPECT_NE(first, random_host_mac());
}

TEST(FillMacPattern, FillsInRandomDigitsOfAUnicastAddress) {
  for (int i = 0; i < 50; ++i) {
    const auto address = fill_mac_pattern("xx:16:3E:xX:05:XX");
    ASSERT_TRUE(address);
    EXPECT_EQ(0, (*address)[0] & 1);
    EXPECT_EQ(0x16, (*address)[1]);
    EXPECT_EQ(0x05, (*address)[4]);
  }
  EXPECT_NE(fill_mac_pattern("00:16:3e:xx:xx:xx"), fill_mac_pattern("00:16:3e:xx:xx:xx"));
  EXPECT_FALSE(fill_mac_pattern("01:16:3e:00:00:00"));
  EXPECT_FALSE(fill_mac_pattern("x:16:3e:00:00:00"));
  EXPECT_FALSE(fill_mac_pattern("xx:xx:xx:xx:xx:xx:xx"));
}

}  // namespace
}  // namespace hutch::netlink
