#include "docs/generator/mention.h"

#include <gtest/gtest.h>

namespace hutch::docs {
namespace {

TEST(Mention, OfARawKeyIsItsWholeName) {
  EXPECT_TRUE(mentions_raw_key("\"lxc.net:\\n\"", "lxc.net"));
  EXPECT_TRUE(mentions_raw_key("lxc.net = \n", "lxc.net"));
  EXPECT_FALSE(mentions_raw_key("lxc.net.0.type: veth", "lxc.net"));
  EXPECT_FALSE(mentions_raw_key("lxc.network.type: veth", "lxc.net"));
  EXPECT_TRUE(mentions_raw_key("lxc.cgroup.dir.container: a\nlxc.cgroup.dir: b", "lxc.cgroup.dir"));
  EXPECT_FALSE(mentions_raw_key("lxc.cgroup.dir.container: a", "lxc.cgroup.dir"));
}

TEST(Mention, OfAFamilyIsAnyNameBelowIt) {
  EXPECT_TRUE(mentions_raw_key("lxc.cgroup2.pids.max: 5", "lxc.cgroup2.*"));
  EXPECT_FALSE(mentions_raw_key("lxc.cgroup2: ", "lxc.cgroup2.*"));
  EXPECT_FALSE(mentions_raw_key("lxc.cgroup.cpu.shares: 5", "lxc.cgroup2.*"));
}

TEST(Mention, OfAnIndexedKeyHasANumber) {
  EXPECT_TRUE(mentions_raw_key("lxc.net.12.ipv4.address: 10.0.0.1", "lxc.net.[n].ipv4.address"));
  EXPECT_FALSE(mentions_raw_key("lxc.net.ipv4.address: 10.0.0.1", "lxc.net.[n].ipv4.address"));
  EXPECT_FALSE(mentions_raw_key("lxc.net.0.vlan.id: 3", "lxc.net.[n].veth.vlan.id"));
}

TEST(Mention, OfAnOptionIsAConfigLineAStringOrAWordOfACommandLine) {
  for (const char* text : {"memory: 512", "swap: 0\nmemory: 512", R"("arch: amd64\nmemory: 512\n")",
                           R"(set("memory", x))", "pct set 100 --memory 512"}) {
    EXPECT_TRUE(mentions_option(text, "memory", false)) << text;
  }
  for (const char* text :
       {"memory", "the memory: it is", "lxc.memory: 1", "--memory-max 3", "memory:512", "\"memory.max\""})
    EXPECT_FALSE(mentions_option(text, "memory", false)) << text;
}

TEST(Mention, OfAnIndexedOptionHasANumber) {
  EXPECT_TRUE(mentions_option("net0: name=eth0", "net", true));
  EXPECT_TRUE(mentions_option("\"mp12\"", "mp", true));
  EXPECT_FALSE(mentions_option("net: name=eth0", "net", true));
  EXPECT_FALSE(mentions_option("--net name=eth0", "net", true));
}

TEST(Mention, OfASubKeyHasAnEqualsSign) {
  EXPECT_TRUE(mentions_sub_key("net0: name=eth0,tag=5", "tag"));
  EXPECT_TRUE(mentions_sub_key("\"tag=5\"", "tag"));
  EXPECT_FALSE(mentions_sub_key("net0: name=eth0,vlantag=5", "tag"));
  EXPECT_FALSE(mentions_sub_key("tag 5, tags=5", "tag"));
}

}  // namespace
}  // namespace hutch::docs
