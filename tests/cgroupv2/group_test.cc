#include "cgroupv2/group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"
#include "tests/cgroupv2/fake_tree.h"

namespace hutch::cgroupv2 {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Origin kLine{"100.conf", 4};

// The logic that does not need a cgroup file system, on plain directories.
class GroupTest : public testing::Test {
 protected:
  Layout unified() const { return {.unified = tree_.path(), .v2_controllers = {"cpu", "memory", "misc"}}; }
  Layout bare() const { return {.unified = tree_.path()}; }
  PlacedWrite write(const std::string& file, const std::string& value) const {
    return {tree_.path(), file, value, kLine};
  }
  FakeTree tree_;
};

TEST_F(GroupTest, PathsAreRelativeNames) {
  EXPECT_TRUE(is_group_path("lxc/100"));
  EXPECT_TRUE(is_group_path("a"));
  for (const char* path : {"", "/lxc", "lxc/", "lxc//100", "lxc/../x", ".", "lxc/."}) {
    EXPECT_FALSE(is_group_path(path)) << path;
    EXPECT_THROW(Group(bare(), path), Error) << path;
  }
  for (const char* inner : {"", "..", "a/b"}) EXPECT_THROW(Group(bare(), "lxc/100", inner), Error) << inner;
}

TEST_F(GroupTest, NamesItsDirectories) {
  const Group group(bare(), "lxc/100");
  EXPECT_EQ(group.directory(), tree_.path() + "/lxc/100");
}

TEST_F(GroupTest, EnablesMissingControllersDownThePath) {
  tree_.write("cgroup.subtree_control", "memory\n");
  tree_.write("lxc/cgroup.subtree_control", "");
  Group group(unified(), "lxc/100");
  // A plain directory has no control files: the last step fails, and what was made goes away again.
  try {
    group.create({write("misc.max", "1")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("lxc/100/cgroup.subtree_control"));
  }
  EXPECT_EQ(tree_.read("cgroup.subtree_control").substr(0, 10), "+cpu +misc");
  EXPECT_EQ(tree_.read("lxc/cgroup.subtree_control"), "+cpu +memory +misc");
  EXPECT_FALSE(tree_.exists("lxc/100"));
}

TEST_F(GroupTest, ControllersThatAreEnabledAreNotWritten) {
  tree_.write("cgroup.subtree_control", "cpuset cpu memory pids\n");
  tree_.write("lxc/cgroup.subtree_control", "memory cpu\n");
  Group group(unified(), "lxc/100");
  EXPECT_THROW(group.create({}), Error);
  EXPECT_EQ(tree_.read("cgroup.subtree_control"), "cpuset cpu memory pids\n");
  EXPECT_EQ(tree_.read("lxc/cgroup.subtree_control"), "memory cpu\n");
}

TEST_F(GroupTest, CreatesOnTheTreesThatAreWrittenTo) {
  Layout layout{.unified = tree_.path() + "/unified",
                .v1 = {{"memory", tree_.path() + "/memory"}, {"pids", tree_.path() + "/pids"}}};
  tree_.write("unified/x", "");
  tree_.write("memory/x", "");
  tree_.write("pids/x", "");
  Group group(layout, "lxc/100");
  group.create({{tree_.path() + "/pids", "pids.max", "1", kLine}});
  EXPECT_TRUE(tree_.exists("unified/lxc/100/ns"));
  EXPECT_TRUE(tree_.exists("pids/lxc/100"));
  EXPECT_FALSE(tree_.exists("memory/lxc"));
  group.remove();
  EXPECT_FALSE(tree_.exists("unified/lxc"));
  EXPECT_FALSE(tree_.exists("pids/lxc"));
}

TEST_F(GroupTest, EitherHalfOfTheCreationKeepsToItsTrees) {
  Layout layout{.unified = tree_.path() + "/unified",
                .v1 = {{"memory", tree_.path() + "/memory"}, {"pids", tree_.path() + "/pids"}}};
  for (const char* file : {"unified/x", "memory/x", "pids/x"}) tree_.write(file, "");
  const std::vector<PlacedWrite> writes = {{layout.unified, "misc.max", "1", kLine},
                                           {tree_.path() + "/pids", "pids.max", "1", kLine}};
  Group group(layout, "lxc/100");
  group.create_v1(writes);
  EXPECT_TRUE(tree_.exists("pids/lxc/100"));
  EXPECT_FALSE(tree_.exists("pids/lxc/100/ns"));
  EXPECT_FALSE(tree_.exists("memory/lxc"));
  EXPECT_FALSE(tree_.exists("unified/lxc"));
  group.remove();
  EXPECT_FALSE(tree_.exists("pids/lxc"));

  const std::vector<PlacedWrite> v1_only = {writes[1]};
  group.create_unified(v1_only);
  EXPECT_TRUE(tree_.exists("unified/lxc/100/ns"));
  EXPECT_FALSE(tree_.exists("pids/lxc"));
  EXPECT_FALSE(tree_.exists("memory/lxc"));
  group.create_v1(v1_only);
  EXPECT_TRUE(tree_.exists("unified/lxc/100/ns"));
  EXPECT_TRUE(tree_.exists("pids/lxc/100"));
}

TEST_F(GroupTest, AFailedV1CreationKeepsTheUnifiedGroup) {
  Layout layout{.unified = tree_.path() + "/unified", .v1 = {{"pids", tree_.path() + "/pids"}}};
  for (const char* file : {"unified/x", "pids/x"}) tree_.write(file, "");
  Group group(layout, "lxc/100");
  group.create_unified({});
  EXPECT_THROW(group.create_v1({{tree_.path() + "/pids", "pids.max", "1", kLine},
                                {tree_.path() + "/nowhere", "x.max", "1", kLine}}),
               Error);
  EXPECT_FALSE(tree_.exists("pids/lxc"));
  EXPECT_TRUE(tree_.exists("unified/lxc/100/ns"));
}

TEST_F(GroupTest, AFailedCreationLeavesNothing) {
  Group group(bare(), "lxc/100");
  EXPECT_THROW(group.create({{tree_.path() + "/nowhere", "pids.max", "1", kLine}}), Error);
  EXPECT_FALSE(tree_.exists("lxc"));
}

TEST_F(GroupTest, ParentsInUseStay) {
  tree_.write("lxc/200/x", "");
  Group group(bare(), "lxc/100");
  group.create({});
  group.remove();
  EXPECT_FALSE(tree_.exists("lxc/100"));
  EXPECT_TRUE(tree_.exists("lxc/200"));
}

TEST_F(GroupTest, WritesLimitsInOrder) {
  tree_.write("lxc/100/memory.max", "");
  tree_.write("lxc/100/cpu.max", "");
  Group(bare(), "lxc/100")
      .apply({write("memory.max", "1"), write("cpu.max", "max 1000"), write("memory.max", "2")});
  EXPECT_EQ(tree_.read("lxc/100/memory.max"), "2");
  EXPECT_EQ(tree_.read("lxc/100/cpu.max"), "max 1000");
}

TEST_F(GroupTest, AFailedWriteNamesTheLine) {
  tree_.write("lxc/100/x", "");
  try {
    Group(bare(), "lxc/100").apply({write("memory.max", "1")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOENT);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("100.conf:4"), HasSubstr("memory.max"), HasSubstr("does not have")));
  }
}

TEST_F(GroupTest, NoLimitNeedsNoFile) {
  const Group group(bare(), "lxc/100");
  EXPECT_THROW(group.apply({write("memory.swap.max", "max")}), Error);  // the group itself is missing
  tree_.write("lxc/100/x", "");
  group.apply({write("memory.swap.max", "max")});
}

TEST_F(GroupTest, RemovingWhatIsNotThereIsFine) {
  Group(bare(), "lxc/100").remove();
}

}  // namespace
}  // namespace hutch::cgroupv2
