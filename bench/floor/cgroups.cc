#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "bench/floor/floor.h"

// cgroups(7), and Documentation/admin-guide/cgroup-v1/cpusets.rst of the kernel.
namespace hutch::floor_program {

namespace {

constexpr const char* kParent = "hutch-floor";  // our containers' cgroups live below this one

// Where a group of limits lives on this host. What a new group has anyway is not written.
struct Hierarchy {
  const char* root;
  bool v2;
  struct {
    const char* file;
    const char* value;
  } limits[6];
};

// A v1 cpuset takes no process before both files are set, in our parent group too.
constexpr Hierarchy kHybrid[] = {
    {"/sys/fs/cgroup/unified", true, {}},
    {"/sys/fs/cgroup/memory", false, {{"memory.limit_in_bytes", "536870912"}}},
    {"/sys/fs/cgroup/cpu", false, {{"cpu.cfs_quota_us", "50000"}}},
    {"/sys/fs/cgroup/pids", false, {{"pids.max", "4096"}}},
    {"/sys/fs/cgroup/cpuset", false, {{"cpuset.cpus", "0"}, {"cpuset.mems", "0"}}},
};
constexpr Hierarchy kUnified[] = {
    {"/sys/fs/cgroup",
     true,
     {{"memory.max", "536870912"}, {"cpu.max", "50000 100000"}, {"pids.max", "4096"}, {"cpuset.cpus", "0"}}},
};
static_assert(sizeof kHybrid / sizeof kHybrid[0] == kMaxTasks + 1);

struct Layout {
  const Hierarchy* first;
  size_t count;
};

Layout host_layout() {
  struct statfs info;
  if (statfs("/sys/fs/cgroup", &info) != 0) fail("examine", "/sys/fs/cgroup");
  if (info.f_type == CGROUP2_SUPER_MAGIC) return {kUnified, sizeof kUnified / sizeof kUnified[0]};
  if (statfs("/sys/fs/cgroup/unified", &info) != 0) fail("examine", "/sys/fs/cgroup/unified");
  return {kHybrid, sizeof kHybrid / sizeof kHybrid[0]};
}

// Without limits only the v2 tree is needed: the first hierarchy of both layouts.
Layout layout_for(const Container& container) {
  const Layout layout = host_layout();
  return {layout.first, container.limits ? layout.count : 1};
}

// root/hutch-floor/name/rest; name and rest may be null.
Path cgroup_path(const Hierarchy& hierarchy, const char* name, const char* rest) {
  Path path;
  const int length = snprintf(path.text, sizeof path.text, "%s/%s%s%s%s%s", hierarchy.root, kParent,
                              name != nullptr ? "/" : "", name != nullptr ? name : "",
                              rest != nullptr ? "/" : "", rest != nullptr ? rest : "");
  if (length < 0 || static_cast<size_t>(length) >= sizeof path.text) {
    errno = ENAMETOOLONG;
    fail("name a cgroup of", name != nullptr ? name : kParent);
  }
  return path;
}

void make_directory(const char* path, bool may_exist) {
  if (mkdir(path, 0755) != 0 && !(may_exist && errno == EEXIST)) fail("make", path);
}

void write_limits(const Hierarchy& hierarchy, const char* name) {
  for (const auto& limit : hierarchy.limits) {
    if (limit.file != nullptr) write_file(cgroup_path(hierarchy, name, limit.file).text, limit.value);
  }
}

bool is_cpuset(const Hierarchy& hierarchy) {
  return strcmp(hierarchy.root + sizeof "/sys/fs/cgroup" - 1, "/cpuset") == 0;
}

// What the group above all containers needs once.
void make_parent(const Hierarchy& hierarchy, bool limits) {
  const Path parent = cgroup_path(hierarchy, nullptr, nullptr);
  if (mkdir(parent.text, 0755) != 0) {
    if (errno != EEXIST) fail("make", parent.text);
    // A container without limits may have made it.
    if (!hierarchy.v2) return;
  }
  // It must allow at least what the container's group asks for.
  if (is_cpuset(hierarchy)) write_limits(hierarchy, nullptr);
  if (limits && hierarchy.v2 && hierarchy.limits[0].file != nullptr) {
    const Path own = cgroup_path(hierarchy, nullptr, "memory.max");
    const Path below = cgroup_path(hierarchy, nullptr, "cgroup.subtree_control");
    if (access(own.text, F_OK) != 0)
      write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory +cpu +pids +cpuset");
    write_file(below.text, "+memory +cpu +pids +cpuset");
  }
}

void pause_ms(long milliseconds) {
  const timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, nullptr);
}

// rmdir answers EBUSY until the last process has left.
void remove_cgroup(const char* path) {
  for (int attempt = 0; rmdir(path) != 0; ++attempt) {
    if (errno == ENOENT) return;
    if (errno != EBUSY || attempt == 2000) fail("remove", path);
    pause_ms(1);
  }
}

}  // namespace

// Limits are written while the groups are empty, which is when writing is cheapest.
void make_cgroups(const Container& container) {
  const Layout layout = layout_for(container);
  for (size_t i = 0; i < layout.count; ++i) {
    const Hierarchy& hierarchy = layout.first[i];
    make_parent(hierarchy, container.limits);
    make_directory(cgroup_path(hierarchy, container.name, nullptr).text, false);
    if (hierarchy.v2) make_directory(cgroup_path(hierarchy, container.name, "ns").text, false);
    if (container.limits) write_limits(hierarchy, container.name);
  }
}

int open_init_cgroup(const char* name) {
  const Path group = cgroup_path(host_layout().first[0], name, "ns");
  const int fd = open(group.text, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("open", group.text);
  return fd;
}

size_t open_tasks(const Container& container, int (&tasks)[kMaxTasks]) {
  const Layout layout = layout_for(container);
  for (size_t i = 1; i < layout.count; ++i) {
    const Path path = cgroup_path(layout.first[i], container.name, "tasks");
    tasks[i - 1] = open(path.text, O_WRONLY | O_CLOEXEC);
    if (tasks[i - 1] < 0) fail("open", path.text);
  }
  return layout.count - 1;
}

void kill_cgroup(const char* name) {
  const Path file = cgroup_path(host_layout().first[0], name, "cgroup.kill");
  if (access(file.text, F_OK) == 0) write_file(file.text, "1");
}

void remove_cgroups(const char* name) {
  const Layout layout = host_layout();
  for (size_t i = 0; i < layout.count; ++i) {
    const Hierarchy& hierarchy = layout.first[i];
    if (hierarchy.v2) remove_cgroup(cgroup_path(hierarchy, name, "ns").text);
    remove_cgroup(cgroup_path(hierarchy, name, nullptr).text);
    // The parent goes with the last container.
    const Path parent = cgroup_path(hierarchy, nullptr, nullptr);
    if (rmdir(parent.text) != 0 && errno != EBUSY && errno != ENOENT) fail("remove", parent.text);
  }
}

}  // namespace hutch::floor_program
