#include "base/files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/format.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

using FilesTest = ScratchDirectory;

TEST_F(FilesTest, OpensCloseOnExec) {
  write("a", "x");
  for (const Resolve resolve : {Resolve::host, Resolve::in_root, Resolve::no_symlinks}) {
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(open_file(fd(), "a", O_RDONLY, 0, resolve).get(), F_GETFD));
  }
}

TEST_F(FilesTest, ErrorsNameThePathAndKeepTheErrno) {
  EXPECT_THAT(error_of([&] { open_file(fd(), "none/x", O_RDONLY); }),
              HasSubstr("cannot open 'none/x': ENOENT"));
  EXPECT_THAT(error_of([&] { open_file(fd(), ".", O_WRONLY); }), HasSubstr("cannot write '.': EISDIR"));
  EXPECT_THAT(error_of([&] { open_file(fd(), "none/x", O_WRONLY | O_CREAT, 0600); }),
              HasSubstr("cannot create"));
}

TEST_F(FilesTest, OpenIfExists) {
  write("a", "x");
  EXPECT_TRUE(open_if_exists(fd(), "a", O_RDONLY));
  EXPECT_FALSE(open_if_exists(fd(), "b", O_RDONLY));
  EXPECT_FALSE(open_if_exists(fd(), "a/b", O_RDONLY));
  symlink("loop", "loop");
  EXPECT_EQ(ELOOP, errno_of([&] { open_if_exists(fd(), "loop", O_RDONLY); }));
}

TEST_F(FilesTest, ReadsWholeFiles) {
  const std::string large(100000, 'x');
  write("a", large);
  EXPECT_EQ(large, read_file(fd(), "a"));
  EXPECT_EQ(large, read_file(AT_FDCWD, below("a")));
  EXPECT_EQ(large, read_file(fd(), "/a", Resolve::in_root));
  EXPECT_EQ(std::nullopt, read_file_if_exists(fd(), "b"));
  EXPECT_EQ(std::nullopt, read_file_if_exists(fd(), "b", Resolve::in_root));
  EXPECT_EQ(large, read_file_if_exists(fd(), "a", Resolve::no_symlinks));
  EXPECT_EQ(EISDIR, errno_of([&] { read_file(fd(), "."); }));
  EXPECT_EQ(EISDIR, errno_of([&] { read_file(fd(), ".", Resolve::in_root); }));
}

TEST_F(FilesTest, WhatGoesBeforeItIsReadDoesNotExist) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) ::_exit(0);
  // Opened anew by its link, as the process's own.
  const UniqueFd status = open_file(AT_FDCWD, "/proc/" + std::to_string(pid) + "/status", O_PATH);
  const std::string path = "/proc/self/fd/" + std::to_string(status.get());
  EXPECT_NE(std::nullopt, read_file_if_exists(AT_FDCWD, path));
  ASSERT_EQ(pid, ::waitpid(pid, nullptr, 0));
  EXPECT_EQ(ESRCH, errno_of([&] { read_file(AT_FDCWD, path); }));
  EXPECT_EQ(std::nullopt, read_file_if_exists(AT_FDCWD, path));
}

TEST_F(FilesTest, ReadLimit) {
  write("a", std::string(1000, 'x'));
  EXPECT_EQ(1000U, read_fd(open_file(fd(), "a", O_RDONLY).get(), "a", 1000).size());
  EXPECT_EQ(EFBIG, errno_of([&] { read_fd(open_file(fd(), "a", O_RDONLY).get(), "a", 999); }));
}

TEST_F(FilesTest, InRootSymlinksStayBelow) {
  make_directories(below("root/etc"));
  write("secret", "host");
  write("root/etc/passwd", "guest");
  symlink("/etc/passwd", "root/absolute");
  symlink("../../../../etc/passwd", "root/relative");
  symlink("/", "root/top");
  symlink("../../secret", "root/etc/escape");
  const UniqueFd root = open_file(fd(), "root", O_RDONLY | O_DIRECTORY);
  for (const char* path : {"absolute", "relative", "top/etc/passwd", "../../etc/passwd", "/etc/passwd"}) {
    EXPECT_EQ("guest", read_file(root.get(), path, Resolve::in_root)) << path;
  }
  EXPECT_EQ(std::nullopt, read_file_if_exists(root.get(), "etc/escape", Resolve::in_root));
  EXPECT_EQ("host", read_file(root.get(), "etc/escape"));  // what in_root is for
}

