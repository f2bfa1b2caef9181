#pragma once

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The parts of the floor program (main.cc says what it is). No library but libc, no allocation that a system
// call does not need. Every function ends the program with a message when it cannot do its work.
namespace hutch::floor_program {

// What `floor start` was asked for. Null: not asked for.
struct Container {
  const char* name;
  const char* rootfs;   // a directory; with an image or an overlay, where that is mounted
  const char* bridge;   // takes the host's end of the link
  const char* filter;   // file with an array of struct sock_filter, instead of the built-in one
  const char* image;    // an ext4 image, which is the rootfs
  const char* overlay;  // directory with `lower`, `upper` and `work`, which are the rootfs
  bool limits;
  bool seccomp;
  bool privileged;  // no user namespace
};

// Ends the program: "floor: cannot <action> '<object>': <errno>".
[[noreturn]] void fail(const char* action, const char* object);

struct Path {
  char text[512];
};

// One write into an existing file.
void write_file(const char* path, const char* value);

// --- cgroups.cc: one group in every hierarchy that is needed, below the group hutch-floor

// Makes the groups and writes the limits.
void make_cgroups(const Container& container);
// The group for clone3's CLONE_INTO_CGROUP, opened with O_PATH.
int open_init_cgroup(const char* name);
// Opens the `tasks` files of the v1 groups for writing; returns how many (0 on a unified host).
constexpr size_t kMaxTasks = 4;
size_t open_tasks(const Container& container, int (&tasks)[kMaxTasks]);
// Kills every process of the container; nothing happens when there is none.
void kill_cgroup(const char* name);
// Removes the groups, waiting for the last process to leave them.
void remove_cgroups(const char* name);

// --- link.cc

// The host's end is "fl<name>"; the peer is made as eth0 in the network namespace of `init`.
void make_veth(const char* name, const char* bridge, pid_t init);
void remove_veth(const char* name);

// --- rootfs.cc

// The detached mount of the image or the overlay; -1 when the rootfs is a directory.
int open_rootfs(const Container& container);

// --- filter.cc

sock_fprog built_in_filter();
sock_fprog filter_from_file(const char* path);

// --- child.cc: the container's side

struct Child {
  const Container* container;
  int rootfs;  // from open_rootfs
  int go;      // a byte arrives when ids, limits and links are in place
  int result;  // a Failure on failure; closed by exec
  sock_fprog filter;
  int tasks[kMaxTasks];
  size_t task_count;
};

// Of PVE's and LXC's containers.
inline constexpr int kDroppedCapabilities[] = {CAP_MAC_ADMIN, CAP_MAC_OVERRIDE, CAP_SYS_TIME, CAP_SYS_MODULE,
                                               CAP_SYS_RAWIO};

struct Failure {
  int error;
  char action[64];
};

[[noreturn]] void run_child(const Child& child);

// --- exec.cc

// `true` inside of the running container; returns its exit status.
int run_true(const Container& container);

}  // namespace hutch::floor_program
