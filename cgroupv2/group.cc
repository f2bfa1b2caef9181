#include "cgroupv2/group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/undo.h"
#include "cgroupv2/freezer.h"
#include "cgroupv2/group_tree.h"

namespace hutch::cgroupv2 {

namespace {

using Clock = std::chrono::steady_clock;

// Enabled for every container where the cgroup2 tree has them: `pct status` reads what they count, and the
// container may pass them on to its own groups.
constexpr std::array<const char*, 5> kStandardControllers = {"cpu", "cpuset", "io", "memory", "pids"};

// How often a shared parent that vanishes between two calls is made anew; each time takes another container's
// cleanup to hit the same few microseconds.
constexpr int kAttempts = 1000;

// "a/b/c" -> "a", "a/b".
std::vector<std::string> parents(const std::string& path) {
  std::vector<std::string> result;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    result.push_back(path.substr(0, slash));
  }
  return result;
}

std::string creation_hint(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM: return "run as root, outside of any container without a delegated cgroup";
    case EROFS: return "the cgroup file system is mounted read-only: mount -o remount,rw";
    case EAGAIN: return "a parent's cgroup.max.depth or cgroup.max.descendants is reached";
    default: return {};
  }
}

// Takes the empty parents of `path` away; someone else's group in them keeps them.
void remove_parents(const std::string& hierarchy, const std::string& path) {
  auto names = parents(path);
  std::reverse(names.begin(), names.end());
  for (const auto& name : names) {
    const std::string directory = hierarchy + "/" + name;
    if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) continue;
    if (errno == EBUSY || errno == ENOTEMPTY) return;
    throw_errno(formatted("cannot remove cgroup '{}'", directory));
  }
}

[[noreturn]] void refuse_busy(const std::string& directory, const std::string& action) {
  const auto pids = processes(directory);
  const std::string owner =
      pids.empty() ? "a process of another pid namespace" : formatted("pid {}", pids.front());
  throw Error(formatted("cannot {} cgroup '{}': already in use by {}", action, directory, owner), EBUSY,
              "stop the container that it belongs to, or end that process");
}

std::string enable_hint(int error_number, const std::string& directory) {
  switch (error_number) {
    case EACCES:
    case EPERM: return "run as root; inside a container the cgroup must be delegated";
    case EROFS: return "the cgroup file system is mounted read-only: mount -o remount,rw";
    case EBUSY:
      return formatted("processes sit directly in '{0}': move them into a child of it (see {0}/cgroup.procs)",
                       directory);
    case ENOENT: return "the parent does not pass the controller on, or a v1 hierarchy holds it";
    case EINVAL:
      return "with CONFIG_RT_GROUP_SCHED the cpu controller needs all realtime processes in the root group";
    case EOPNOTSUPP: return "the group is threaded (cgroup.type); use another parent";
    default: return {};
  }
}

std::string write_hint(const PlacedWrite& write, int error_number) {
  switch (error_number) {
    case ENOENT: return "this kernel does not have the file: too old, or built or booted without the feature";
    case EINVAL: return "the kernel does not take this value for this file";
    case ERANGE: return "the value is out of the file's range";
    case EACCES:
    case EPERM: return "run as root";
    case EBUSY:
      return write.file.starts_with("memory.")
                 ? "the container uses more than that now and cannot give it back"
                 : std::string();
    case ENODEV: return "no such device, or the group was removed meanwhile";
    default: return {};
  }
}

void move_myself(const Anchor& anchor, const std::string& file) {
  try {
    anchor.write(file, "0");
  } catch (const Error& error) {
    const int number = error.error_number();
    throw error.with_hint(number == EINVAL ? "a realtime process cannot enter a group without realtime budget"
                          : number == ENOSPC ? "the group's cpuset is empty"
                                             : "");
  }
}

