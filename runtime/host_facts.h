#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
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
  bool vlan_aware = false;
  std::uint16_t default_vlan =
      1;                      // what a new port gets without a tag; 0: none. Only where VLANs are asked for
  bool learning = true;       // false: the host's network settings say that its ports learn no addresses
  bool open_vswitch = false;  // then `is_bridge` is false
  bool operator==(const BridgeFacts&) const = default;
};

// A link of the host that the container is to have, or one of its links is made on.
struct LowerLinkFacts {
  int index = 0;
  std::string name;  // of "eth+": the one that was chosen
  std::uint32_t mtu = 1500;
  std::vector<std::string> alternative_names;
  bool wireless = false;
  std::string kind;           // netlink::Link
  std::string permanent_mac;  // netlink::Link
  bool operator==(const LowerLinkFacts&) const = default;
};

struct HostFacts {
  cgroupv2::Layout cgroups;
  // CPUs that containers may use; empty when the container does not ask for a number of them.
  std::vector<unsigned> cpus;
  // Picks among equals (which CPUs); from getrandom(2) for a real start.
  std::uint64_t seed = 0;
  // Only the bridges that the container names; one that does not exist is missing.
  std::map<std::string, BridgeFacts> bridges;
  // The same for LinkSpec::lower, under that name.
  std::map<std::string, LowerLinkFacts> lower_links;
  // The first address of a link that a gateway "auto" stands for, by family and link; missing: it has none.
  std::map<std::pair<int, std::string>, std::string> gateways;
  // Whether the host has the DHCP client that a link asks for.
  bool dhcp_client = false;
  // What AppArmor can do here; nothing when the kernel does not enforce it.
  std::optional<AppArmorFeatures> apparmor;
  // Looked at only for containers that ask for it: whether two threads share a core (SMT), and whether
  // SELinux is enabled.
  bool smt = false;
  bool selinux = false;
  unsigned last_capability = 40;
  // Host uid that owns the top of a directory rootfs, or of an overlay's topmost lower one, on disk; nothing
  // for images, devices and missing ones.
  std::optional<uid_t> rootfs_owner;
};

// The facts about the links of `spec` alone, into `facts`.
void gather_link_facts(const std::vector<LinkSpec>& links, HostFacts& facts);

// Asks the kernel; costs a few system calls. `cgroups`: cgroupv2::detect_layout().
HostFacts gather_host_facts(const ContainerSpec& spec, cgroupv2::Layout cgroups);

}  // namespace hutch
