#pragma once

#include <string>
#include <vector>

#include "base/undo.h"
#include "bench/variant.h"

namespace hutch::bench {

inline constexpr unsigned kFirstHostId = 100000;
inline constexpr unsigned kIdCount = 65536;
// Containers of one variant; a bridge takes 1024 ports.
inline constexpr unsigned kMaxPlaces = 1100;

// Where the tools compete: a scratch directory, which is also pct's HUTCH_ROOT, and a bridge.
struct Arena {
  std::string scratch;  // absolute; everything that the benchmark writes is below it
  std::string bridge;
  unsigned first_vmid = 0;
  std::string ready_program;  // prints a line and sleeps; becomes /bin/ready of every rootfs
  std::string filter;         // file with the seccomp program that pct loads; empty: not known
};

// The container number `index` of a variant: its id, and where its rootfs is. All tools use the same one.
struct Place {
  unsigned vmid = 0;
  std::string directory;  // the rootfs; with an image or an overlay the empty directory to mount it on
  std::string image;      // ext4; empty unless the variant has one
  std::string overlay;    // with `lower`, `upper` and `work`; empty unless the variant has one
};

// Makes the scratch directory and the bridge; `undo` removes both. Throws Error.
Arena make_arena(const std::string& ready_program, UndoStack& undo);

// Paths only. `index` is below kMaxPlaces.
Place place_of(const Arena& arena, const Variant& variant, unsigned index);
// Makes the rootfs unless it is there: busybox as /bin/sh, sleep and true. Throws Error.
Place make_place(const Arena& arena, const Variant& variant, unsigned index = 0);

// Why this host has no rootfs of that kind; empty when it has.
std::string missing_on_host(RootfsKind kind);

// What containers of this arena left on the host: mounts, loop devices, links, cgroups, processes. One line
// each; empty when all is clean.
std::vector<std::string> left_behind(const Arena& arena);

}  // namespace hutch::bench
