#include "cgroupv2/limit_change.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/cpuset.h"
#include "cgroupv2/group_tree.h"

namespace hutch::cgroupv2 {

namespace {

// Against a container that makes processes faster than they are moved.
constexpr int kMaxMoves = 20000;

std::string file_of(const Group& group, const PlacedWrite& write) {
  return formatted("{}/{}/{}", write.hierarchy, group.path(), write.file);
}

std::vector<pid_t> processes_in(const std::string& directory) {
  std::vector<pid_t> pids;
  const std::string text = read_file(AT_FDCWD, directory + "/cgroup.procs");
  for (const auto word : split_blanks(text))
    pids.push_back(static_cast<pid_t>(parse_unsigned(word).value_or(0)));
  std::sort(pids.begin(), pids.end());
  return pids;
}

// Nothing: all are in both.
std::optional<pid_t> process_outside(const Group& group, const std::string& directory) {
  const auto moved = processes_in(directory);
  for (const pid_t pid : processes_below(group.directory())) {
    if (!std::binary_search(moved.begin(), moved.end(), pid)) return pid;
  }
  return std::nullopt;
}

// A process that is not in the group yet may fork a child that is not in it either, but one that is has only
// children that are.
//
// The kernel takes numbers only, and one of a list may be a stranger's when its turn comes: a move takes
// about ten milliseconds, so with many processes the container has time to go through all numbers. That is
// why each one is looked up right before it is written. What is left is less than the time of one move, in
// which somebody would have to make as many processes as there are numbers.
void move_processes(const Group& group, const std::string& directory) {
  for (int move = 0; move < kMaxMoves; ++move) {
    const auto pid = process_outside(group, directory);
    if (!pid) return;
    try {
      write_kernel_file(AT_FDCWD, directory + "/cgroup.procs", std::to_string(*pid));
    } catch (const Error& error) {
      if (error.error_number() != ESRCH) throw;  // it ended meanwhile
    }
  }
  throw Error(formatted("cannot move the container's processes into cgroup '{}'", directory), EAGAIN,
              "something inside makes processes without end");
}

// Makes the group on those v1 hierarchies of the writes where it does not exist.
void join_hierarchies(Group group, const std::vector<PlacedWrite>& writes) {
  std::vector<PlacedWrite> missing;
  std::vector<std::string> hierarchies;
  for (const auto& write : writes) {
    if (write.hierarchy == group.layout().unified) continue;
    if (path_exists(AT_FDCWD, formatted("{}/{}", write.hierarchy, group.path()))) continue;
    // Without its value: a cpuset then gets its parent's CPUs, as it would if it had no limit.
    missing.push_back({write.hierarchy, {}, {}, write.origin});
    hierarchies.push_back(write.hierarchy);
  }
  if (missing.empty()) return;
  group.create_v1(missing);
  std::sort(hierarchies.begin(), hierarchies.end());
  hierarchies.erase(std::unique(hierarchies.begin(), hierarchies.end()), hierarchies.end());
  for (const auto& hierarchy : hierarchies) {
    move_processes(group, formatted("{}/{}", hierarchy, group.path()));
  }
}

std::vector<PlacedWrite> current_values(const Group& group, const std::vector<PlacedWrite>& writes) {
  std::vector<PlacedWrite> values;
  for (const auto& write : writes) {
    // A file that this kernel does not have (memory.swap.max) has nothing to be restored.
    const auto text = read_file_if_exists(AT_FDCWD, file_of(group, write));
    if (text) values.push_back({write.hierarchy, write.file, std::string(trim(*text)), write.origin});
  }
  return values;
}

[[noreturn]] void throw_in_use(const PlacedWrite& write, const Error& cause) {
  throw Error(cause.action(), EBUSY,
              "the container uses more than that and cannot give it back: end programs inside, allow it more "
              "swap, or stop it, set the limit and start it again",
              write.origin);
}

std::uint64_t memory_in_use(const Group& group, const PlacedWrite& limit) {
  const std::string file = formatted("{}/{}/memory.current", limit.hierarchy, group.path());
  const auto bytes = parse_unsigned(trim(read_file(AT_FDCWD, file)));
  if (!bytes) throw Error(formatted("cannot understand '{}'", file));
  return *bytes;
}

// Before memory.max is written on the cgroup2 tree.
void make_room(const Group& group, const PlacedWrite& limit) {
  const auto bytes = parse_limit(trim(limit.value));
  if (!bytes || !bytes->bytes || memory_in_use(group, limit) <= *bytes->bytes) return;
  // Writing memory.high reclaims what is above it before it returns.
  PlacedWrite high{limit.hierarchy, "memory.high", limit.value, limit.origin};
  const auto before = current_values(group, {high});
  const auto current_high = before.empty() ? std::optional(Limit::of(0)) : parse_limit(before.front().value);
  if (!current_high || !current_high->bytes || *current_high->bytes > *bytes->bytes) {
    group.apply({high});
    UndoStack restore;
    restore.push("restore memory.high", [&] { group.apply(before); });
    if (memory_in_use(group, limit) <= *bytes->bytes) return;
  }
  throw_in_use(limit, Error(formatted("cannot write '{}' to '{}'", limit.value, file_of(group, limit))));
}

void apply_one_by_one(const Group& group, const std::vector<PlacedWrite>& writes) {
  for (const auto& write : writes) {
    if (write.file == "memory.max") make_room(group, write);
    group.apply({write});
  }
}

void apply_v1(const Group& group, const std::vector<PlacedWrite>& writes) {
  try {
    group.apply(writes);
  } catch (const Error& error) {
    const auto memory = std::find_if(writes.begin(), writes.end(), [](const PlacedWrite& write) {
      return write.file == "memory.limit_in_bytes" || write.file == "memory.memsw.limit_in_bytes";
    });
    if (error.error_number() != EBUSY || memory == writes.end()) throw;
    throw_in_use(*memory, error);
  }
}

}  // namespace

void change_limits(const Group& group, const std::vector<PlacedWrite>& writes, UndoStack& undo) {
  if (writes.empty()) return;
  join_hierarchies(group, writes);
  undo.push("restore the container's limits",
            [group, before = current_values(group, writes)] { group.apply(before); });
  std::vector<PlacedWrite> unified;
  std::vector<PlacedWrite> v1;
  for (const auto& write : writes)
    (write.hierarchy == group.layout().unified ? unified : v1).push_back(write);
  apply_one_by_one(group, unified);
  apply_v1(group, v1);
}

void change_cpu_count(const Group& group, std::optional<std::uint32_t> count, UndoStack& undo) {
  const Layout& layout = group.layout();
  if (!count && !layout.has_v2("cpuset") && layout.v1_hierarchy("cpuset").empty()) return;
  const CpuList allowed = effective_cpus(layout, group.path().substr(0, group.path().rfind('/')));
  auto writes = place({{"cpuset.cpus", print_cpu_list(allowed), {}}}, layout);
  const bool exists = path_exists(AT_FDCWD, file_of(group, writes.front()));
  // Without a group of its own it has all CPUs.
  if (!exists && !count) return;
  CpuList current = allowed;
  if (exists) {
    const std::string text = read_file(AT_FDCWD, file_of(group, writes.front()));
    if (const auto set = parse_cpu_list(text); !set.empty()) current = set;
  }
  const std::size_t wanted = count ? std::min<std::size_t>(*count, allowed.size()) : allowed.size();
  const CpuList chosen = resize_cpus(current, allowed, wanted);
  if (chosen == current) return;
  writes.front().value = print_cpu_list(chosen);
  change_limits(group, writes, undo);
}

}  // namespace hutch::cgroupv2
