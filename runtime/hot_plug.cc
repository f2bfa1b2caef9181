#include "runtime/hot_plug.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/fs_identity.h"
#include "runtime/planner.h"

namespace hutch {

namespace {

// linux/stat.h since 6.8.
constexpr unsigned kStatxUniqueMountId = 0x4000;

// What the process apart writes into its pipe: 'r' and the result, or 'e' and the error's parts, each closed
// by NUL.
std::string report_of(const std::function<std::string()>& work) {
  try {
    return "r" + work();
  } catch (const Error& error) {
    std::string text = "e";
    for (const auto& part : {std::to_string(error.error_number()), error.action(), error.hint()}) {
      text.append(part).push_back('\0');
    }
    return text;
  } catch (const std::exception& error) {
    return formatted("e0{}{}{}{}", '\0', error.what(), '\0', '\0');
  }
}

Error reported_error(std::string_view text) {
  const auto parts = split(text, '\0');
  if (parts.size() < 3) return Error("a helper process ended without a word");
  return Error(std::string(parts[1]), static_cast<int>(parse_unsigned(parts[0]).value_or(0)),
               std::string(parts[2]));
}

// Of a process that run_apart has made; elsewhere 0.
pid_t starter_of_this = 0;

void die_with_starter() {
  if (starter_of_this == 0) return;
  check(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "cannot arrange to die with the starter");
  if (::getppid() != starter_of_this) throw Error("the starter is gone");
}

UniqueFd open_namespace_root() {
  return open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
}

// The directory that holds the last component of `path`, and that component.
struct Place {
  UniqueFd directory;
  std::string name;
};

std::optional<Place> find_parent(const std::string& path) {
  const auto slash = path.rfind('/');
  Place place;
  place.name = path.substr(slash + 1);
  const std::string parent = path.substr(0, slash);
  auto directory = open_if_exists(open_namespace_root().get(), parent.empty() ? "." : parent,
                                  O_PATH | O_DIRECTORY, Resolve::no_symlinks);
  if (!directory) return std::nullopt;
  place.directory = std::move(*directory);
  return place;
}

void remove_made(const std::string& path) {
  const auto place = find_parent(path);
  if (!place) return;
  const int dir = place->directory.get();
  struct stat status {};
  if (::fstatat(dir, place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return;
    throw_errno(formatted("cannot look at '{}' inside", path));
  }
  // Something else by now, or in use: the guest's.
  if (S_ISREG(status.st_mode) ? status.st_size != 0 : !S_ISDIR(status.st_mode)) return;
  if (::unlinkat(dir, place->name.c_str(), S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0) < 0 &&
      errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY && errno != EROFS) {
    throw_errno(formatted("cannot remove '{}' inside", path));
  }
}

bool make_missing(int dir, const std::string& name, bool file) {
  if (!file) return ::mkdirat(dir, name.c_str(), 0755) == 0;
  const UniqueFd made(::openat(dir, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0));
  return static_cast<bool>(made);
}

}  // namespace

void all_or_nothing(const std::function<void(UndoStack& undo)>& action) {
  std::vector<std::string> failures;
  UndoStack undo(
      [&](const std::string& name, const std::string& reason) { failures.push_back(name + ": " + reason); });
  try {
    action(undo);
    undo.dismiss();
  } catch (const Error& error) {
    undo.run();
    if (failures.empty()) throw;
    throw error.with_context(formatted("{} (could not be taken back)", join(failures, "; ")));
  }
}

std::string run_apart(const std::function<std::string()>& work) {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "cannot create a pipe");
  const UniqueFd reports(ends[0]);
  UniqueFd report(ends[1]);
  std::fflush(nullptr);
  const pid_t starter = ::getpid();
  const pid_t pid = check(::fork(), "cannot fork");
  if (pid == 0) {
    const std::string text = report_of([&] {
      starter_of_this = starter;
      die_with_starter();
      // A guest process must not be able to trace us or look at our memory while we are half inside.
      check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "cannot become undumpable");
      return work();
    });
    try {
      write_fd(report.get(), text, "a pipe");
    } catch (const Error&) {
      ::_exit(1);  // nobody listens; the end-of-file tells it
    }
    ::_exit(0);
  }
  report.reset();
  const std::string text = read_fd(reports.get(), "a pipe");
  while (::waitpid(pid, nullptr, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for a helper process");
  }
  if (text.starts_with('r')) return text.substr(1);
  throw reported_error(std::string_view(text).substr(text.empty() ? 0 : 1));
}

void enter_mounts(int pidfd) {
  check(::setns(pidfd, CLONE_NEWNS), "cannot enter a mount namespace");
}

PlugPlace make_place(const std::string& path, bool file, const ContainerSpec& spec) {
  PlugPlace place;
  all_or_nothing([&](UndoStack& undo) {
    undo.push("remove what was made inside", [&] { remove_place(place.made); });
    const Owner owner = inner_root(spec);
    UniqueFd current = open_namespace_root();
    std::string done;
    const auto parts = split(path, '/');
    for (std::size_t at = 0; at < parts.size(); ++at) {
      const std::string name(parts[at]);
      if (name.empty() || name == ".") continue;
      if (name == "..") throw Error(formatted("the path '{}' contains '..'", path), EINVAL);
      done += "/" + name;
      {
        const FsIdentity identity(owner.uid, owner.gid);
        if (make_missing(current.get(), name, file && at + 1 == parts.size())) {
          place.made.push_back(done);
        } else if (errno != EEXIST) {
          throw_errno(formatted("cannot create '{}' inside", done));
        }
      }
      current = open_file(current.get(), name, O_PATH, 0, Resolve::no_symlinks);
    }
    // A change of the ids for files takes the wish away (prctl(2)).
    die_with_starter();
    place.target = std::move(current);
  });
  return place;
}

void remove_place(const std::vector<std::string>& made) {
  for (auto path = made.rbegin(); path != made.rend(); ++path) remove_made(*path);
}

void unmount_place(const std::string& path, std::uint64_t mount_id) {
  const UniqueFd root = open_namespace_root();
  const auto target = open_if_exists(root.get(), path, O_PATH, Resolve::no_symlinks);
  if (!target || mount_id_of(target->get()) != mount_id) return;
  // The guest's /proc is not to be trusted, so not by /proc/self/fd: from the directory that holds it, whose
  // path nobody walks again.
  const auto place = find_parent(path);
  if (!place) return;
  check(::fchdir(place->directory.get()), formatted("cannot enter the directory of '{}' inside", path));
  check(::umount2(place->name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW),
        formatted("cannot unmount '{}' inside", path));
}

std::uint64_t mount_id_of(int fd) {
  struct statx status {};
  check(::statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID | kStatxUniqueMountId, &status),
        "cannot ask for a mount's id");
  return status.stx_mnt_id;
}

