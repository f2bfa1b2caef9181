#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "policies.h"
#include "seccomp/cache.h"

namespace hutch::seccomp {
namespace {

const std::string policy = unprivileged_policy;
const Origin origin{"default", 0};

std::string bytes_of(const BpfProgram& program) {
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

// A program that nothing compiles to: finding it proves that it came from the file.
BpfProgram marker() {
  return {{BPF_RET | BPF_K, 0, 0, 0x00050abc}};
}

class Cache : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: cache files must belong to root, and this is not root";
    char pattern[] = "/tmp/hutch-seccomp-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    directory = pattern;
    file = directory + "/" + cache_file_name(policy);
    expected = bytes_of(compile(parse_policy(policy, origin)));
  }
  void TearDown() override {
    if (!directory.empty()) std::filesystem::remove_all(directory);
  }
  std::string load() const { return bytes_of(load_or_compile(policy, origin, directory)); }
  std::string stored() const { return read_file(AT_FDCWD, file); }
  std::string whole() const { return encode_cache_file(policy, compile(parse_policy(policy, origin))); }
  void plant(const std::string& content, mode_t mode = 0600) const {
    replace_file(AT_FDCWD, file, content, mode);
  }

  std::string directory;
  std::string file;
  std::string expected;
};

// Runs `body` in a forked child with its own mount namespace; its exit status is the test's result.
void in_child(const std::function<bool()>& body) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    bool passed = false;
    try {
      passed = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 && body();
    } catch (const std::exception& error) {
      ::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(passed ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

TEST_F(Cache, MissStoresForRootAlone) {
  EXPECT_EQ(load(), expected);
  EXPECT_EQ(stored(), whole());
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, static_cast<mode_t>(S_IFREG | 0600));
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(Cache, HitComesFromTheFile) {
  plant(encode_cache_file(policy, marker()));
  EXPECT_EQ(load(), bytes_of(marker()));
}

TEST_F(Cache, DirectoryIsMadeWhenMissing) {
  directory += "/a/b";
  EXPECT_EQ(load(), expected);
  EXPECT_TRUE(path_exists(AT_FDCWD, directory + "/" + cache_file_name(policy)));
  directory.resize(directory.size() - 4);
}

TEST_F(Cache, DamagedFileIsReplaced) {
  std::string damaged = encode_cache_file(policy, marker());
  damaged[damaged.size() - 1] = static_cast<char>(damaged[damaged.size() - 1] ^ 1);
  for (const std::string& content :
       {damaged, encode_cache_file(policy, marker()).substr(0, 60), std::string(), std::string(1 << 20, 'x'),
        encode_cache_file(common_policy, marker())}) {
    plant(content);
    EXPECT_EQ(load(), expected);
    EXPECT_EQ(stored(), whole());
  }
}

TEST_F(Cache, FileOfAnotherUserIsReplaced) {
  plant(encode_cache_file(policy, marker()));
  ASSERT_EQ(::chown(file.c_str(), 1000, 1000), 0);
  EXPECT_EQ(load(), expected);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
  EXPECT_EQ(stored(), whole());
}

TEST_F(Cache, FileThatOthersMayWriteIsReplaced) {
  for (const mode_t mode : {mode_t{0620}, mode_t{0602}}) {
    plant(encode_cache_file(policy, marker()), mode);
    EXPECT_EQ(load(), expected) << mode;
    EXPECT_EQ(stored(), whole());
  }
}

TEST_F(Cache, SymlinkAndFifoAreReplaced) {
  const std::string elsewhere = directory + "/elsewhere";
  replace_file(AT_FDCWD, elsewhere, encode_cache_file(policy, marker()), 0600);
  ASSERT_EQ(::symlink(elsewhere.c_str(), file.c_str()), 0);
  EXPECT_EQ(load(), expected);
  struct stat status {};
  ASSERT_EQ(::lstat(file.c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(read_file(AT_FDCWD, elsewhere), encode_cache_file(policy, marker()));

  ASSERT_EQ(::unlink(file.c_str()), 0);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_EQ(load(), expected);
  EXPECT_EQ(stored(), whole());
}

TEST_F(Cache, ReadOnlyFileSystemIsNoObstacle) {
  in_child([this] {
    return ::mount("tmpfs", directory.c_str(), "tmpfs", MS_RDONLY, nullptr) == 0 && load() == expected &&
           !path_exists(AT_FDCWD, file);
  });
}

TEST_F(Cache, FullFileSystemIsNoObstacle) {
  in_child([this] {
    if (::mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=4k") != 0) return false;
    const UniqueFd filler = open_file(AT_FDCWD, directory + "/filler", O_WRONLY | O_CREAT, 0600);
    write_fd(filler.get(), std::string(4096, 'x'), "filler");
    if (load() != expected || path_exists(AT_FDCWD, file)) return false;
    // Not even a temporary file is left.
    return std::distance(std::filesystem::directory_iterator(directory),
                         std::filesystem::directory_iterator()) == 1;
  });
}

TEST_F(Cache, MissingPermissionIsNoObstacle) {
  in_child([this] {
    plant(encode_cache_file(policy, marker()));
    return ::setresuid(1000, 1000, 1000) == 0 && load() == expected;
  });
}

TEST_F(Cache, OtherErrorsThrow) {
  replace_file(AT_FDCWD, directory + "/plain", "", 0600);
  try {
    load_or_compile(policy, origin, directory + "/plain");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOTDIR);
  }
}

TEST_F(Cache, ConcurrentWritersLeaveOneWholeFile) {
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      bool passed = true;
      try {
        for (int round = 0; round < 20; ++round) {
          if (round % 4 == 3) ::unlink(file.c_str());
          passed = passed && load() == expected;
        }
      } catch (const std::exception& error) {
        ::fprintf(stderr, "%s\n", error.what());
        passed = false;
      }
      ::_exit(passed ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(load(), expected);
  EXPECT_EQ(stored(), whole());
  EXPECT_EQ(
      std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator()),
      1);
}

}  // namespace
}  // namespace hutch::seccomp
