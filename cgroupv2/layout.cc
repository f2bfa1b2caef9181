#include "cgroupv2/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cgroupv2 {

namespace {

// Controllers with a v1 interface (Documentation/admin-guide/cgroup-v1). A directory of the cgroup root that
// is named otherwise ("systemd", "openrc") is a named hierarchy without controllers, or no hierarchy.
constexpr std::array<std::string_view, 15> kV1Controllers = {
    "blkio",  "cpu",  "cpuacct", "cpuset",   "debug",      "devices", "freezer", "hugetlb",
    "memory", "misc", "net_cls", "net_prio", "perf_event", "pids",    "rdma"};

// statfs(2)'s f_type; 0 when the path does not exist.
long file_system_magic(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) == 0) return static_cast<long>(status.f_type);
  if (errno == ENOENT || errno == ENOTDIR) return 0;
  throw_errno(formatted("cannot look at the file system of '{}'", path));
}

struct CloseDir {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Names of the directories in `path`. Symlinks ("cpu" -> "cpu,cpuacct") are left out: the directory they name
// lists its controllers itself.
std::vector<std::string> directories(const std::string& path) {
  UniqueFd fd = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, CloseDir> directory(::fdopendir(fd.get()));
  if (!directory) throw_errno(formatted("cannot list '{}'", path));
  fd.release();  // owned by `directory` now
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) names.emplace_back(entry->d_name);
  }
  if (errno != 0) throw_errno(formatted("cannot list '{}'", path));
  return names;
}

void find_v1(const std::string& cgroup_root, Layout& layout) {
  for (const auto& name : directories(cgroup_root)) {
    std::vector<std::string_view> controllers;
    for (const auto part : split(name, ',')) {
      if (std::find(kV1Controllers.begin(), kV1Controllers.end(), part) != kV1Controllers.end()) {
        controllers.push_back(part);
      }
    }
    const std::string path = cgroup_root + "/" + name;
    if (controllers.empty() || file_system_magic(path) != CGROUP_SUPER_MAGIC) continue;
    for (const auto controller : controllers) layout.v1.emplace(controller, path);
  }
  const std::string memory = layout.v1_hierarchy("memory");
  if (memory.empty()) return;
  layout.v1_swap_accounting = path_exists(AT_FDCWD, memory + "/memory.memsw.limit_in_bytes");
}

}  // namespace

bool Layout::has_v2(std::string_view controller) const {
  return std::find(v2_controllers.begin(), v2_controllers.end(), controller) != v2_controllers.end();
}

std::string Layout::v1_hierarchy(std::string_view controller) const {
  const auto found = v1.find(controller);
  return found == v1.end() ? std::string() : found->second;
}

std::string Layout::root() const {
  return hybrid() ? unified.substr(0, unified.rfind('/')) : unified;
}

std::vector<std::string> Layout::v1_hierarchies() const {
  std::vector<std::string> result;
  for (const auto& [controller, path] : v1) result.push_back(path);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

Layout detect_layout(const std::string& cgroup_root) {
  Layout layout;
  if (file_system_magic(cgroup_root) == CGROUP2_SUPER_MAGIC) {
    layout.unified = cgroup_root;
  } else if (file_system_magic(cgroup_root + "/unified") == CGROUP2_SUPER_MAGIC) {
    layout.unified = cgroup_root + "/unified";
  } else {
    throw Error(
        formatted("cannot find a cgroup2 file system at '{0}' or '{0}/unified'", cgroup_root), 0,
        formatted("mount one: 'mount -t cgroup2 cgroup2 {0}', or beside v1 hierarchies 'mkdir {0}/unified "
                  "&& mount -t cgroup2 cgroup2 {0}/unified'",
                  cgroup_root));
  }
  const std::string controllers = read_file(AT_FDCWD, layout.unified + "/cgroup.controllers");
  for (const auto controller : split_blanks(controllers)) layout.v2_controllers.emplace_back(controller);
  std::sort(layout.v2_controllers.begin(), layout.v2_controllers.end());
  if (layout.unified != cgroup_root) find_v1(cgroup_root, layout);
  return layout;
}

}  // namespace hutch::cgroupv2
