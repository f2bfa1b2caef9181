#include "bench/arena.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "bench/timed_process.h"

namespace hutch::bench {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kPlacesOfArena = 10000;

// A complete system's skeleton, as systemd-nspawn insists on (`usr`).
void fill_rootfs(const Arena& arena, const fs::path& root) {
  for (const char* directory : {"bin", "sbin", "dev", "proc", "sys", "sys/fs", "tmp", "run", "etc", "root",
                                "usr", "usr/lib", "var"}) {
    make_directories(root / directory);
  }
  // Hard links: a thousand containers cost no memory for their programs.
  fs::create_hard_link(arena.scratch + "/busybox", root / "bin/busybox");
  fs::create_hard_link(arena.scratch + "/ready", root / "bin/ready");
  for (const char* link : {"bin/sleep", "bin/sh", "bin/true", "sbin/init"})
    fs::create_symlink("/bin/busybox", root / link);
}

void give_to(const fs::path& root, unsigned id) {
  const auto give = [id](const fs::path& path) {
    check(lchown(path.c_str(), id, id), formatted("cannot give '{}' to the container", path.string()));
  };
  give(root);
  for (const auto& entry : fs::recursive_directory_iterator(root)) give(entry.path());
}

void make_image(const Arena& arena, const Place& place) {
  const std::string source = place.image + ".source";
  make_directories(source);
  fill_rootfs(arena, source);
  give_to(source, kFirstHostId);
  open_file(AT_FDCWD, place.image, O_CREAT | O_WRONLY, 0640);
  fs::resize_file(place.image, 64U << 20);
  run_checked(
      {"mkfs.ext4", "-q", "-E", formatted("root_owner={0}:{0}", kFirstHostId), "-d", source, place.image});
  remove_tree(AT_FDCWD, source);
}

void make_overlay(const Arena& arena, const Place& place) {
  const fs::path top = place.overlay;
  fill_rootfs(arena, top / "lower");
  give_to(top / "lower", kFirstHostId);
  for (const char* name : {"upper", "work"}) {
    make_directories(top / name);
    give_to(top / name, kFirstHostId);
  }
}

// Lines of a kernel file that hold `word`.
std::vector<std::string> lines_with(const std::string& path, const std::string& word) {
  std::vector<std::string> found;
  const std::string text = read_file(AT_FDCWD, path);
  for (const auto line : split(text, '\n')) {
    if (line.find(word) != std::string_view::npos) found.push_back(formatted("{}: {}", path, line));
  }
  return found;
}

bool is_own_number(const Arena& arena, std::string_view digits) {
  const auto number = parse_unsigned(digits);
  return number && *number >= arena.first_vmid && *number < arena.first_vmid + kPlacesOfArena;
}

// Whether the name ends with one of our container numbers: "900123456", "hutch-bench-900123456". A suffix
// that a tool adds, as in "lxc.monitor.NAME-1", is cut off.
bool names_own_container(const Arena& arena, std::string_view name) {
  constexpr std::size_t kDigits = 9;
  for (std::size_t at = 0; at + kDigits <= name.size(); ++at) {
    if (is_own_number(arena, name.substr(at, kDigits))) return true;
  }
  return false;
}

void add_cgroups(const Arena& arena, std::vector<std::string>& found) {
  const auto options = fs::directory_options::skip_permission_denied;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator("/sys/fs/cgroup", options, error);
       at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_directory(error) && names_own_container(arena, at->path().filename().string()))
      found.push_back(formatted("cgroup {}", at->path().string()));
  }
}

// Containers are found by their cgroups; this finds the tools' own processes.
void add_processes(const Arena& arena, std::vector<std::string>& found) {
  for (const auto& name : list_directory("/proc")) {
    if (!parse_unsigned(name) || name == std::to_string(getpid())) continue;
    std::string words;
    try {
      words = read_file_if_exists(AT_FDCWD, formatted("/proc/{}/cmdline", name)).value_or("");
    } catch (const Error& error) {
      if (error.error_number() != ESRCH) throw;  // ESRCH: it ended in between
    }
    if (words.find(arena.scratch) != std::string::npos)
      found.push_back(formatted("process {}: {}", name, words.substr(0, words.find('\0'))));
  }
}

}  // namespace

