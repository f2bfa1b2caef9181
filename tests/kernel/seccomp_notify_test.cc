#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "tests/kernel/container_fixture.h"

// lxc.seccomp.notify.proxy, lxc.seccomp.notify.cookie, features: mknod=1.
namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;

// As in lxc-security 3, written down a second time.
struct WireHeader {
  std::uint64_t reserved;
  std::int32_t monitor_pid;
  std::int32_t init_pid;
  std::uint16_t notif_size;
  std::uint16_t response_size;
  std::uint16_t data_size;
  std::uint64_t cookie_length;
};

// What the daemon has seen, in memory that the test sees, too.
struct Seen {
  std::atomic<bool> stop;
  std::atomic<bool> stopped;
  std::atomic<int> requests;
  WireHeader header;
  std::array<char, 64> cookie;
};

// A daemon that makes /dev/null's like where it is asked to, and refuses every other device. A process,
// because a start has to be alone in its memory, and nobody's child, because the fixture waits for all of
// them.
class NullMaker {
 public:
  explicit NullMaker(const std::string& path) {
    void* memory = ::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw_errno("mmap");
    seen_ = new (memory) Seen{};
    listener_.reset(check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    ::unlink(path.c_str());
    check(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), "bind");
    check(::listen(listener_.get(), 5), "listen");
    const pid_t parent = check(::fork(), "fork");
    if (parent == 0) {
      if (::fork() != 0) ::_exit(0);
      serve();
      seen_->stopped = true;
      ::_exit(0);
    }
    ::waitpid(parent, nullptr, 0);
    listener_.reset();
  }
  NullMaker(const NullMaker&) = delete;
  NullMaker& operator=(const NullMaker&) = delete;
  ~NullMaker() {
    seen_->stop = true;
    while (!seen_->stopped) ::usleep(1000);
    ::munmap(seen_, sizeof *seen_);
  }

  std::string cookie() const { return seen_->cookie.data(); }
  const WireHeader& header() const { return seen_->header; }
  int requests() const { return seen_->requests; }

 private:
  UniqueFd listener_;
  std::vector<UniqueFd> peers_;
  Seen* seen_ = nullptr;

  void serve() {
    while (!seen_->stop) {
      std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
      for (const auto& peer : peers_) fds.push_back({peer.get(), POLLIN, 0});
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      for (std::size_t at = fds.size() - 1; at > 0; --at) {
        if (fds[at].revents != 0 && !answer(peers_[at - 1].get())) {
          peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(at - 1));
        }
      }
      if (fds[0].revents != 0)
        peers_.emplace_back(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
  }

  bool answer(int peer) {
    std::array<std::byte, 4096> packet{};
    iovec part{packet.data(), packet.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
    if (size <= 0) return false;
    std::array<int, 3> fds = {-1, -1, -1};
    if (message.msg_controllen >= CMSG_LEN(3 * sizeof(int))) {
      std::memcpy(fds.data(), CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fds);
    }
    const UniqueFd process(fds[0]);
    const UniqueFd memory(fds[1]);
    const UniqueFd listener(fds[2]);
    WireHeader header{};
    std::memcpy(&header, packet.data(), sizeof header);
    const std::size_t answer_size = sizeof header + header.notif_size + header.response_size;
    seen_->header = header;
    std::memcpy(seen_->cookie.data(), packet.data() + answer_size,
                std::min(header.cookie_length, seen_->cookie.size() - 1));
    seccomp_notif notif{};
    std::memcpy(&notif, packet.data() + sizeof header, sizeof notif);
    seccomp_notif_resp response{};
    response.id = notif.id;
    response.error = -make(notif, process.get(), memory.get());
    std::memcpy(packet.data() + sizeof header + header.notif_size, &response, sizeof response);
    ++seen_->requests;
    return ::send(peer, packet.data(), answer_size, MSG_NOSIGNAL) > 0;
  }

  // 0, or the errno for whoever asks.
  static int make(const seccomp_notif& notif, int process, int memory) {
    const bool at = notif.data.nr == SYS_mknodat;
    const auto path = notif.data.args[at ? 1 : 0];
    const auto device = static_cast<dev_t>(notif.data.args[at ? 3 : 2]);
    if (device != makedev(1, 3)) return EPERM;
    std::array<char, 256> text{};
    if (::pread(memory, text.data(), text.size() - 1, static_cast<off_t>(path)) <= 0) return EFAULT;
    if (text[0] != '/') return EINVAL;
    const UniqueFd root(::openat(process, "root", O_PATH | O_CLOEXEC));
    return ::mknodat(root.get(), text.data() + 1, S_IFCHR | 0666, device) == 0 ? 0 : errno;
  }
};

class SeccompNotifyTest : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    if (IsSkipped()) return;
    spec.vmid = 2510;
    spec.seccomp.policy =
        "2\ndenylist\n[all]\n"
        "mknod notify [1,0x2000,SCMP_CMP_MASKED_EQ,0xf000]\n"
        "mknodat notify [2,0x2000,SCMP_CMP_MASKED_EQ,0xf000]\n";
    spec.seccomp.notify_proxies = {directory() + "/missing", socket()};
    spec.seccomp.notify_cookie = "2510";
  }
  std::string socket() const { return directory() + "/proxy"; }
};

