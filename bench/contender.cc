#include "bench/contender.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"

namespace hutch::bench {

namespace fs = std::filesystem;

bool host_is_unified() {
  return path_exists(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers");
}

void write_configuration(const std::string& path, const std::string& text) {
  make_directories(fs::path(path).parent_path());
  const UniqueFd file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_fd(file.get(), text, path);
}

std::string container_name(const Place& place) {
  return formatted("hutch-bench-{}", place.vmid);
}

std::string list_of(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    if (!word.empty()) text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

std::vector<Tool> tool_table(const std::string& floor, const std::string& pct) {
  return {{"floor", floor, floor_contender, true},
          {"pct", pct, pct_contender, true},
          {"lxc", find_program("lxc-start"), lxc_contender},
          {"crun", find_program("crun"), crun_contender},
          {"runc", find_program("runc"), runc_contender},
          {"nspawn", find_program("systemd-nspawn"), nspawn_contender},
          {"bwrap", find_program("bwrap"), bwrap_contender}};
}

std::vector<std::string> lxc_cgroups() {
  std::vector<std::string> found;
  std::vector<fs::path> roots = {"/sys/fs/cgroup"};
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup")) {
    if (entry.is_directory() && !entry.is_symlink()) roots.push_back(entry.path());
  }
  for (const auto& root : roots) {
    for (const auto& name : list_directory(root)) {
      if (name == "lxc.pivot" || name.starts_with("lxc.monitor.hutch-bench-")) found.push_back(root / name);
    }
  }
  return found;
}

void remove_new_lxc_cgroups(const std::vector<std::string>& before) {
  for (const auto& path : lxc_cgroups()) {
    if (std::find(before.begin(), before.end(), path) != before.end()) continue;
    check(rmdir(path.c_str()), formatted("cannot remove cgroup '{}'", path));
  }
}

Contender floor_contender(const Arena& arena, const std::string& program, const Variant& variant,
                          unsigned index) {
  const Place place = make_place(arena, variant, index);
  const std::string name = std::to_string(place.vmid);
  Contender contender;
  contender.tool = contender.title = contender.exec_title = contender.stop_title = "floor";
  auto& words = contender.start.argv;
  words = {program, "start", name, place.directory};
  if (variant.network) words.push_back("bridge=" + arena.bridge);
  if (!arena.filter.empty()) words.push_back("filter=" + arena.filter);
  if (!place.image.empty()) words.push_back("image=" + place.image);
  if (!place.overlay.empty()) words.push_back("overlay=" + place.overlay);
  if (!variant.limits) words.push_back("no-limits");
  if (!variant.seccomp) words.push_back("no-seccomp");
  if (variant.privileged) words.push_back("privileged");
  contender.exec = contender.start;
  contender.exec.argv[1] = "exec";
  contender.remark = "the kernel's work alone";
  contender.stop.argv = {program, "stop", name};
  contender.stop_counts = true;
  return contender;
}

}  // namespace hutch::bench