// Whether the group was there. Waits for processes that are about to be gone until `deadline`.
bool remove_on(const std::string& hierarchy, const std::string& path, Clock::time_point deadline) {
  const std::string directory = hierarchy + "/" + path;
  if (::rmdir(directory.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  while (!remove_group_tree(directory)) {
    if (Clock::now() >= deadline) refuse_busy(directory, "remove");
    // v1 has no event for this. The cgroup2 group was waited for before, and a process leaves all trees at
    // once when it exits, so a turn of this loop is rare.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void remove_with_parents(const std::string& hierarchy, const std::string& path, Clock::time_point deadline) {
  if (remove_on(hierarchy, path, deadline)) remove_parents(hierarchy, path);
}

}  // namespace

bool is_group_path(std::string_view path) {
  const auto parts = split(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.empty() || part == "." || part == ".." || part.find('\n') != std::string_view::npos ||
           part.find('\0') != std::string_view::npos;
  });
}

Group::Group(Layout layout, std::string path, std::string inner)
    : layout_(std::move(layout)),
      anchor_(std::make_shared<const Anchor>(layout_.root())),
      path_(std::move(path)),
      inner_(std::move(inner)) {
  if (!is_group_path(path_)) {
    throw Error(formatted("'{}' is not a cgroup path", path_), EINVAL,
                "use a relative path without '.' and '..'");
  }
  if (!is_group_path(inner_) || inner_.find('/') != std::string::npos) {
    throw Error(formatted("'{}' is not a cgroup name", inner_), EINVAL,
                "use one name without '/', '.' and '..'");
  }
  directory_ = layout_.unified + "/" + path_;
  inner_directory_ = directory_ + "/" + inner_;
}

void Group::make_parents(const std::string& hierarchy) {
  parents_fresh_ = true;
  for (const auto& parent : parents(path_)) {
    const std::string directory = hierarchy + "/" + parent;
    if (anchor_->make_directory(directory, 0755)) continue;
    parents_fresh_ = false;
    // ENOENT: the parent's parent was removed again meanwhile; whoever asked tries again.
    if (errno == EEXIST || errno == ENOENT) continue;
    throw_errno(formatted("cannot create cgroup '{}'", directory), creation_hint(errno));
  }
}

bool Group::make_directory(const std::string& hierarchy) {
  const std::string directory = hierarchy + "/" + path_;
  parents_fresh_ = false;
  // Where one hierarchy has no parents, the others have none either, as a rule.
  if (parents_missing_) make_parents(hierarchy);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (anchor_->make_directory(directory, 0755)) return true;
    if (errno == EEXIST) return false;
    if (errno != ENOENT) break;
    parents_missing_ = true;
    make_parents(hierarchy);
  }
  const int saved = errno;
  remove_parents(hierarchy, path_);
  throw Error(formatted("cannot create cgroup '{}'", directory), saved, creation_hint(saved));
}

void Group::make_fresh(const std::string& hierarchy) {
  const std::string directory = hierarchy + "/" + path_;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (make_directory(hierarchy)) return;
    // Processes of another pid namespace are counted, but not listed.
    const bool alive = populated(directory) || !processes(directory).empty();
    if (alive || !remove_group_tree(directory)) refuse_busy(directory, "create");
  }
  throw Error(formatted("cannot create cgroup '{}'", directory), EEXIST, "another program keeps making it");
}

// Adds what is missing to the directory's cgroup.subtree_control. Read first: a host may have the controllers
// enabled where we may not write, and reading takes no lock.
void Group::enable_controllers(const std::string& directory, const std::vector<std::string>& wanted) const {
  const std::string file = directory + "/cgroup.subtree_control";
  const std::string text = anchor_->read(file);
  const auto enabled = split_blanks(text);
  std::string change;
  for (const auto& controller : wanted) {
    if (std::find(enabled.begin(), enabled.end(), controller) != enabled.end()) continue;
    change += (change.empty() ? "+" : " +") + controller;
  }
  if (change.empty()) return;
  try {
    anchor_->write(file, change);
  } catch (const Error& error) {
    throw error.with_hint(enable_hint(error.error_number(), directory));
  }
}