// Processes that pass notifications on to this test's proxy. They end a moment after the container.
int passing_processes_now(const std::string& socket) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_unsigned(entry.path().filename().string());
    if (!pid || !identify_process(static_cast<pid_t>(*pid))) continue;
    const auto words = read_file_if_exists(AT_FDCWD, entry.path().string() + "/cmdline").value_or("");
    if (words.find("seccomp-proxy") != words.npos && words.find(socket) != words.npos) ++found;
  }
  return found;
}

int passing_processes(const std::string& socket) {
  int found = passing_processes_now(socket);
  for (int i = 0; i < 500 && found != 0; ++i) {
    ::usleep(10000);
    found = passing_processes_now(socket);
  }
  return found;
}

TEST_F(SeccompNotifyTest, OneDeviceIsMadeAndOthersAreRefused) {
  NullMaker proxy(socket());
  // Asked by init itself, before anything else.
  spec.init.argv = {"/bin/sh", "-c", "mknod /tmp/by-init c 1 3; touch /tmp/done; exec sleep 1000"};
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/done"));
  EXPECT_EQ(sh("stat -c '%F %t:%T' /tmp/by-init"), "character special file 1:3");
  EXPECT_EQ(proxy.cookie(), "2510");
  EXPECT_EQ(proxy.header().init_pid, state().init.pid);
  EXPECT_EQ(proxy.header().monitor_pid, state().supervisor.pid);
  EXPECT_EQ(proxy.header().reserved, 0U);
  // And by a program that has joined, whose filter is one of its own.
  EXPECT_EQ(sh("mknod /tmp/joined c 1 3 && stat -c '%t:%T' /tmp/joined"), "1:3");
  EXPECT_THAT(sh("mknod /tmp/disk c 8 0"), HasSubstr("Operation not permitted"));
  // What the policy does not ask about goes its way.
  EXPECT_EQ(sh("mknod /tmp/pipe p && echo done"), "done");
  EXPECT_EQ(proxy.requests(), 3);
  kill();
  EXPECT_EQ(passing_processes(socket()), 0);
}

TEST_F(SeccompNotifyTest, ANewDaemonIsFoundAndNoneMeansNotImplemented) {
  std::optional<NullMaker> proxy;
  proxy.emplace(socket());
  spec.init.argv = {"/bin/sh", "-c",
                    "while true; do while test ! -e /tmp/go; do usleep 5000; done; rm /tmp/go;"
                    " mknod /tmp/node c 1 3 2>/tmp/error; touch /tmp/done; done"};
  start();
  const auto ask = [this] {
    sh("rm -f /tmp/done; touch /tmp/go");
    EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/done"));
  };
  proxy.reset();
  ask();
  EXPECT_THAT(sh("cat /tmp/error"), HasSubstr("Function not implemented"));
  proxy.emplace(socket());
  ask();
  EXPECT_EQ(sh("cat /tmp/error; stat -c '%t:%T' /tmp/node"), "1:3");
}

TEST_F(SeccompNotifyTest, WithoutTheDaemonNothingStarts) {
  EXPECT_THAT(start_error(),
              ::testing::AllOf(HasSubstr("cannot connect to the seccomp proxy"), HasSubstr("ENOENT")));
  EXPECT_EQ(passing_processes(socket()), 0);
}

TEST_F(SeccompNotifyTest, WithoutAnAddressTheCallIsNotImplemented) {
  spec.seccomp.notify_proxies.clear();
  start();
  EXPECT_THAT(sh("mknod /tmp/null c 1 3"), HasSubstr("Function not implemented"));
}

TEST_F(SeccompNotifyTest, AStartThatFailsLeavesNoProcessBehind) {
  NullMaker proxy(socket());
  StartOptions options;
  const auto steps = plan().host.size();
  options.before_step = [steps](std::size_t index) {
    if (index + 1 == steps) throw Error("made to fail");
  };
  EXPECT_THAT(start_error(options), HasSubstr("made to fail"));
  EXPECT_EQ(passing_processes(socket()), 0);
}

}  // namespace
}  // namespace hutch::kernel_test
