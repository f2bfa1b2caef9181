#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <thread>
#include <vector>

#include "base/process.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

using RemoveTreeTest = ScratchDirectory;

TEST_F(RemoveTreeTest, RemovesFilesAndTrees) {
  make_directories(below("tree/a/b/c"));
  make_directories(below("tree/d"));
  write("tree/a/b/file", "x");
  write("tree/file", "x");
  symlink("nowhere", "tree/dangling");
  write("single", "x");
  remove_tree(fd(), "tree");
  remove_tree(AT_FDCWD, below("single"));
  EXPECT_FALSE(path_exists(fd(), "tree"));
  EXPECT_FALSE(path_exists(fd(), "single"));
  remove_tree(fd(), "tree");  // a missing name is fine
  make_directories(below("x/y/z"));
  remove_tree(AT_FDCWD, below("x/y/"));
  EXPECT_TRUE(path_exists(fd(), "x"));
  EXPECT_FALSE(path_exists(fd(), "x/y"));
}

TEST_F(RemoveTreeTest, DoesNotFollowSymlinks) {
  make_directories(below("kept"));
  write("kept/file", "x");
  make_directories(below("tree"));
  symlink("../kept", "tree/link");
  symlink(below("kept"), "tree/absolute");
  symlink("kept", "top");
  remove_tree(fd(), "tree");
  remove_tree(fd(), "top");
  EXPECT_FALSE(path_exists(fd(), "top"));
  EXPECT_EQ("x", read_file(fd(), "kept/file"));
}

TEST_F(RemoveTreeTest, DepthBeyondTheDescriptorLimit) {
  rlimit before{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &before));
  UniqueFd level = open_file(fd(), ".", O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 1000; ++i) {
    check(::mkdirat(level.get(), "directory", 0700), "cannot make a directory");
    level = open_file(level.get(), "directory", O_RDONLY | O_DIRECTORY);
  }
  level.reset();
  const rlimit low{64, before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &low));
  EXPECT_EQ("", error_of([&] { remove_tree(fd(), "directory"); }));
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &before));
  EXPECT_FALSE(path_exists(fd(), "directory"));
}

TEST_F(RemoveTreeTest, SeveralAtOnceAreFine) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 20; ++i) {
      const std::string directory = "tree/" + std::to_string(i) + "/inner";
      make_directories(below(directory));
      write(directory + "/file", "x");
    }
    std::vector<std::string> errors(4);
    std::vector<std::thread> threads;
    for (auto& error : errors) {
      threads.emplace_back([&] { error = error_of([&] { remove_tree(fd(), "tree"); }); });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(errors, std::vector<std::string>(4));
    EXPECT_FALSE(path_exists(fd(), "tree"));
  }
}

TEST_F(RemoveTreeTest, ImmutableFilesSayWhy) {
  make_directories(below("tree"));
  write("tree/file", "x");
  if (!run_program({"chattr", "+i", below("tree/file")}).succeeded()) {
    GTEST_SKIP() << "probe: this file system has no immutable files";
  }
  EXPECT_EQ(EPERM, errno_of([&] { remove_tree(fd(), "tree"); }));
  EXPECT_EQ(EPERM, errno_of([&] { remove_tree(fd(), "tree/file"); }));
  run_checked({"chattr", "-i", below("tree/file")});
}

}  // namespace
}  // namespace hutch
