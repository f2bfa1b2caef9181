#include "runtime/dev_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"

namespace hutch {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// "symlink fd /proc/self/fd 0"
std::vector<std::string> lines(const TreeOrders& orders) {
  constexpr const char* kKinds[] = {"device", "directory", "symlink", "file"};
  std::vector<std::string> result;
  for (std::size_t at = 0; at < orders.entry_count; ++at) {
    const TreeEntry& entry = orders.entries[at];
    result.push_back(formatted("{} {} {} {:o}", kKinds[static_cast<unsigned>(entry.kind)], entry.path,
                               entry.text == nullptr ? formatted("{:x}", entry.device) : entry.text,
                               entry.mode));
  }
  return result;
}

ContainerSpec bare_spec() {
  ContainerSpec spec;
  spec.tty_count = 0;
  spec.pty_max = 0;
  spec.console = spec.kmsg_link = spec.nesting_mounts = false;
  return spec;
}

std::string refusal(const DevTree& tree, const TreeFailure& failure) {
  try {
    tree.refuse(failure);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(DevTreeTest, WhatEveryContainerHas) {
  const DevTree tree(bare_spec());
  const auto entries = lines(tree.orders());
  ASSERT_EQ(entries.size(), 11U);
  EXPECT_THAT(entries[10], AllOf(HasSubstr("file .lxc-boot-id "), HasSubstr("-4"), HasSubstr("\n 444")));
  EXPECT_THAT(std::vector(entries.begin(), entries.end() - 1),
              ElementsAre("device full 107 20666", "device null 103 20666", "device random 108 20666",
                          "device tty 500 20666", "device urandom 109 20666", "device zero 105 20666",
                          "symlink fd /proc/self/fd 0", "symlink stdin /proc/self/fd/0 0",
                          "symlink stdout /proc/self/fd/1 0", "symlink stderr /proc/self/fd/2 0"));
}

TEST(DevTreeTest, WhatTheSpecAdds) {
  ContainerSpec spec = bare_spec();
  spec.pty_max = 16;
  spec.tty_count = 2;
  spec.tty_directory = "lxc";
  spec.console = spec.kmsg_link = spec.nesting_mounts = true;
  const DevTree tree(spec);
  auto entries = lines(tree.orders());
  entries.erase(entries.begin(), entries.begin() + 10);
  std::erase_if(entries, [](const auto& line) { return line.find("boot-id") != line.npos; });
  EXPECT_THAT(entries,
              ElementsAre("directory pts 0 755", "symlink ptmx pts/ptmx 0", "directory lxc 0 755",
                          "file lxc/tty1  0", "symlink tty1 lxc/tty1 0", "file lxc/tty2  0",
                          "symlink tty2 lxc/tty2 0", "file console  0", "symlink kmsg console 0",
                          "directory .lxc 0 755", "directory .lxc/proc 0 755", "directory .lxc/sys 0 755"));
}

TEST(DevTreeTest, ItIsTheContainersRoots) {
  ContainerSpec spec = bare_spec();
  spec.dev_size = 70000;
  spec.id_map = {{{0, 100000, 65536, {}}}, {{0, 200000, 65536, {}}}};
  const DevTree tree(spec);
  const TreeOrders& orders = tree.orders();
  EXPECT_EQ(orders.uid, 100000U);
  EXPECT_EQ(orders.gid, 200000U);
  std::vector<std::string> options;
  for (std::size_t at = 0; at < orders.option_count; ++at)
    options.push_back(formatted("{}={}", orders.options[at].key, orders.options[at].value));
  EXPECT_THAT(options, ElementsAre("size=70000", "mode=0755", "uid=100000", "gid=200000"));
}

TEST(DevTreeTest, AFailureNamesWhatItIsAbout) {
  const DevTree tree(bare_spec());
  using Step = TreeFailure::Step;
  EXPECT_THAT(refusal(tree, {Step::mount, 0, ENODEV}), AllOf(HasSubstr("tmpfs"), HasSubstr("ENODEV")));
  EXPECT_THAT(refusal(tree, {Step::option, 2, EINVAL}), HasSubstr("'uid=0'"));
  EXPECT_THAT(refusal(tree, {Step::entry, 1, ENOSPC}), HasSubstr("cannot create /dev/null: ENOSPC"));
  EXPECT_THAT(refusal(tree, {Step::owner, 6, EPERM}), HasSubstr("the owner of /dev/fd: EPERM"));
}

}  // namespace
}  // namespace hutch
