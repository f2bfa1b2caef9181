#include "runtime/seccomp_proxy.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/fd_passing.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "runtime/self_exec.h"

namespace hutch {

namespace {

constexpr int kTimeout = 30;  // seconds, in either direction
constexpr int kDefaultAnswer = ENOSYS;

// What stands before every packet, in either direction:
//   request  header, the kernel's notification, an empty response, cookie; with it the descriptors of
//            /proc/<pid>, /proc/<pid>/mem, and the listener
//   answer   header, the notification, the response
// The kernel's structures have the sizes that the header names.
struct Header {
  std::uint64_t reserved = 0;
  std::int32_t monitor_pid = 0;
  std::int32_t init_pid = 0;
  seccomp_notif_sizes sizes{};
  std::uint64_t cookie_length = 0;
};
static_assert(sizeof(Header) == 32);

// -1 with errno, as connect(2).
int try_connect(int socket, const std::string& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address.empty() || address.size() >= sizeof name.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  address.copy(name.sun_path, sizeof name.sun_path - 1);
  std::size_t size = offsetof(sockaddr_un, sun_path) + address.size();
  if (address.front() == '@') {
    name.sun_path[0] = '\0';  // an abstract name ends where the address does
  } else {
    ++size;
  }
  return ::connect(socket, reinterpret_cast<const sockaddr*>(&name), static_cast<socklen_t>(size));
}

class Proxy {
 public:
  Proxy(UniqueFd listener, UniqueFd socket, UniqueFd init, Header header, std::string cookie,
        std::vector<std::string> addresses)
      : listener_(std::move(listener)),
        socket_(std::move(socket)),
        init_(std::move(init)),
        header_(header),
        cookie_(std::move(cookie)),
        addresses_(std::move(addresses)) {
    check(::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &header_.sizes),
          "cannot ask for the sizes of seccomp notifications");
    header_.cookie_length = cookie_.size();
    packet_.resize(sizeof header_ + header_.sizes.seccomp_notif + header_.sizes.seccomp_notif_resp);
  }

  void run() {
    for (;;) {
      pollfd fds[] = {{listener_.get(), POLLIN, 0}, {init_.get(), POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0) {
        if (errno == EINTR) continue;
        throw_errno("cannot wait for seccomp notifications");
      }
      if (fds[1].revents != 0) return;
      if ((fds[0].revents & POLLIN) != 0) {
        handle();
      } else if (fds[0].revents != 0) {
        return;  // POLLHUP: the last process with the filter is gone
      }
    }
  }

 private:
  UniqueFd listener_;
  UniqueFd socket_;
  UniqueFd init_;
  Header header_;
  std::string cookie_;
  std::vector<std::string> addresses_;
  std::vector<std::byte> packet_;

  std::byte* notification() { return packet_.data() + sizeof header_; }
  std::byte* response() { return notification() + header_.sizes.seccomp_notif; }

  void handle() {
    std::fill(packet_.begin(), packet_.end(), std::byte{});
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, notification()) < 0) {
      // ENOENT: whoever asked was killed meanwhile.
      if (errno == ENOENT || errno == EINTR) return;
      throw_errno("cannot receive a seccomp notification");
    }
    seccomp_notif notif{};
    std::memcpy(&notif, notification(), sizeof notif);
    try {
      if (!ask(notif)) return;
    } catch (const Error&) {
      // Whatever went wrong, somebody waits for an answer, and gets the one of a kernel without the call.
      answer_by_default(notif.id);
    }
    if (send()) return;
    // An answer that the kernel does not take, such as flags it does not know: whoever asked still waits.
    answer_by_default(notif.id);
    if (!send()) throw_errno("cannot answer a seccomp notification");
  }

  // False for an answer that the kernel does not take (EINVAL).
  bool send() {
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, response()) == 0) return true;
    // ENOENT again; EINPROGRESS: it has its answer.
    if (errno == ENOENT || errno == EINPROGRESS) return true;
    if (errno == EINVAL) return false;
    throw_errno("cannot answer a seccomp notification");
  }

  void answer_by_default(std::uint64_t id) {
    seccomp_notif_resp resp{};
    resp.id = id;
    resp.error = -kDefaultAnswer;
    std::fill(response(), response() + header_.sizes.seccomp_notif_resp, std::byte{});
    std::memcpy(response(), &resp, sizeof resp);
  }

  // False when nobody waits for an answer any more. Throws when there is no good one.
  bool ask(const seccomp_notif& notif) {
    const UniqueFd process = open_file(AT_FDCWD, formatted("/proc/{}", notif.pid), O_RDONLY | O_DIRECTORY);
    const UniqueFd memory = open_file(process.get(), "mem", O_RDWR);
    // Only now it is sure that the number was still that of the process that asks.
    std::uint64_t id = notif.id;
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0) return false;
    const std::array<int, 3> fds = {process.get(), memory.get(), listener_.get()};
    try {
      exchange(notif, fds);
    } catch (const Error&) {
      // The daemon may have been started anew.
      socket_ = connect_seccomp_proxy(addresses_);
      exchange(notif, fds);
    }
    return true;
  }

  void exchange(const seccomp_notif& notif, std::span<const int> fds) {
    if (!socket_) throw Error("not connected to the seccomp proxy", ENOTCONN);
    std::vector<std::byte> request(packet_.size() + cookie_.size());
    std::memcpy(request.data(), &header_, sizeof header_);
    std::memcpy(request.data() + sizeof header_, notification(), header_.sizes.seccomp_notif);
    std::memcpy(request.data() + packet_.size(), cookie_.data(), cookie_.size());
    send_with_fds(socket_.get(), request.data(), request.size(), fds);
    // As large as the request: a proxy may send the cookie back, too.
    std::vector<std::byte> answer(request.size());
    const ssize_t size = check(::recv(socket_.get(), answer.data(), answer.size(), 0),
                               "cannot receive the seccomp proxy's answer");
    seccomp_notif_resp resp{};
    Header header;
    if (static_cast<std::size_t>(size) < packet_.size()) {
      socket_.reset();
      throw Error("a malformed answer from the seccomp proxy", EPROTO);
    }
    std::memcpy(&header, answer.data(), sizeof header);
    const std::byte* place = answer.data() + sizeof header + header_.sizes.seccomp_notif;
    std::memcpy(&resp, place, sizeof resp);
    if (header.reserved != 0 || resp.id != notif.id) {
      socket_.reset();
      throw Error("a malformed answer from the seccomp proxy", EPROTO);
    }
    std::memcpy(response(), place, header_.sizes.seccomp_notif_resp);
  }
};

