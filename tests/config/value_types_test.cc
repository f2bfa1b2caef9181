#include "config/value_types.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "config/mac_address.h"
#include "config/percent_encoding.h"
#include "config/sha1.h"

namespace hutch::config {
namespace {

// FIPS 180-4 examples, and the lengths around the padding's limits.
TEST(Sha1, HasTheStandardsValues) {
  EXPECT_EQ(sha1_hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(sha1_hex(std::string(1000000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Sha1, PadsAroundTheBlockSize) {
  EXPECT_EQ(sha1_hex(std::string(55, 'a')), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
  EXPECT_EQ(sha1_hex(std::string(56, 'a')), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
  EXPECT_EQ(sha1_hex(std::string(63, 'a')), "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
  EXPECT_EQ(sha1_hex(std::string(64, 'a')), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

TEST(PercentEncoding, EncodesPercentColonControlAndForeignBytes) {
  EXPECT_EQ(percent_encode("a %:~ \t\x7f\xc3\xa9"), "a %25%3A~ %09%7F%C3%A9");
}

TEST(PercentEncoding, DecodesOnlyWholeSequences) {
  EXPECT_EQ(percent_decode("%3a%3A%c3%A9"),
            ":"
            ":"
            "\xc3\xa9");
  EXPECT_EQ(percent_decode("100% %zz %4"), "100% %zz %4");
}

TEST(PercentEncoding, RoundTripsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
}

TEST(MacAddress, ClearsMulticastSetsLocalAndPutsThePrefixOver) {
  const std::array<std::uint8_t, 6> ones{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(mac_from_bytes(ones), "BC:24:11:FF:FF:FF");
  EXPECT_EQ(mac_from_bytes(ones, "bc"), "BC:FF:FF:FF:FF:FF");
  EXPECT_EQ(mac_from_bytes(ones, "BC:24:11:0"), "BC:24:11:0F:FF:FF");
  EXPECT_EQ(mac_from_bytes({}, "00:00"), "00:00:00:00:00:00");
}

TEST(MacAddress, RefusesABadPrefix) {
  for (const auto* prefix : {"", "B", "BC:", "BC:24:11:00", "BX", "BC-24"}) {
    EXPECT_THROW(mac_from_bytes({}, prefix), Error) << prefix;
  }
}

TEST(MacAddress, IsRandomBehindThePrefix) {
  const auto first = random_mac();
  EXPECT_TRUE(is_mac_address(first)) << first;
  EXPECT_EQ(first.substr(0, 9), "BC:24:11:");
  EXPECT_FALSE(first == random_mac() && first == random_mac() && first == random_mac());
}

TEST(Vmid, IsFrom100To999999999) {
  EXPECT_EQ(parse_vmid("100"), 100U);
  EXPECT_EQ(parse_vmid("999999999"), 999999999U);
  for (const auto* text : {"99", "1000000000", "", "-100", "1e3", "100 ", "abc"}) {
    EXPECT_FALSE(parse_vmid(text)) << text;
  }
}

TEST(Boolean, TakesTheUsualWordsInAnyCase) {
  for (const auto* text : {"1", "on", "YES", "True"}) EXPECT_EQ(parse_boolean(text), true) << text;
  for (const auto* text : {"0", "Off", "no", "FALSE"}) EXPECT_EQ(parse_boolean(text), false) << text;
  for (const auto* text : {"", "2", "enabled", "y", " 1"}) EXPECT_FALSE(parse_boolean(text)) << text;
}

TEST(Number, InFilesIsDigitsWithAFraction) {
  EXPECT_EQ(parse_number("2"), 2.0);
  EXPECT_EQ(parse_number("0.5"), 0.5);
  for (const auto* text : {"", ".5", "5.", "-1", "+1", "1e3", "0x1", "nan", "1.2.3"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
}

TEST(Number, OnTheCommandLineMayHaveSignAndExponent) {
  EXPECT_EQ(parse_number("+1.5e1", true), 15.0);
  EXPECT_EQ(parse_number("-2", true), -2.0);
  for (const auto* text : {"inf", "nan", "1e", "--1", "+-1", ""})
    EXPECT_FALSE(parse_number(text, true)) << text;
}

TEST(DnsName, HasLabelsOfLettersDigitsAndInnerDashes) {
  for (const auto* text : {"a", "web1", "a-b.example.org", "9.9"}) EXPECT_TRUE(is_dns_name(text)) << text;
  for (const auto* text : {"", "-a", "a-", "a..b", "a.", "a_b", "a b"})
    EXPECT_FALSE(is_dns_name(text)) << text;
}

TEST(MacAddress, IsUnicastHex) {
  EXPECT_TRUE(is_mac_address("BC:24:11:12:34:56"));
  EXPECT_TRUE(is_mac_address("02:00:00:00:00:00"));
  for (const auto* text :
       {"BD:24:11:12:34:56", "BC:24:11:12:34", "BC-24-11-12-34-56", "BC:24:11:12:34:5G", ""}) {
    EXPECT_FALSE(is_mac_address(text)) << text;
  }
}

TEST(Cidr, HasAPrefixFrom8) {
  EXPECT_TRUE(is_ipv4_cidr("10.0.0.5/24"));
  EXPECT_TRUE(is_ipv4_cidr("10.0.0.5/8"));
  EXPECT_TRUE(is_ipv6_cidr("2001:db8::1/128"));
  for (const auto* text : {"10.0.0.5", "10.0.0.5/7", "10.0.0.5/33", "10.0.0/24", "10.0.0.5/", "::1/64"}) {
    EXPECT_FALSE(is_ipv4_cidr(text)) << text;
  }
  for (const auto* text : {"::1", "::1/7", "::1/129", "10.0.0.1/24"})
    EXPECT_FALSE(is_ipv6_cidr(text)) << text;
}

TEST(Names, FollowTheirPatterns) {
  EXPECT_TRUE(is_tag("_a.b+c-D"));
  EXPECT_FALSE(is_tag("-a"));
  EXPECT_FALSE(is_tag(""));
  EXPECT_TRUE(is_storage_id("local-lvm"));
  EXPECT_FALSE(is_storage_id("l"));
  EXPECT_FALSE(is_storage_id("1local"));
  EXPECT_FALSE(is_storage_id("local-"));
  EXPECT_TRUE(is_volume_id("local:100/vm-100-disk-0.raw"));
  EXPECT_FALSE(is_volume_id("local:"));
  EXPECT_FALSE(is_volume_id("/dev/sda"));
  EXPECT_TRUE(is_config_id("a1"));
  EXPECT_FALSE(is_config_id("a"));
  EXPECT_FALSE(is_config_id("1a"));
  EXPECT_TRUE(is_snapshot_name(std::string(40, 'a')));
  EXPECT_FALSE(is_snapshot_name(std::string(41, 'a')));
  EXPECT_TRUE(is_node_name("pve-1"));
  EXPECT_FALSE(is_node_name("pve.1"));
}

TEST(DiskSize, IsParsedInPowersOf1024) {
  EXPECT_EQ(parse_disk_size("4096"), 4096U);
  EXPECT_EQ(parse_disk_size("8G"), 8ULL << 30);
  EXPECT_EQ(parse_disk_size("8GiB"), 8ULL << 30);
  EXPECT_EQ(parse_disk_size("1.5T"), 3ULL << 39);
  EXPECT_EQ(parse_disk_size("0.1K"), 102U);
  EXPECT_EQ(parse_disk_size("0.333333333333T"), 366503875924ULL);
  for (const auto* text :
       {"", "G", "8g", "8GB", "8iB", "-1", "1.", ".5G", "99999999999999999999", "16777216T"}) {
    EXPECT_FALSE(parse_disk_size(text)) << text;
  }
}

TEST(DiskSize, IsPrintedInTheLargestExactUnit) {
  EXPECT_EQ(print_disk_size(8ULL << 30), "8G");
  EXPECT_EQ(print_disk_size(1536ULL << 20), "1536M");
  EXPECT_EQ(print_disk_size(1025ULL << 10), "1025K");
  EXPECT_EQ(print_disk_size(4097), "4097");
  EXPECT_EQ(print_disk_size(0), "0T");
}

TEST(List, SplitsAtCommasSemicolonsAndBlanksOrOnlyAtNul) {
  EXPECT_EQ(split_list("a, b;;c\td"), (std::vector<std::string_view>{"a", "b", "c", "d"}));
  EXPECT_EQ(split_list(std::string_view("a b\0c,d", 7)), (std::vector<std::string_view>{"a b", "c,d"}));
  EXPECT_TRUE(split_list(" ,; ").empty());
}

}  // namespace
}  // namespace hutch::config