std::string print_note(const PlugNote& note) {
  std::string text = formatted("target {}\nmount {}\n", note.target, note.mount_id);
  if (!note.device.empty()) text += formatted("device {}\n", note.device);
  for (const auto& path : note.made) text += formatted("made {}\n", path);
  return text;
}

PlugNote parse_note(std::string_view text, const std::string& key) {
  PlugNote note;
  note.key = key;
  for (const auto line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto blank = line.find(' ');
    const auto name = line.substr(0, blank);
    const std::string value(blank == line.npos ? std::string_view() : line.substr(blank + 1));
    if (name == "target") {
      note.target = value;
    } else if (name == "mount" && parse_unsigned(value)) {
      note.mount_id = *parse_unsigned(value);
    } else if (name == "device") {
      note.device = value;
    } else if (name == "made") {
      note.made.push_back(value);
    } else {
      throw Error(formatted("cannot understand the note about {}: '{}'", key, line), EINVAL,
                  "restart the container");
    }
  }
  return note;
}

std::string plug_directory(const Sysroot& sysroot, std::uint32_t vmid) {
  return state_directory(sysroot, vmid) + "/added";
}

std::string stage_path(const Sysroot& sysroot, std::uint32_t vmid, const std::string& key) {
  return plug_directory(sysroot, vmid) + "/" + key + ".mount";
}

UniqueFd open_notes(const Sysroot& sysroot, std::uint32_t vmid) {
  return open_file(AT_FDCWD, plug_directory(sysroot, vmid), O_RDONLY | O_DIRECTORY);
}

void write_note(int directory, const PlugNote& note) {
  replace_file(directory, note.key, print_note(note), 0600);
}

std::optional<PlugNote> read_note(const Sysroot& sysroot, std::uint32_t vmid, const std::string& key) {
  const auto text = read_file_if_exists(AT_FDCWD, plug_directory(sysroot, vmid) + "/" + key);
  if (!text) return std::nullopt;
  return parse_note(*text, key);
}

void remove_note(const Sysroot& sysroot, std::uint32_t vmid, const std::string& key) {
  const std::string path = plug_directory(sysroot, vmid) + "/" + key;
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) throw_errno(formatted("cannot remove '{}'", path));
}

}  // namespace hutch
