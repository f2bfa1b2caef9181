#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sysroot.h"
#include "base/undo.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"
#include "runtime/state.h"

// What hot-plugged volumes and devices share: a process that works inside the container's mount namespace,
// and the note of what it did there.
//
//   run/hutch/<vmid>/added/<key>         the note, for whoever takes it out again; there before the mount is
//   run/hutch/<vmid>/added/<key>.mount   where a file system is mounted in the supervisor's mount namespace
//
// Both go with the directory when the container has ended. The mounts go with the two mount namespaces, and
// loop devices with their last mount (they clear themselves), so a crash leaves nothing either.
namespace hutch {

// For tests of fault injection: called before each step, numbered from 0, and may throw Error.
struct HotPlugTest {
  std::function<void(unsigned step)> before_step;
};

// Runs `action`; when it throws Error, everything it has pushed is taken back, and what could not be is told.
// The action's own variables are gone by then: what is pushed holds what it needs.
void all_or_nothing(const std::function<void(UndoStack& undo)>& action);

// Runs `work` in a forked process and gives what it returns; an Error in it is thrown here. The process is
// undumpable and dies with us. Entering a container's mount namespace needs such a process: root and working
// directory are the guest's afterwards. The caller must have one thread.
std::string run_apart(const std::function<std::string()>& work);

// Moves the calling process into the mount namespace of another; root and working directory become that
// namespace's root.
void enter_mounts(int pidfd);

// A place inside the container, with what had to be made for it.
struct PlugPlace {
  UniqueFd target;                // O_PATH
  std::vector<std::string> made;  // paths, in the order they were made
};

// Below, paths are taken from the root of the calling process's mount namespace, which is the guest's, and
// no part of them may be a symlink.

// Walks to `path` and makes, for the container's root, missing directories and, with `file`, an empty file
// at the end. On failure nothing that was made stays.
PlugPlace make_place(const std::string& path, bool file, const ContainerSpec& spec);
// Removes what make_place made, as far as it is still there and empty.
void remove_place(const std::vector<std::string>& made);
// Unmounts `path` when exactly this mount is what is seen there. Otherwise the guest has unmounted or covered
// it, and it is none of ours. A mount that is in use goes with its last user.
void unmount_place(const std::string& path, std::uint64_t mount_id);
// stx_mnt_id of statx(2), the never reused one where the kernel (6.8) has it.
std::uint64_t mount_id_of(int fd);

// The note of something plugged in.
struct PlugNote {
  std::string key;                // "mp0", "dev0"
  std::string target;             // path inside
  std::uint64_t mount_id = 0;     // of the mount inside
  std::string device;             // "c 10:200"; empty for a volume
  std::vector<std::string> made;  // paths inside
};
std::string print_note(const PlugNote& note);
// Throws on a note of another format.
PlugNote parse_note(std::string_view text, const std::string& key);

std::string plug_directory(const Sysroot& sysroot, std::uint32_t vmid);
// "<plug directory>/<key>.mount"
std::string stage_path(const Sysroot& sysroot, std::uint32_t vmid, const std::string& key);
// The plug directory, for processes that see other mounts.
UniqueFd open_notes(const Sysroot& sysroot, std::uint32_t vmid);
// `directory`: of open_notes.
void write_note(int directory, const PlugNote& note);
// Nothing when nothing is plugged in under that key.
std::optional<PlugNote> read_note(const Sysroot& sysroot, std::uint32_t vmid, const std::string& key);
void remove_note(const Sysroot& sysroot, std::uint32_t vmid, const std::string& key);

}  // namespace hutch
