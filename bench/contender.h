#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hutch::bench {

// What all contenders start: the benchmark container of docs/performance, on one rootfs and one bridge.
struct Arena {
  std::string scratch;  // absolute; everything that the benchmark writes is below it
  std::string rootfs;   // busybox, owned by kFirstHostId
  std::string bridge;
  unsigned vmid = 0;
};

inline constexpr unsigned kFirstHostId = 100000;
inline constexpr unsigned kIdCount = 65536;

// One tool that can start that container.
struct Contender {
  std::string name;
  std::vector<std::string> start;  // the timed command: exec to exit, container running
  std::vector<std::string> stop;   // not timed; kills the container and removes what the start made
  std::vector<std::pair<std::string, std::string>> environment;  // added for both
  std::string leaves_out;                                        // of the floor's work; "nothing" or a list
  bool required = true;  // false: a peer, which may be unable to run on this host
  // The tool refuses a host with v1 hierarchies: it sees a mount namespace with only the v2 tree.
  bool needs_unified_view = false;
};

// Makes the rootfs; throws Error.
void make_rootfs(const Arena& arena);

// Each writes its own configuration below arena.scratch. `program` is an absolute path.
Contender floor_contender(const Arena& arena, const std::string& program);
Contender pct_contender(const Arena& arena, const std::string& program);
Contender lxc_contender(const Arena& arena, const std::string& program);
Contender crun_contender(const Arena& arena, const std::string& program);

// LXC 5 leaves a group `lxc.pivot` in every hierarchy: what is there before, and removing what is new.
std::vector<std::string> pivot_cgroups();
void remove_new_pivot_cgroups(const std::vector<std::string>& before);

// The absolute path of a program on PATH; empty when it is not installed.
std::string find_program(const std::string& name);

}  // namespace hutch::bench
