#include "cgroupv2/group_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cgroupv2 {

namespace {

struct CloseDir {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

constexpr int kGroupFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

std::vector<std::string> child_groups(int group_fd) {
  // A descriptor of its own: fdopendir(3) takes it over.
  auto fd = open_if_exists(group_fd, ".", kGroupFlags);
  if (!fd) return {};  // removed meanwhile
  const std::unique_ptr<DIR, CloseDir> directory(::fdopendir(fd->get()));
  if (!directory) throw_errno("cannot list a cgroup");
  fd->release();  // owned by `directory` now
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw_errno("cannot list a cgroup");
  return names;
}

// rmdir(2) answers EBUSY for a group with children as for one with processes.
bool remove_directory(int parent_fd, const std::string& name) {
  if (::unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno == EBUSY || errno == ENOTEMPTY) return false;
  throw_errno(formatted("cannot remove cgroup '{}'", name));
}

// The groups directly below that cannot be removed as they are.
std::vector<std::string> remove_children(int group_fd) {
  std::vector<std::string> kept;
  for (auto& name : child_groups(group_fd)) {
    if (!remove_directory(group_fd, name)) kept.push_back(std::move(name));
  }
  return kept;
}

void append_processes(int group_fd, std::vector<pid_t>& pids) {
  const auto fd = open_if_exists(group_fd, "cgroup.procs", O_RDONLY);
  if (!fd) return;
  std::string text;
  try {
    text = read_fd(fd->get(), "cgroup.procs");
  } catch (const Error& error) {
    // The group was removed meanwhile; or it is threaded, and its processes are listed by the domain above.
    if (error.error_number() == ENODEV || error.error_number() == EOPNOTSUPP) return;
    throw;
  }
  for (const auto word : split_blanks(text)) {
    const auto pid = parse_unsigned(word);
    if (!pid) throw Error(formatted("cannot read cgroup.procs: '{}' is not a process id", word));
    if (*pid != 0) pids.push_back(static_cast<pid_t>(*pid));
  }
}

}  // namespace

bool remove_group_tree(const std::string& directory) {
  if (remove_directory(AT_FDCWD, directory)) return true;
  auto group = open_if_exists(AT_FDCWD, directory, kGroupFlags);
  if (!group) return true;
  // The names from `directory` down to the open group, each with its siblings that are still to be visited.
  std::vector<std::vector<std::string>> path;
  path.push_back(remove_children(group->get()));
  for (;;) {
    if (!path.back().empty()) {
      auto child = open_if_exists(group->get(), path.back().back(), kGroupFlags);
      if (!child) {
        path.back().pop_back();
        continue;
      }
      group = std::move(child);
      path.push_back(remove_children(group->get()));
      continue;
    }
    path.pop_back();
    if (path.empty()) return remove_directory(AT_FDCWD, directory);
    group = open_file(group->get(), "..", O_RDONLY | O_DIRECTORY);
    if (!remove_directory(group->get(), path.back().back())) return false;
    path.back().pop_back();
  }
}

std::vector<pid_t> processes_below(const std::string& directory) {
  std::vector<pid_t> pids;
  auto group = open_if_exists(AT_FDCWD, directory, kGroupFlags);
  if (!group) return pids;
  append_processes(group->get(), pids);
  std::vector<std::vector<std::string>> path;
  path.push_back(child_groups(group->get()));
  while (!path.empty()) {
    if (path.back().empty()) {
      path.pop_back();
      if (!path.empty()) group = open_file(group->get(), "..", O_RDONLY | O_DIRECTORY);
      continue;
    }
    const std::string name = std::move(path.back().back());
    path.back().pop_back();
    auto child = open_if_exists(group->get(), name, kGroupFlags);
    if (!child) continue;
    group = std::move(child);
    append_processes(group->get(), pids);
    path.push_back(child_groups(group->get()));
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

}  // namespace hutch::cgroupv2