// A v1 cpuset takes no process before both lists are set (cpusets.rst 2.1), and no list that its parent does
// not have. Fills the list of each parent of `path` and returns the last one's.
std::string Group::fill_cpuset_parents(const std::string& hierarchy, const char* file) const {
  const auto list_of = [&](const std::string& directory) {
    return std::string(trim(anchor_->read(directory + file)));
  };
  std::string above = hierarchy;
  std::string list;  // of `above`; empty: not read yet
  for (const auto& parent : parents(path_)) {
    const std::string directory = hierarchy + "/" + parent;
    // Another container's start may have filled it, or an administrator.
    std::string own = parents_fresh_ ? std::string() : list_of(directory);
    if (own.empty()) {
      own = list.empty() ? list_of(above) : list;
      anchor_->write(directory + file, own);
    }
    list = own;
    above = directory;
  }
  return list.empty() ? list_of(above) : list;
}

void Group::write_limit(const PlacedWrite& write) const {
  const std::string directory = write.hierarchy + "/" + path_;
  try {
    anchor_->write(directory + "/" + write.file, write.value);
  } catch (const Error& error) {
    // Without the file there is no limit either, which is what "max" asks for.
    if (error.error_number() == ENOENT && write.value == "max" && anchor_->exists(directory)) return;
    throw error.with_origin(write.origin).with_hint(write_hint(write, error.error_number()));
  }
}

void Group::make_unified(const std::vector<PlacedWrite>& writes) {
  std::vector<std::string> controllers;
  for (const char* name : kStandardControllers) {
    if (layout_.has_v2(name)) controllers.emplace_back(name);
  }
  for (const auto& write : writes) {
    const std::string controller = write.file.substr(0, write.file.find('.'));
    if (write.hierarchy != layout_.unified || controller == "cgroup") continue;
    if (std::find(controllers.begin(), controllers.end(), controller) == controllers.end()) {
      controllers.push_back(controller);
    }
  }
  if (!controllers.empty()) {
    enable_controllers(layout_.unified, controllers);
    for (const auto& parent : parents(path_)) enable_controllers(layout_.unified + "/" + parent, controllers);
    enable_controllers(directory_, controllers);
  }
  if (!anchor_->make_directory(inner_directory_, 0755)) {
    throw_errno(formatted("cannot create cgroup '{}'", inner_directory_));
  }
}

void Group::make_v1(const std::string& hierarchy, const std::vector<PlacedWrite>& writes) {
  if (hierarchy != layout_.v1_hierarchy("cpuset")) return;
  const bool cpus_follow = std::any_of(writes.begin(), writes.end(), [&hierarchy](const PlacedWrite& write) {
    return write.hierarchy == hierarchy && write.file == "cpuset.cpus";
  });
  for (const char* file : {"/cpuset.mems", "/cpuset.cpus"}) {
    const std::string inherited = fill_cpuset_parents(hierarchy, file);
    if (cpus_follow && file == std::string_view("/cpuset.cpus")) continue;
    anchor_->write(hierarchy + "/" + path_ + file, inherited);
  }
}

void Group::make(const std::string& hierarchy, UndoStack& undo) {
  make_fresh(hierarchy);
  undo.push(formatted("remove cgroup '{}/{}'", hierarchy, path_),
            [this, hierarchy] { remove_with_parents(hierarchy, path_, Clock::now()); });
}

void Group::create_unified(const std::vector<PlacedWrite>& writes) {
  UndoStack undo;
  make(layout_.unified, undo);
  make_unified(writes);
  undo.dismiss();
}

void Group::create_v1(const std::vector<PlacedWrite>& writes) {
  UndoStack undo;
  std::vector<std::string> hierarchies;
  for (const auto& write : writes) {
    if (write.hierarchy == layout_.unified) continue;
    if (std::find(hierarchies.begin(), hierarchies.end(), write.hierarchy) == hierarchies.end()) {
      hierarchies.push_back(write.hierarchy);
    }
  }
  for (const auto& hierarchy : hierarchies) {
    make(hierarchy, undo);
    make_v1(hierarchy, writes);
  }
  undo.dismiss();
}

