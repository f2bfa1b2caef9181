#include "cgroupv2/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/cgroupv2/fake_tree.h"

namespace hutch::cgroupv2 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(LayoutTest, KnowsItsHierarchies) {
  const Layout layout{
      .unified = "/cg/unified",
      .v2_controllers = {"hugetlb"},
      .v1 = {{"cpu", "/cg/cpu,cpuacct"}, {"cpuacct", "/cg/cpu,cpuacct"}, {"blkio", "/cg/blkio"}}};
  EXPECT_TRUE(layout.hybrid());
  EXPECT_TRUE(layout.has_v2("hugetlb"));
  EXPECT_FALSE(layout.has_v2("cpu"));
  EXPECT_EQ(layout.v1_hierarchy("cpu"), "/cg/cpu,cpuacct");
  EXPECT_EQ(layout.v1_hierarchy("memory"), "");
  EXPECT_THAT(layout.v1_hierarchies(), ElementsAre("/cg/blkio", "/cg/cpu,cpuacct"));
  EXPECT_EQ(layout.root(), "/cg");
  EXPECT_FALSE(Layout{.unified = "/cg"}.hybrid());
  EXPECT_EQ(Layout{.unified = "/sys/fs/cgroup"}.root(), "/sys/fs/cgroup");
}

TEST(LayoutTest, NoCgroup2TreeIsAnErrorThatSaysWhatToMount) {
  const FakeTree tree;
  tree.write("unified/cgroup.controllers", "cpu\n");  // a plain directory of that name does not count
  try {
    detect_layout(tree.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("cannot find a cgroup2 file system"), HasSubstr("mount -t cgroup2")));
  }
}

}  // namespace
}  // namespace hutch::cgroupv2
