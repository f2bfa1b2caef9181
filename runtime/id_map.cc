#include "runtime/id_map.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/raw_syscall.h"
#include "base/syscalls.h"

namespace hutch {

std::string id_map_file(const std::vector<IdRange>& ranges) {
  std::vector<IdRange> sorted = ranges;
  std::sort(sorted.begin(), sorted.end(), [](auto& left, auto& right) { return left.inside < right.inside; });
  std::string text;
  for (const auto& range : sorted) text += formatted("{} {} {}\n", range.inside, range.host, range.count);
  return text;
}

void write_id_maps(pid_t pid, const IdMap& map) {
  const auto write = [pid](const char* file, const std::vector<IdRange>& ranges) {
    if (ranges.empty()) return;
    try {
      write_kernel_file(AT_FDCWD, formatted("/proc/{}/{}", pid, file), id_map_file(ranges));
    } catch (const Error& error) {
      throw Error(formatted("cannot write the container's {}", file), error.error_number(),
                  "check lxc.idmap: EPERM means that this host may not map these ids", ranges.front().origin);
    }
  };
  write("uid_map", map.uids);
  write("gid_map", map.gids);
}

namespace {

// One range of the container's, cut where exceptions begin and end.
void cut(const IdRange& range, std::vector<DiskIdRange> exceptions, std::vector<IdRange>& result) {
  std::sort(exceptions.begin(), exceptions.end(),
            [](auto& left, auto& right) { return left.inside < right.inside; });
  // 64 bits, so that the end of the last range is a number, too.
  const std::uint64_t end = std::uint64_t{range.inside} + range.count;
  std::uint64_t at = range.inside;
  const auto put = [&](std::uint64_t from, std::uint64_t to, std::optional<std::uint64_t> disk) {
    if (from >= to) return;
    const auto host = static_cast<std::uint32_t>(range.host + (from - range.inside));
    result.push_back({disk ? static_cast<std::uint32_t>(*disk) : host, host,
                      static_cast<std::uint32_t>(to - from), range.origin});
  };
  for (const auto& exception : exceptions) {
    const std::uint64_t from = std::max<std::uint64_t>(exception.inside, range.inside);
    const std::uint64_t to = std::min(std::uint64_t{exception.inside} + exception.count, end);
    if (from >= to) continue;
    put(at, from, std::nullopt);
    put(from, to, exception.disk + (from - exception.inside));
    at = to;
  }
  put(at, end, std::nullopt);
}

void check_disk_side(std::vector<IdRange> ranges, const char* kind, const VolumeSpec& volume) {
  std::sort(ranges.begin(), ranges.end(), [](auto& left, auto& right) { return left.inside < right.inside; });
  for (std::size_t at = 1; at < ranges.size(); ++at) {
    const auto& before = ranges[at - 1];
    if (std::uint64_t{before.inside} + before.count <= ranges[at].inside) continue;
    throw Error(formatted("the idmap of {} would make the {} {} on its disk both host id {} and host id {}",
                          volume.key, kind, ranges[at].inside, ranges[at].host,
                          before.host + (ranges[at].inside - before.inside)),
                EINVAL, "choose other ids on disk, or map that id of the container, too", volume.origin);
  }
}

std::vector<IdRange> with_exceptions(const std::vector<IdRange>& ranges, bool group,
                                     const VolumeSpec& volume) {
  std::vector<DiskIdRange> exceptions;
  for (const auto& range : volume.disk_ranges) {
    if (range.group == group) exceptions.push_back(range);
  }
  std::vector<IdRange> result;
  for (const auto& range : ranges) cut(range, exceptions, result);
  check_disk_side(result, group ? "group" : "user", volume);
  return result;
}

std::uint32_t id_on_disk(const std::vector<IdRange>& ranges, std::uint32_t host) {
  for (const auto& range : ranges) {
    if (host >= range.host && host - range.host < range.count) return range.inside + (host - range.host);
  }
  return 0;
}

}  // namespace

IdMap disk_id_map(const IdMap& container, const VolumeSpec& volume) {
  if (volume.disk_ids != DiskIds::ranges) return container;
  return {with_exceptions(container.uids, false, volume), with_exceptions(container.gids, true, volume)};
}

Owner owner_on_disk(const IdMap& disk_map, const Owner& host) {
  return {id_on_disk(disk_map.uids, host.uid), id_on_disk(disk_map.gids, host.gid)};
}

UniqueFd make_id_map_namespace(const IdMap& map) {
  clone_args args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const pid_t starter = ::getpid();
  const pid_t pid = check(sys::clone3(args), "cannot create a user namespace");
  if (pid == 0) {
    // Only holds the namespace until the host has opened it: neither the host's locks and sockets nor its
    // life.
    sys::raw(SYS_close_range, 0, ~0U, 0);
    sys::raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (sys::raw(SYS_getppid) != starter) sys::raw(SYS_exit_group, 1);
    for (;;) sys::raw(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
  }
  UniqueFd descriptor;
  try {
    write_id_maps(pid, map);
    descriptor = open_file(AT_FDCWD, formatted("/proc/{}/ns/user", pid), O_RDONLY);
  } catch (...) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw;
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return descriptor;
}

}  // namespace hutch
