#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cgroupv2/layout.h"
#include "runtime/apparmor.h"
#include "runtime/container_spec.h"

// What the planner has to know about this host for one container, gathered once, before planning. The planner
// itself asks the kernel nothing, so that a plan is a value that tests can compare.
namespace hutch {

struct BridgeFacts {
  int index = 0;
  std::uint32_t mtu = 1500;
  bool is_bridge = true;
  bool operator==(const BridgeFacts&) const = default;
};

struct HostFacts {
  cgroupv2::Layout cgroups;
  // CPUs that containers may use; empty when the container does not ask for a number of them.
  std::vector<unsigned> cpus;
  // Picks among equals (which CPUs); from getrandom(2) for a real start.
  std::uint64_t seed = 0;
  // Only the bridges that the container names; one that does not exist is missing.
  std::map<std::string, BridgeFacts> bridges;
  // What AppArmor can do here; nothing when the kernel does not enforce it.
  std::optional<AppArmorFeatures> apparmor;
  // Looked at only for containers that ask for it: whether two threads share a core (SMT), and whether
  // SELinux is enabled.
  bool smt = false;
  bool selinux = false;
  unsigned last_capability = 40;
  // Host uid that owns the top of a directory rootfs on disk; nothing for images, devices and missing ones.
  std::optional<uid_t> rootfs_owner;
};

// Asks the kernel; costs a few system calls. `cgroups`: cgroupv2::detect_layout().
HostFacts gather_host_facts(const ContainerSpec& spec, cgroupv2::Layout cgroups);

}  // namespace hutch