std::vector<std::string> command_of(const SeccompProxySetup& setup) {
  std::vector<std::string> command = {"pct", kSeccompProxy};
  for (const int number : {setup.listener, setup.socket, setup.init_pidfd, setup.supervisor, setup.init}) {
    command.push_back(std::to_string(number));
  }
  command.push_back(setup.cookie);
  command.insert(command.end(), setup.addresses.begin(), setup.addresses.end());
  return command;
}

// In the forked process; gives the errno of what failed.
int exec_proxy(const SeccompProxySetup& setup, char* const* argv) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return errno;
  for (int number = 0; number < 3; ++number) {
    if (::dup2(null, number) < 0) return errno;
  }
  for (const int fd : {setup.listener, setup.socket, setup.init_pidfd}) {
    if (fd >= 0 && ::fcntl(fd, F_SETFD, 0) < 0) return errno;
  }
  // Not in the start's private mount namespace, which is to vanish with the container.
  if (setup.mounts >= 0 && ::setns(setup.mounts, CLONE_NEWNS) < 0) return errno;
  if (::setsid() < 0) return errno;
  // A start with hooks has some blocked.
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) < 0) return errno;
  ::execv("/proc/self/exe", argv);
  return errno;
}

int number_of(const std::string& word) {
  const auto number = parse_signed(word);
  if (!number || *number < -1 || *number > INT32_MAX) {
    throw Error(formatted("'{}' gets its descriptors from a start", kSeccompProxy), EINVAL);
  }
  return static_cast<int>(*number);
}

UniqueFd descriptor(const std::string& word) {
  const int fd = number_of(word);
  if (fd >= 0) check(::fcntl(fd, F_SETFD, FD_CLOEXEC), "cannot use a descriptor");
  return UniqueFd(fd);
}

}  // namespace

UniqueFd connect_seccomp_proxy(const std::vector<std::string>& addresses) {
  int error = ENOENT;
  for (const auto& address : addresses) {
    UniqueFd socket(check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "cannot create a socket"));
    const timeval timeout{kTimeout, 0};
    for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO}) {
      check(::setsockopt(socket.get(), SOL_SOCKET, direction, &timeout, sizeof timeout),
            "cannot set a socket's timeout");
    }
    if (try_connect(socket.get(), address) == 0) return socket;
    error = errno;
    if (error != ENOENT) break;
  }
  throw Error(formatted("cannot connect to the seccomp proxy {}", join(addresses, ", else ")), error,
              "start the daemon that listens there, or remove what asks it (the feature mknod, "
              "lxc.seccomp.notify.proxy)");
}

UniqueFd start_seccomp_proxy(const SeccompProxySetup& setup) {
  const auto command = command_of(setup);
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid =
      start_self("cannot start the seccomp proxy's process", [&] { return exec_proxy(setup, argv.data()); });
  return UniqueFd(check(sys::pidfd_open(pid, 0), "cannot open the seccomp proxy's process"));
}

int run_seccomp_proxy(const std::vector<std::string>& words) {
  constexpr std::size_t kNumbers = 5;
  if (words.size() < kNumbers + 2) throw Error(formatted("'{}' is not for people", kSeccompProxy), EINVAL);
  Header header;
  UniqueFd listener = descriptor(words[0]);
  UniqueFd socket = descriptor(words[1]);
  UniqueFd init = descriptor(words[2]);
  header.monitor_pid = number_of(words[3]);
  header.init_pid = number_of(words[4]);
  ::prctl(PR_SET_NAME, "hutch-seccomp");
  ::signal(SIGPIPE, SIG_IGN);
  Proxy(std::move(listener), std::move(socket), std::move(init), header, words[kNumbers],
        {words.begin() + kNumbers + 1, words.end()})
      .run();
  return 0;
}

}  // namespace hutch
