#include "config/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "config/property_formats.h"
#include "config/value_types.h"

namespace hutch::config {
namespace {

TEST(OptionTable, HasEveryOptionOfTheFormat) {
  std::set<std::string_view> names;
  for (const auto& option : options()) names.insert(option.name);
  const std::set<std::string_view> expected{
      "arch",        "cmode",      "console",    "cores",        "cpulimit",  "cpuunits",     "debug",
      "description", "dev",        "entrypoint", "env",          "features",  "hookscript",   "hostname",
      "lock",        "memory",     "mp",         "nameserver",   "net",       "onboot",       "ostype",
      "parent",      "protection", "rootfs",     "searchdomain", "snapstate", "snaptime",     "startup",
      "swap",        "tags",       "template",   "timezone",     "tty",       "unprivileged", "unused"};
  EXPECT_EQ(names, expected);
}

TEST(OptionTable, DescribesEveryOptionForHelp) {
  for (const auto& option : options()) {
    EXPECT_FALSE(option.description.empty()) << option.name;
    EXPECT_FALSE(option.type_text.empty()) << option.name;
  }
}

TEST(OptionTable, FindsIndexedNamesWithinTheirRange) {
  for (const auto* name : {"mp0", "mp255", "net0", "net31", "dev255", "unused255", "memory", "rootfs"}) {
    EXPECT_NE(find_option(name), nullptr) << name;
  }
  for (const auto* name :
       {"mp", "mp256", "mp01", "net32", "net-1", "memory0", "", "12", "foo", "mp99999999999999999999"}) {
    EXPECT_EQ(find_option(name), nullptr) << name;
  }
  EXPECT_EQ(option_index("mp12"), 12U);
  EXPECT_EQ(option_index("memory"), std::nullopt);
  EXPECT_EQ(option_index("mp01"), std::nullopt);
}

TEST(OptionTable, KnowsHotPlugClasses) {
  EXPECT_EQ(find_option("tags")->hot_plug, HotPlug::fast);
  EXPECT_EQ(find_option("memory")->hot_plug, HotPlug::live);
  EXPECT_EQ(find_option("mp3")->hot_plug, HotPlug::live_new);
  EXPECT_EQ(find_option("tty")->hot_plug, HotPlug::pending);
  EXPECT_EQ(find_option("unprivileged")->hot_plug, HotPlug::never);
}

struct Row {
  const char* option;
  std::string given;
  const char* stored;  // null: refused
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.option << " " << row.given;
}

class FileValue : public testing::TestWithParam<Row> {};
TEST_P(FileValue, IsCheckedLoosely) {
  const auto result = check_file_value(GetParam().option, GetParam().given);
  if (GetParam().stored == nullptr) {
    EXPECT_FALSE(result.ok());
    EXPECT_FALSE(result.reason.empty());
  } else {
    EXPECT_EQ(result.value, GetParam().stored) << result.reason;
  }
}
INSTANTIATE_TEST_SUITE_P(Table, FileValue,
                         testing::Values(Row{"onboot", "Yes", "1"}, Row{"onboot", "maybe", nullptr},
                                         Row{"memory", "0512", "512"}, Row{"memory", "000", "0"},
                                         Row{"memory", "-1", nullptr}, Row{"memory", "1.5", nullptr},
                                         // Ranges, words, lengths are not checked in files.
                                         Row{"memory", "1", "1"}, Row{"tty", "99", "99"},
                                         Row{"arch", "foo", "foo"}, Row{"cpulimit", "0.50", "0.50"},
                                         Row{"cpulimit", "1e1", nullptr}, Row{"hostname", "-bad-", nullptr},
                                         Row{"hostname", "web1.example.org", "web1.example.org"},
                                         Row{"tags", "b;A", "b;A"}, Row{"net0", "bridge=vmbr0", nullptr},
                                         Row{"net0", "name=eth0", "name=eth0"},
                                         Row{"cpuunits", "1024", "1024"},
                                         Row{"nameserver", "10.0.0.1 fe80::1%eth0", "10.0.0.1 fe80::1%eth0"},
                                         Row{"nameserver", "10.0.0.1 2001:db8::1%eth0", nullptr},
                                         Row{"entrypoint", "/a\rb", nullptr}, Row{"nosuch", "1", nullptr}));

class CommandLineValue : public testing::TestWithParam<Row> {};
TEST_P(CommandLineValue, IsCheckedAndNormalised) {
  const auto result = check_command_line_value(GetParam().option, GetParam().given);
  if (GetParam().stored == nullptr) {
    EXPECT_FALSE(result.ok()) << *result.value;
    EXPECT_FALSE(result.reason.empty());
  } else {
    EXPECT_EQ(result.value, GetParam().stored) << result.reason;
  }
}
INSTANTIATE_TEST_SUITE_P(
    Table, CommandLineValue,
    testing::Values(Row{"onboot", "TRUE", "1"}, Row{"onboot", "off", "0"}, Row{"onboot", "", nullptr},
                    Row{"memory", "512", "512"}, Row{"memory", "+0512", "512"}, Row{"memory", "15", nullptr},
                    Row{"memory", "-512", nullptr}, Row{"memory", "99999999999999999999", nullptr},
                    Row{"swap", "-0", "0"}, Row{"cores", "0", nullptr}, Row{"cores", "8193", nullptr},
                    Row{"tty", "6", "6"}, Row{"tty", "7", nullptr}, Row{"cpulimit", "0.5", "0.5"},
                    Row{"cpulimit", "5e-1", "0.5"}, Row{"cpulimit", "+2", "2"},
                    Row{"cpulimit", "8193", nullptr}, Row{"cpulimit", "-1", nullptr},
                    Row{"cpuunits", "20000", "10000"}, Row{"cpuunits", "500001", nullptr},
                    Row{"cpuunits", "0", "0"}, Row{"arch", "amd64", "amd64"}, Row{"arch", "x86_64", nullptr},
                    Row{"ostype", "debian", "debian"}, Row{"ostype", "openeuler", nullptr},
                    Row{"hostname", "a_b", nullptr}, Row{"hostname", std::string(256, 'a'), nullptr},
                    Row{"hostname", "web", "web"}));
INSTANTIATE_TEST_SUITE_P(
    Strings, CommandLineValue,
    testing::Values(
        Row{"nameserver", "10.0.0.1,8.8.8.8; 1.1.1.1", "10.0.0.1 8.8.8.8 1.1.1.1"},
        Row{"nameserver", "dns.example", nullptr}, Row{"searchdomain", "a.org,b.org", "a.org b.org"},
        Row{"searchdomain", "", nullptr}, Row{"tags", "Web,db;web Db", "db;web"}, Row{"tags", "-x", nullptr},
        Row{"env", "A=1", "A=1"}, Row{"env", "A", nullptr}, Row{"env", "A-B=1", nullptr},
        Row{"entrypoint", "/init\x01", nullptr}, Row{"entrypoint", "/init\t--x", "/init\t--x"},
        Row{"hookscript", "local:snippets/a.sh", "local:snippets/a.sh"}, Row{"hookscript", "/a.sh", nullptr},
        Row{"timezone", "Europe/Vienna", "Europe/Vienna"}, Row{"timezone", "../../etc/passwd", nullptr},
        Row{"timezone", "/etc/passwd", nullptr}, Row{"description", "two\nlines", "two\nlines"},
        Row{"description", std::string(8193, 'x'), nullptr}, Row{"lock", "backup", "backup"},
        Row{"lock", "mine", nullptr}, Row{"startup", "2", "2"}, Row{"startup", "soon", nullptr},
        Row{"parent", "a", nullptr}, Row{"features", "nesting=on,fuse=1", "fuse=1,nesting=1"},
        Row{"mp0", "mp=/a,size=8192M,volume=local:100/x", "local:100/x,mp=/a,size=8G"},
        Row{"mp0", "/t,mp=/a,idmap=u:0:0:2;u:1:9:1", nullptr}, Row{"rootfs", "local:8", "local:8"},
        Row{"dev0", "path=/dev/fuse,mode=0600", "/dev/fuse,mode=0600"},
        Row{"unused0", "local:100/x", "local:100/x"}, Row{"hostname", "a\nb", nullptr},
        Row{"net0", "name=eth0,host-managed=1,ip6=auto", nullptr}, Row{"nosuch", "1", nullptr}));

TEST(CommandLineNet, GetsAMacAndItsType) {
  const auto result = check_command_line_value("net0", "name=eth0,bridge=vmbr0");
  ASSERT_TRUE(result.ok()) << result.reason;
  const auto net = parse_net(*result.value);
  EXPECT_TRUE(is_mac_address(net.hwaddr));
  EXPECT_EQ(net.hwaddr.substr(0, 8), "BC:24:11");
  EXPECT_EQ(net.type, "veth");
}

TEST(CommandLineNet, KeepsAGivenMac) {
  EXPECT_EQ(check_command_line_value("net0", "hwaddr=02:00:00:00:00:01,name=eth0").value,
            "name=eth0,hwaddr=02:00:00:00:00:01,type=veth");
}

TEST(CommandLineNet, UsesTheConfiguredPrefix) {
  const auto result = check_command_line_value("net0", "name=eth0", "AA");
  EXPECT_EQ(parse_net(result.value.value()).hwaddr.substr(0, 2), "AA");
}

}  // namespace
}  // namespace hutch::config