void Group::create(const std::vector<PlacedWrite>& writes) {
  create_unified(writes);
  UndoStack undo;
  undo.push("remove the cgroup2 group",
            [this] { remove_with_parents(layout_.unified, path_, Clock::now()); });
  create_v1(writes);
  undo.dismiss();
}

void Group::apply(const std::vector<PlacedWrite>& writes) const {
  std::size_t done_early = writes.size();
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (i == done_early) continue;
    try {
      write_limit(writes[i]);
    } catch (const Error& error) {
      if (error.error_number() != EINVAL || writes[i].file != "memory.limit_in_bytes") throw;
      // The limit may never exceed the one on memory plus swap: when both grow, that one goes first.
      const auto pair =
          std::find_if(writes.begin() + static_cast<std::ptrdiff_t>(i), writes.end(),
                       [](const PlacedWrite& write) { return write.file == "memory.memsw.limit_in_bytes"; });
      if (pair == writes.end()) throw;
      write_limit(*pair);
      write_limit(writes[i]);
      done_early = static_cast<std::size_t>(pair - writes.begin());
    }
  }
}

UniqueFd Group::open_tasks(const std::string& hierarchy) const {
  return anchor_->open(hierarchy + "/" + path_ + "/tasks", O_WRONLY);
}

void Group::join_existing() const {
  for (const auto& hierarchy : layout_.v1_hierarchies()) {
    const std::string directory = hierarchy + "/" + path_;
    if (anchor_->exists(directory)) move_myself(*anchor_, directory + "/tasks");
  }
}

UniqueFd Group::open_inner() const {
  return anchor_->open(inner_directory_, O_RDONLY | O_DIRECTORY);
}

UniqueFd Group::open_limits() const {
  return anchor_->open(directory_, O_RDONLY | O_DIRECTORY);
}

void Group::delegate(gid_t gid) const {
  constexpr uid_t kKeepOwner = static_cast<uid_t>(-1);
  const UniqueFd inner = open_inner();
  const std::string what = formatted("cannot hand cgroup '{}' to group {}", inner_directory_, gid);
  check(::fchown(inner.get(), kKeepOwner, gid), what);
  check(::fchmod(inner.get(), 0775), what);
  // Kernels before 4.15 do not say what may be delegated.
  const std::string listed = read_file_if_exists(AT_FDCWD, "/sys/kernel/cgroup/delegate")
                                 .value_or("cgroup.threads\ncgroup.subtree_control\nmemory.oom.group\n");
  auto files = split_blanks(listed);
  if (std::find(files.begin(), files.end(), "cgroup.procs") == files.end())
    files.emplace_back("cgroup.procs");
  for (const auto name : files) {
    const std::string file(name);
    // The list names files of controllers that this group does not have.
    if (::fchownat(inner.get(), file.c_str(), kKeepOwner, gid, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT) continue;
      throw_errno(formatted("{}: file '{}'", what, file));
    }
    check(::fchmodat(inner.get(), file.c_str(), 0664, 0), what);
  }
}

void Group::remove(std::chrono::milliseconds timeout) const {
  const auto deadline = Clock::now() + timeout;
  // The usual end: no processes, nothing below the inner group.
  if (::rmdir(inner_directory_.c_str()) < 0 && errno == EBUSY) wait_empty(directory_, timeout);
  remove_with_parents(layout_.unified, path_, deadline);
  for (const auto& hierarchy : layout_.v1_hierarchies()) remove_with_parents(hierarchy, path_, deadline);
}

void remove_empty_group(const std::string& hierarchy, const std::string& path) {
  remove_parents(hierarchy, path + "/below");
}

}  // namespace hutch::cgroupv2
