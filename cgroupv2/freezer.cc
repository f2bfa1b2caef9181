#include "cgroupv2/freezer.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/group_tree.h"

namespace hutch::cgroupv2 {

namespace {

using Clock = std::chrono::steady_clock;

// The group's cgroup.events. Every read starts at the beginning; poll(2) wakes up on a change since the last
// read.
class Events {
 public:
  explicit Events(UniqueFd fd) : fd_(std::move(fd)) {}

  // Nothing when the group is gone (ENODEV).
  std::optional<bool> read(std::string_view key) const {
    char buffer[256];
    const ssize_t count = ::pread(fd_.get(), buffer, sizeof buffer, 0);
    if (count < 0 && errno == ENODEV) return std::nullopt;
    check(count, "cannot read cgroup.events");
    for (const auto line : split(std::string_view(buffer, static_cast<std::size_t>(count)), '\n')) {
      if (line.size() == key.size() + 2 && line.substr(0, key.size()) == key) return line.back() == '1';
    }
    throw Error(formatted("cannot read '{}' from cgroup.events", key), 0, "Hutch needs Linux 5.14 or newer");
  }

  // Whether `key` became `wanted` before the timeout; nothing when the group is gone.
  std::optional<bool> wait(std::string_view key, bool wanted, std::chrono::milliseconds timeout) const {
    using std::chrono::milliseconds;
    const auto deadline = Clock::now() + timeout;
    // The kernel notifies at most once in 10 ms per file (kernel/cgroup/cgroup.c, cgroup_file_notify), but a
    // read always tells the present state: looking by ourselves in between is faster.
    for (milliseconds pause(1);; pause = std::min(2 * pause, milliseconds(50))) {
      const auto value = read(key);
      if (!value) return std::nullopt;
      if (*value == wanted) return true;
      const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
      if (left <= milliseconds(0)) return false;
      pollfd change{fd_.get(), POLLPRI, 0};
      if (::poll(&change, 1, static_cast<int>(std::min(left, pause).count())) < 0 && errno != EINTR) {
        throw_errno("cannot wait for cgroup.events");
      }
    }
  }

 private:
  UniqueFd fd_;
};

std::optional<Events> open_events(const std::string& directory) {
  auto fd = open_if_exists(AT_FDCWD, directory + "/cgroup.events", O_RDONLY);
  if (!fd) return std::nullopt;
  return Events(std::move(*fd));
}

}  // namespace

void freeze(const std::string& directory, std::chrono::milliseconds timeout) {
  const Events events(open_file(AT_FDCWD, directory + "/cgroup.events", O_RDONLY));
  write_kernel_file(AT_FDCWD, directory + "/cgroup.freeze", "1");
  const auto done = events.wait("frozen", true, timeout);
  if (done.value_or(false)) return;
  if (!done)
    throw Error(formatted("cannot freeze cgroup '{}'", directory), ENODEV, "it was removed meanwhile");
  thaw(directory);
  throw Error(formatted("cannot freeze cgroup '{}' within {} ms", directory, timeout.count()), ETIMEDOUT,
              "a process in it waits uninterruptibly in the kernel (state D in ps)");
}

void thaw(const std::string& directory) {
  write_kernel_file(AT_FDCWD, directory + "/cgroup.freeze", "0");
}

bool frozen(const std::string& directory) {
  const Events events(open_file(AT_FDCWD, directory + "/cgroup.events", O_RDONLY));
  const auto value = events.read("frozen");
  if (!value) throw Error(formatted("cannot read the state of cgroup '{}'", directory), ENODEV);
  return *value;
}

void kill_all(const std::string& directory) {
  try {
    write_kernel_file(AT_FDCWD, directory + "/cgroup.kill", "1");
  } catch (const Error& error) {
    const bool gone = error.error_number() == ENOENT || error.error_number() == ENODEV;
    if (!gone) throw;
    if (path_exists(AT_FDCWD, directory)) throw error.with_hint("cgroup.kill needs Linux 5.14 or newer");
  }
}

bool populated(const std::string& directory) {
  const auto events = open_events(directory);
  return events && events->read("populated").value_or(false);
}

bool wait_empty(const std::string& directory, std::chrono::milliseconds timeout) {
  const auto events = open_events(directory);
  return !events || events->wait("populated", false, timeout).value_or(true);
}

std::vector<pid_t> processes(const std::string& directory) {
  return processes_below(directory);
}

}  // namespace hutch::cgroupv2
