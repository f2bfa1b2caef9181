#include "runtime/link_removal.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/ignoring.h"
#include "netlink/link.h"
#include "netlink/socket.h"

namespace hutch {

namespace {

using Clock = std::chrono::steady_clock;

constexpr timespec kPause{0, 100'000};

// What the process has to say when it could not delete a link.
struct Failure {
  int number = 0;
  char action[240] = {};
};

// Nothing where there is none. Unlike a netlink request this does not wait for the kernel's lock of all
// links, which a deletion holds.
std::optional<int> index_of(int socket, const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(socket, SIOCGIFINDEX, &request) == 0) return request.ifr_ifindex;
  if (errno == ENODEV) return std::nullopt;
  throw_errno(formatted("cannot look for link '{}'", name));
}

// A link leaves sysfs last of all, shortly after its name is free. Not longer than this: the sysfs mounted
// here may show another network namespace's links.
constexpr std::chrono::milliseconds kSysfsTimeout{20};

bool shown_in_sysfs(const std::string& name) {
  return path_exists(AT_FDCWD, "/sys/class/net/" + name);
}

// Nobody may wait for this process: not the readers of our output, not those who want a lock that we hold.
void let_go_of_everything_but(int fd) {
  constexpr int kReports = 3;
  if (fd != kReports) check(::dup2(fd, kReports), "cannot move a descriptor");
  check(::close_range(kReports + 1, ~0U, 0), "cannot close descriptors");
  const UniqueFd null = open_file(AT_FDCWD, "/dev/null", O_RDWR);
  for (int number = 0; number < kReports; ++number) {
    check(::dup2(null.get(), number), "cannot redirect a standard descriptor");
  }
}

[[noreturn]] void tell(int reports, const std::string& action, int number) {
  Failure failure;
  failure.number = number;
  action.copy(failure.action, sizeof failure.action - 1);
  const ssize_t written = ::write(reports, &failure, sizeof failure);
  ::_exit(written == sizeof failure ? 1 : 2);
}

}  // namespace

LinkRemoval::LinkRemoval(const std::vector<std::string>& names) {
  if (names.empty()) return;
  socket_.reset(check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "cannot open a socket"));
  for (const auto& name : names) {
    if (const auto index = index_of(socket_.get(), name)) links_.push_back({name, *index});
  }
  if (links_.empty()) return;
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "cannot create a pipe");
  reports_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  std::fflush(nullptr);
  const pid_t process = check(::fork(), "cannot fork");
  if (process == 0) run_deletion(links_, theirs.get());
}

void LinkRemoval::run_deletion(const std::vector<Link>& links, int reports) {
  ::prctl(PR_SET_NAME, "hutch:links");
  std::string action = "cannot delete links";
  try {
    let_go_of_everything_but(reports);
    reports = 3;
    netlink::Socket socket;
    for (const auto& link : links) {
      action = formatted("cannot delete link '{}'", link.name);
      // ENODEV: it went with the container's network namespace.
      ignoring(ENODEV, [&] { netlink::delete_link(socket, link.index); });
    }
  } catch (const Error& error) {
    tell(reports, action, error.error_number());
  }
  ::_exit(0);
}

bool LinkRemoval::is_there(const Link& link) const {
  return index_of(socket_.get(), link.name) == link.index;
}

void LinkRemoval::wait(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (const auto& link : links_) {
    while (is_there(link)) {
      if (Clock::now() > deadline) throw Error(formatted("cannot delete link '{}'", link.name), ETIMEDOUT);
      await_report(link);
    }
  }
  const auto patience = Clock::now() + kSysfsTimeout;
  for (const auto& link : links_) {
    while (shown_in_sysfs(link.name) && Clock::now() < patience) ::nanosleep(&kPause, nullptr);
  }
  links_.clear();
}

// Pauses for a moment, less when there is news.
void LinkRemoval::await_report(const Link& link) {
  pollfd report{reports_.get(), POLLIN, 0};
  if (::ppoll(&report, 1, &kPause, nullptr) <= 0) return;
  Failure failure;
  const ssize_t count = ::read(reports_.get(), &failure, sizeof failure);
  if (count == sizeof failure) throw Error(failure.action, failure.number);
  // It ended without complaint or was killed. If the link is still there, nobody works on it.
  if (is_there(link)) {
    throw Error(formatted("cannot delete link '{}'", link.name), ECHILD,
                "the process that was to do it is gone");
  }
}

}  // namespace hutch
