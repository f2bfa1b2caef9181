#include "cli/config_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <thread>

#include "base/error.h"
#include "tests/cli/command_line.h"

namespace hutch::cli {
namespace {

using namespace std::chrono_literals;
using testing::TemporaryHost;

// Notices of the lock, captured.
class Notices {
 public:
  Notices() : stream_(::open_memstream(&text_, &size_)) {}
  ~Notices() {
    std::fclose(stream_);
    std::free(text_);
  }
  Notices(const Notices&) = delete;
  Notices& operator=(const Notices&) = delete;
  std::FILE* stream() { return stream_; }
  std::string text() {
    std::fflush(stream_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* stream_;
};

// Another process that holds the lock of `vmid` for `duration`, or until it is destroyed.
class Holder {
 public:
  Holder(const TemporaryHost& host, std::uint32_t vmid, std::chrono::milliseconds duration) {
    int ready[2] = {-1, -1};
    if (::pipe(ready) < 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto lock = ConfigStore(host.sysroot()).lock(vmid, stderr);
      if (::write(ready[1], "x", 1) != 1) ::_exit(1);
      std::this_thread::sleep_for(duration);
      ::_exit(0);
    }
    ::close(ready[1]);
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("the other process did not get the lock");
    ::close(ready[0]);
  }
  ~Holder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

 private:
  pid_t pid_ = -1;
};

TEST(ConfigStore, NothingIsMadeByLooking) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  EXPECT_TRUE(store.list().empty());
  EXPECT_FALSE(store.exists(100));
  EXPECT_EQ(store.node_of(100), std::nullopt);
  EXPECT_TRUE(std::filesystem::is_empty(host.root()));
}

TEST(ConfigStore, KnowsTheLastStartFromAnEarlierOne) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  EXPECT_EQ(store.last_start(100), 0);
  const auto lock = store.lock(100, stderr);
  store.note_start(100);
  const std::int64_t first = store.last_start(100);
  EXPECT_GT(first, 0);
  // Neither another container's nor a look at this one.
  const auto other = store.lock(101, stderr);
  store.note_start(101);
  EXPECT_FALSE(store.exists(100));
  EXPECT_EQ(store.last_start(100), first);
  store.note_start(100);
  EXPECT_NE(store.last_start(100), first);
}

TEST(ConfigStore, MissingConfigIsEnoent) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  try {
    store.read(100);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(store.read_if_exists(100), std::nullopt);
    EXPECT_EQ(error.hint(), "'pct list' shows the containers of this host");
    EXPECT_EQ(error.action(), "Configuration file 'nodes/" + store.node() + "/lxc/100.conf' does not exist");
    EXPECT_EQ(error.error_number(), ENOENT);
  }
}

TEST(ConfigStore, WritesWithLinksAndListsInNumericOrder) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  for (const std::uint32_t vmid : {1000U, 101U, 99999U}) store.write(vmid, "arch: amd64\n");
  for (const char* other :
       {"abc.conf", "12.conf", "0200.conf", "100.conf.bak", ".101.conf.tmp.1", "1000000000.conf"}) {
    host.write("etc/pve/lxc/" + std::string(other), "");
  }
  EXPECT_EQ(store.list(), (std::vector<std::uint32_t>{101, 1000, 99999}));
  EXPECT_EQ(host.read("etc/pve/lxc/101.conf"), "arch: amd64\n");
  EXPECT_EQ(std::filesystem::read_symlink(host.path("etc/pve/local")), "nodes/" + store.node());
  EXPECT_EQ(store.path(101), host.path("etc/pve/nodes/" + store.node() + "/lxc/101.conf"));
  struct stat status {};
  ASSERT_EQ(::stat(store.path(101).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST(ConfigStore, CreateRefusesAnExistingFile) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  store.create(100, "lock: create\n");
  try {
    store.create(100, "other\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EEXIST);
  }
  EXPECT_EQ(store.read(100), "lock: create\n");
  store.remove(100);
  store.remove(100);
  EXPECT_FALSE(store.exists(100));
}

TEST(ConfigStore, FindsAnotherNodesContainer) {
  const TemporaryHost host;
  host.write("etc/pve/nodes/other/lxc/200.conf", "");
  EXPECT_EQ(ConfigStore(host.sysroot()).node_of(200), "other");
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(200));
}

TEST(ConfigStore, UnreadableConfigNamesItsErrno) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  std::filesystem::create_directories(store.path(100));
  try {
    store.read(100);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EISDIR) << error.what();
    EXPECT_NE(std::string(error.what()).find("100.conf"), std::string::npos);
  }
}

TEST(ConfigFileLock, FreeLockIsTakenSilentlyAndRecursively) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  Notices notices;
  const auto outer = store.lock(100, notices.stream());
  const auto inner = store.lock(100, notices.stream(), 0ms);
  EXPECT_EQ(notices.text(), "");
  EXPECT_TRUE(std::filesystem::exists(host.path("run/lock/lxc/pve-config-100.lock")));
}

TEST(ConfigFileLock, TimesOutWhileAnotherProcessHoldsIt) {
  const TemporaryHost host;
  const Holder holder(host, 100, 60s);
  const ConfigStore store(host.sysroot());
  Notices notices;
  try {
    const auto lock = store.lock(100, notices.stream(), 100ms);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "can't lock file '" + host.path("run/lock/lxc/pve-config-100.lock") +
                  "' - got timeout; another command works on the container; try again when it has ended");
  }
  EXPECT_EQ(notices.text(), "trying to acquire lock... failed\n");
  const auto other = store.lock(101, notices.stream(), 0ms);  // another container's is free
}

TEST(ConfigFileLock, WaitsUntilTheOtherProcessEnds) {
  const TemporaryHost host;
  const Holder holder(host, 100, 200ms);
  Notices notices;
  const auto lock = ConfigStore(host.sysroot()).lock(100, notices.stream(), 10s);
  EXPECT_EQ(notices.text(), "trying to acquire lock... OK\n");
}

TEST(ConfigFileLock, IsReleasedWithItsLastHolder) {
  const TemporaryHost host;
  const ConfigStore store(host.sysroot());
  {
    auto first = store.lock(100, stderr);
    auto second = store.lock(100, stderr);
    first = std::move(second);
  }
  const Holder holder(host, 100, 0ms);  // throws when the lock is still taken
}

}  // namespace
}  // namespace hutch::cli
