#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/origin.h"

// What the container's first process does between clone3 and exec, as data: a flat list of operations over
// one string arena, interpreted by runtime/child_interpreter.cc with raw system calls only.
namespace hutch {

// Descriptors are named by slots; a slot is filled by an operation, or before clone3 by the host.
using Slot = std::uint16_t;
inline constexpr Slot kNoSlot = 0;  // as a directory: the current root's "/" (paths are then absolute)
inline constexpr std::size_t kMaxSlots = 192;

enum class ChildOp : std::uint16_t {
  await,                 // number: SyncMessage::Type the host has to send before going on
  join_keyring,          // a fresh anonymous session keyring (keyctl(2))
  become_root,           // number: host-side gid inside, number2: uid inside; drops groups
  join_group,            // writes "0" into slot, a `tasks` file of a v1 cgroup
  unshare,               // number: CLONE_NEW* flags
  enter_time_namespace,  // a new one with the offsets in text (timens_offsets)
  set_hostname,          // text
  personality,           // number: persona
  open_path,             // slot <- O_PATH of text below dir; never through a symlink
  make_path,             // same, making missing directories (number: mode); flag kFile: the last one a file
  new_filesystem,        // slot <- detached mount; text: type; text2: options; number: MOUNT_ATTR_*
  clone_tree,            // slot <- detached clone of text below dir; flag kRecursive
  clone_slot,            // slot <- detached clone of what `dir` is opened on; flag kRecursive
  set_attributes,        // slot; number: set, number2: clear; flag kRecursive
  set_propagation,       // slot; number: MS_SHARED, ...; flag kRecursive
  attach,                // mounts slot on text below dir (text empty: on dir itself)
  make_directory,        // text below dir, number: mode
  make_symlink,          // text below dir -> text2
  make_file,             // text below dir, number: mode, content text2
  write_file,            // writes text2 into the existing file text below dir (sysctls)
  open_pty,              // dir: devpts mount; slot <- master, slot + 1 <- the other end
  report,                // sends the message `number` (SyncMessage::Type) to the host
  send_slot,             // sends slot to the host; number: HandedFd
  use_as_stdio,          // slot becomes 0, 1, 2 and the controlling terminal
  open_null_stdio,       // /dev/null below dir becomes 0, 1, 2
  pivot,                 // slot (the attached root) becomes "/", the old root goes
  new_session,           // setsid
  drop_bounding,         // number: mask of capabilities to drop
  give_up_capabilities,  // number: mask of capabilities that this process itself is without from now on
  write_attribute,       // writes text2 into the LSM attribute file text (absolute, or below dir, a procfs)
  sched_core,            // a core-scheduling cookie of its own; nothing without SMT (core-scheduling.rst)
  set_label,             // writes text to the LSM attribute file below dir (a procfs)
  no_new_privs,
  seccomp,        // loads the program's filter; flag kListener: and sends its listener to the host
  parent_death,   // number: the signal to get when the parent dies
  run_hook,       // number: index into the program's hooks; slot: a log for its standard output, dir: for its
                  // standard error (both may be empty). Fails with its wait status unless that is 0
  check_program,  // text below dir, symlinks followed inside: has to be executable
  change_directory,  // text; made (0755) when missing
  set_ids,           // number: gid, number2: uid; groups from the program
  exec,              // argv, envp
  fail,              // fails with errno = number: fault injection by tests
};

struct ChildStep {
  static constexpr std::uint16_t kRecursive = 1;
  static constexpr std::uint16_t kOptional = 2;  // a failure skips to step `skip_to`
  static constexpr std::uint16_t kFile = 4;
  static constexpr std::uint16_t kListener = 16;
  static constexpr std::uint16_t kUndumpable = 32;  // become_root: in any case
  static constexpr std::uint16_t kSkipMissing = 8;  // as kOptional, but only for ENOENT

  ChildOp op{};
  std::uint16_t flags = 0;
  Slot slot = kNoSlot;
  Slot dir = kNoSlot;
  std::uint32_t text = 0;  // offsets into the arena
  std::uint32_t text2 = 0;
  std::uint64_t number = 0;
  std::uint64_t number2 = 0;
  std::uint32_t skip_to = 0;  // index of the step to go on with
};

// For people: what a step does and who asked for it. Kept beside the steps; the child never reads it.
struct ChildStepInfo {
  std::string text;
  Origin origin;
  std::string hint;  // what to do when it fails
};

// A program that run_hook runs: offsets into the arena. argv[0] is its path.
struct ChildHook {
  std::vector<std::uint32_t> argv;
  std::vector<std::uint32_t> envp;
  std::string key;  // "lxc.hook.mount", for messages
};

struct ChildProgram {
  std::vector<ChildStep> steps;
  std::vector<ChildStepInfo> info;           // same length
  std::string arena = std::string(1, '\0');  // offset 0 is ""
  std::vector<std::uint32_t> candidates;     // exec tries these paths in turn
  std::vector<std::uint32_t> argv;
  std::vector<std::uint32_t> envp;
  std::vector<std::uint32_t> groups;
  std::vector<ChildHook> hooks;
  std::vector<sock_filter> filter;
  Slot slot_count = 1;

  // Puts a text (it may hold NULs) into the arena, closed by NUL, and gives its offset.
  std::uint32_t intern(std::string_view text);
  Slot new_slot();
  // Two slots in a row, for open_pty.
  Slot new_slot_pair();
  ChildStep& add(ChildOp op, std::string text, const Origin& origin = {}, std::string hint = {});
  std::string_view arena_text(std::uint32_t offset) const { return arena.data() + offset; }
};

// "key=value" pairs as new_filesystem's text2 wants them: key NUL value NUL ... NUL.
std::string encode_fs_options(const std::vector<std::pair<std::string, std::string>>& options);

}  // namespace hutch
