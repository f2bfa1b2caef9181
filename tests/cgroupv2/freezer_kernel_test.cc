#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "cgroupv2/freezer.h"
#include "tests/cgroupv2/kernel_support.h"

namespace hutch::cgroupv2 {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;

class FreezerKernelTest : public KernelTest {};

TEST_F(FreezerKernelTest, FrozenProcessesMakeNoProgress) {
  TestGroup group("freeze");
  group.start({});
  SharedCounter rounds;
  const Child spinner(group, [&rounds] {
    for (;;) rounds.add();
    return 0;
  });
  ASSERT_TRUE(rounds.reaches(1));
  freeze(group.directory(), milliseconds(5000));
  EXPECT_TRUE(frozen(group.directory()));
  EXPECT_TRUE(frozen(group.inner_directory()));
  const auto before = rounds.get();
  ::usleep(20000);
  EXPECT_EQ(rounds.get(), before);
  thaw(group.directory());
  EXPECT_FALSE(frozen(group.directory()));
  EXPECT_TRUE(rounds.reaches(before + 1));
}

TEST_F(FreezerKernelTest, KillEmptiesAGroupOfManyProcesses) {
  TestGroup group("kill");
  group.start({});
  SharedCounter ready;
  Child parent(group, [&ready] {
    for (int i = 0; i < 20; ++i) {
      if (::fork() == 0) break;
    }
    ::signal(SIGTERM, SIG_IGN);
    ready.add();
    for (;;) ::pause();
    return 0;
  });
  ASSERT_TRUE(ready.reaches(1));
  EXPECT_TRUE(populated(group.directory()));
  const auto pids = processes(group.directory());
  EXPECT_TRUE(std::binary_search(pids.begin(), pids.end(), parent.pid()));
  kill_all(group.directory());
  const int status = parent.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_TRUE(wait_empty(group.directory(), milliseconds(5000)));
  EXPECT_FALSE(populated(group.directory()));
  EXPECT_THAT(processes(group.directory()), IsEmpty());
}

TEST_F(FreezerKernelTest, KillWorksOnAFrozenGroup) {
  TestGroup group("kill-frozen");
  group.start({});
  Child child(group, [] {
    for (;;) ::pause();
    return 0;
  });
  freeze(group.directory(), milliseconds(5000));
  kill_all(group.directory());
  EXPECT_TRUE(WIFSIGNALED(child.wait()));
  EXPECT_TRUE(wait_empty(group.directory(), milliseconds(5000)));
}

TEST_F(FreezerKernelTest, WaitingForALivingGroupEnds) {
  TestGroup group("wait");
  group.start({});
  const Child child(group, [] {
    for (;;) ::pause();
    return 0;
  });
  EXPECT_FALSE(wait_empty(group.directory(), milliseconds(20)));
}

TEST_F(FreezerKernelTest, ProcessesOfNestedGroupsAreListed) {
  TestGroup group("list");
  group.start({});
  std::string nested = group.inner_directory();
  for (const char* name : {"/a", "/b", "/c"}) {
    nested += name;
    ASSERT_EQ(::mkdir(nested.c_str(), 0755), 0);
  }
  ASSERT_EQ(::mkdir((group.inner_directory() + "/d").c_str(), 0755), 0);
  const Child first(group, [] { return ::pause(); });
  const Child second(group, [] { return ::pause(); });
  write_kernel_file(AT_FDCWD, nested + "/cgroup.procs", std::to_string(first.pid()));
  write_kernel_file(AT_FDCWD, group.inner_directory() + "/d/cgroup.procs", std::to_string(second.pid()));
  std::vector<pid_t> expected = {first.pid(), second.pid()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(processes(group.directory()), expected);
}

TEST_F(FreezerKernelTest, GroupsThatDoNotExist) {
  const std::string nowhere = detect_layout().unified + "/hutch-test-nowhere";
  kill_all(nowhere);
  EXPECT_FALSE(populated(nowhere));
  EXPECT_TRUE(wait_empty(nowhere, milliseconds(0)));
  EXPECT_THAT(processes(nowhere), IsEmpty());
  try {
    freeze(nowhere, milliseconds(10));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOENT);
  }
}

}  // namespace
}  // namespace hutch::cgroupv2