Arena make_arena(const std::string& ready_program, UndoStack& undo) {
  const std::string busybox = find_program("busybox");
  if (busybox.empty())
    throw Error("cannot make the rootfs: busybox is not installed", 0, "install busybox-static");
  char directory[] = "/tmp/hutch-bench.XXXXXX";
  if (mkdtemp(directory) == nullptr) throw_errno("cannot make a scratch directory");
  Arena arena;
  arena.scratch = directory;
  undo.push("scratch directory", [path = arena.scratch] { remove_tree(AT_FDCWD, path); });
  // The container's root, an unprivileged id, has to pass through.
  check(chmod(directory, 0711), "cannot open the scratch directory to the container");
  // State of what runs lies in memory on every host that systemd or its like has started.
  const std::string run = arena.scratch + "/run";
  check(mkdir(run.c_str(), 0755), formatted("cannot create '{}'", run));
  check(mount("tmpfs", run.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"),
        formatted("cannot mount '{}'", run));
  undo.push("state directory", [run] { check(umount2(run.c_str(), MNT_DETACH), "cannot unmount it"); });
  const auto own = static_cast<unsigned>(getpid());
  arena.first_vmid = 900000000U + own % 9000U * kPlacesOfArena;
  arena.ready_program = ready_program;
  fs::copy_file(busybox, arena.scratch + "/busybox");
  fs::copy_file(ready_program, arena.scratch + "/ready");
  arena.bridge = formatted("hbn{}", own % 1000000U);
  run_checked({"ip", "link", "add", arena.bridge, "type", "bridge"});
  undo.push("bridge", [name = arena.bridge] { run_checked({"ip", "link", "del", name}); });
  run_checked({"ip", "link", "set", arena.bridge, "up"});
  return arena;
}

Place place_of(const Arena& arena, const Variant& variant, unsigned index) {
  Place place;
  place.vmid = arena.first_vmid + variant.number * kMaxPlaces + index;
  const std::string volumes = formatted("{}/var/lib/vz/images/{}", arena.scratch, place.vmid);
  place.directory = formatted("{}/subvol-{}-disk-0.subvol", volumes, place.vmid);
  if (variant.rootfs == RootfsKind::image)
    place.image = formatted("{}/vm-{}-disk-0.raw", volumes, place.vmid);
  if (variant.rootfs == RootfsKind::overlay)
    place.overlay = formatted("{}/overlay/{}", arena.scratch, place.vmid);
  if (variant.rootfs != RootfsKind::directory)
    place.directory = formatted("{}/mount-points/{}", arena.scratch, place.vmid);
  return place;
}

Place make_place(const Arena& arena, const Variant& variant, unsigned index) {
  Place place = place_of(arena, variant, index);
  if (path_exists(AT_FDCWD, place.directory)) return place;
  make_directories(place.directory);
  if (variant.rootfs == RootfsKind::image) {
    make_directories(fs::path(place.image).parent_path());
    make_image(arena, place);
  } else if (variant.rootfs == RootfsKind::overlay) {
    make_overlay(arena, place);
  } else {
    fill_rootfs(arena, place.directory);
    give_to(place.directory, variant.privileged ? 0 : kFirstHostId);
  }
  return place;
}

std::string missing_on_host(RootfsKind kind) {
  if (kind == RootfsKind::image && !path_exists(AT_FDCWD, "/dev/loop-control"))
    return "no loop devices here: /dev/loop-control is missing";
  if (kind == RootfsKind::overlay) {
    const UniqueFd context(fsopen("overlay", FSOPEN_CLOEXEC));
    // ENODEV: neither built in nor to be had as a module.
    if (!context && errno == ENODEV) return "this kernel has no overlay file system";
    check(context.get(), "cannot ask for an overlay file system");
  }
  return {};
}

std::vector<std::string> left_behind(const Arena& arena) {
  std::vector<std::string> found = lines_with("/proc/self/mountinfo", arena.scratch);
  for (const auto& name : list_directory("/sys/block")) {
    const auto file =
        read_file_if_exists(AT_FDCWD, formatted("/sys/block/{}/loop/backing_file", name)).value_or("");
    if (file.starts_with(arena.scratch)) found.push_back(formatted("/dev/{}: {}", name, trim(file)));
  }
  for (const auto& name : list_directory("/sys/class/net")) {
    if (names_own_container(arena, name)) found.push_back(formatted("link {}", name));
  }
  add_cgroups(arena, found);
  add_processes(arena, found);
  return found;
}

}  // namespace hutch::bench