TEST_F(FilesTest, InRootRefusesMagicLinks) {
  const UniqueFd proc = open_file(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(ELOOP,
            errno_of([&] { open_file(proc.get(), "self/root/etc/passwd", O_RDONLY, 0, Resolve::in_root); }));
}

TEST_F(FilesTest, NoSymlinks) {
  make_directories(below("dir"));
  write("dir/a", "x");
  symlink("dir", "link");
  symlink("a", "dir/b");
  EXPECT_EQ("x", read_file(fd(), "dir/a", Resolve::no_symlinks));
  EXPECT_EQ(ELOOP, errno_of([&] { read_file(fd(), "link/a", Resolve::no_symlinks); }));
  EXPECT_EQ(ELOOP, errno_of([&] { open_file(fd(), "dir/b", O_RDONLY, 0, Resolve::no_symlinks); }));
  EXPECT_THAT(error_of([&] { open_file(fd(), "link/a", O_RDONLY, 0, Resolve::no_symlinks); }),
              HasSubstr("a symlink on this path is not followed"));
}

TEST_F(FilesTest, OnlyRegularFilesAreReadBelowARoot) {
  ASSERT_EQ(0, ::mkfifoat(fd(), "pipe", 0600));
  symlink("pipe", "link");
  // Opening the pipe would hang for ever.
  EXPECT_EQ(EINVAL, errno_of([&] { read_file(fd(), "pipe", Resolve::in_root); }));
  EXPECT_EQ(EINVAL, errno_of([&] { read_regular_file(below("pipe")); }));
  EXPECT_EQ(EINVAL, errno_of([&] { read_regular_file("/dev/null"); }));
  EXPECT_EQ(EINVAL, errno_of([&] { read_file_if_exists(fd(), "link", Resolve::in_root); }));
}

TEST_F(FilesTest, WriteKernelFile) {
  write("a", "old value");
  write_kernel_file(fd(), "a", "new");
  EXPECT_EQ("new value", read_file(fd(), "a"));
  EXPECT_EQ(ENOENT, errno_of([&] { write_kernel_file(fd(), "b", "1"); }));
  EXPECT_THAT(error_of([] { write_kernel_file(AT_FDCWD, "/proc/self/oom_score_adj", "nonsense"); }),
              HasSubstr("cannot write 'nonsense' to '/proc/self/oom_score_adj': EINVAL"));
  EXPECT_EQ(ENOSPC, errno_of([] { write_kernel_file(AT_FDCWD, "/dev/full", "1"); }));
}

TEST_F(FilesTest, WriteErrorsKeepTheErrno) {
  const UniqueFd full = open_file(AT_FDCWD, "/dev/full", O_WRONLY);
  EXPECT_EQ(ENOSPC, errno_of([&] { write_fd(full.get(), "x", "full"); }));
}

TEST_F(FilesTest, ReplaceFileCreatesAndReplaces) {
  replace_file(fd(), "a", "one", 0640);
  replace_file(AT_FDCWD, below("a"), "two", 0600, Owner{1, 2});
  EXPECT_EQ("two", read_file(fd(), "a"));
  struct stat status {};
  ASSERT_EQ(0, ::fstatat(fd(), "a", &status, 0));
  EXPECT_EQ(0600U, status.st_mode & 07777);
  EXPECT_EQ((Owner{1, 2}), (Owner{status.st_uid, status.st_gid}));
  // Nothing but the file itself is left.
  EXPECT_EQ(1, std::distance(std::filesystem::directory_iterator(path_), {}));
}

TEST_F(FilesTest, ReplaceFileReplacesASymlinkInsteadOfFollowingIt) {
  write("target", "kept");
  symlink("target", "link");
  replace_file(fd(), "link", "new", 0644, std::nullopt, Resolve::in_root);
  EXPECT_EQ("kept", read_file(fd(), "target"));
  EXPECT_EQ("new", read_file(fd(), "link", Resolve::no_symlinks));
}

TEST_F(FilesTest, ReplaceFileInRootStaysBelow) {
  make_directories(below("outside"));
  make_directories(below("root/etc"));
  symlink("../outside", "root/link");
  const UniqueFd root = open_file(fd(), "root", O_RDONLY | O_DIRECTORY);
  replace_file(root.get(), "/etc/hostname", "web", 0644, std::nullopt, Resolve::in_root);
  EXPECT_EQ("web", read_file(fd(), "root/etc/hostname"));
  EXPECT_EQ(ENOENT,
            errno_of([&] { replace_file(root.get(), "link/a", "x", 0644, std::nullopt, Resolve::in_root); }));
  EXPECT_FALSE(path_exists(fd(), "outside/a"));
}

TEST_F(FilesTest, FailedReplaceLeavesNothing) {
  make_directories(below("a"));
  EXPECT_EQ(EISDIR, errno_of([&] { replace_file(fd(), "a", "x", 0644); }));
  EXPECT_EQ(1, std::distance(std::filesystem::directory_iterator(path_), {}));
}

TEST_F(FilesTest, AnOutputIsReplacedOnlyWhereItIsAFile) {
  write_output_file(below("file"), "one", 0644);
  write_output_file(below("file"), "2", 0644);
  EXPECT_EQ("2", read_file(fd(), "file"));
  symlink("file", "link");
  write_output_file(below("link"), "followed", 0644);
  EXPECT_EQ("followed", read_file(fd(), "file"));
  EXPECT_TRUE(std::filesystem::is_symlink(below("link")));

  int ends[2];
  ASSERT_EQ(0, ::pipe2(ends, O_CLOEXEC));
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  symlink(formatted("/proc/self/fd/{}", writer.get()), "pipe");
  write_output_file(below("pipe"), "through", 0644);
  writer.reset();
  EXPECT_EQ("through", read_fd(reader.get(), "pipe"));
  EXPECT_TRUE(std::filesystem::is_symlink(below("pipe")));
}

TEST_F(FilesTest, AnOutputThatCannotBeIsKnownBefore) {
  check_output_file(below("new"));
  check_output_file("/dev/null");
  write("file", "kept");
  check_output_file(below("file"));
  EXPECT_EQ("kept", read_file(fd(), "file"));
  EXPECT_FALSE(path_exists(fd(), "new"));
  EXPECT_EQ(ENOENT, errno_of([&] { check_output_file(below("none/new")); }));
  EXPECT_EQ(ENOTDIR, errno_of([&] { check_output_file(below("file/new")); }));
  EXPECT_EQ(EISDIR, errno_of([&] { check_output_file(path_); }));
  EXPECT_THAT(error_of([&] { check_output_file(below("none/new")); }), HasSubstr("/none/new'"));
}

TEST_F(FilesTest, MakeDirectories) {
  make_directories(below("a/b/c"), 0700);
  make_directories(below("a/b/c"));
  make_directories(below("a/b/"));
  EXPECT_TRUE(std::filesystem::is_directory(below("a/b/c")));
  write("file", "x");
  EXPECT_EQ(EEXIST, errno_of([&] { make_directories(below("file")); }));
  EXPECT_EQ(ENOTDIR, errno_of([&] { make_directories(below("file/x")); }));
  symlink("a", "link");
  make_directories(below("link/d"));
  EXPECT_TRUE(path_exists(fd(), "a/d"));
}

TEST_F(FilesTest, ListDirectory) {
  write("b", "x");
  write("a", "x");
  make_directories(below(".c"));
  EXPECT_EQ((std::vector<std::string>{".c", "a", "b"}), list_directory(below("")));
  EXPECT_TRUE(list_directory(below("none")).empty());
  EXPECT_EQ(ENOTDIR, errno_of([&] { list_directory(below("a")); }));
}

TEST_F(FilesTest, PathExists) {
  symlink("nowhere", "dangling");
  EXPECT_TRUE(path_exists(fd(), "dangling"));
  EXPECT_FALSE(path_exists(fd(), "none"));
  EXPECT_FALSE(path_exists(fd(), "dangling/x"));
  EXPECT_EQ(ENAMETOOLONG, errno_of([&] { path_exists(fd(), std::string(300, 'x')); }));
}

}  // namespace
}  // namespace hutch
