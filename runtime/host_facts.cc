#include "runtime/host_facts.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "cgroupv2/cpuset.h"
#include "netlink/link.h"
#include "runtime/capabilities.h"

namespace hutch {

namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) throw_errno("cannot get random bytes");
  return seed;
}

// By ioctl and sysfs, which need no more than RCU where a netlink request waits for the RTNL lock: behind the
// kernel's clean-up after other containers, say. Nothing when it does not look like a bridge from here; sysfs
// may be that of another network namespace.
std::optional<BridgeFacts> glance_at_bridge(const std::string& name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  if (!socket || name.size() >= sizeof request.ifr_name) return std::nullopt;
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(socket.get(), SIOCGIFINDEX, &request) < 0) return std::nullopt;
  const int index = request.ifr_ifindex;
  if (::ioctl(socket.get(), SIOCGIFMTU, &request) < 0) return std::nullopt;
  const std::string directory = formatted("/sys/class/net/{}", name);
  const auto same = read_file_if_exists(AT_FDCWD, directory + "/ifindex");
  if (!same || parse_signed(trim(*same)) != index) return std::nullopt;
  if (!path_exists(AT_FDCWD, directory + "/bridge")) return std::nullopt;
  return BridgeFacts{index, static_cast<std::uint32_t>(request.ifr_mtu), true};
}

std::map<std::string, BridgeFacts> find_bridges(const ContainerSpec& spec) {
  std::map<std::string, BridgeFacts> bridges;
  std::optional<netlink::Socket> socket;
  for (const auto& link : spec.links) {
    if (link.bridge.empty() || bridges.contains(link.bridge)) continue;
    if (const auto seen = glance_at_bridge(link.bridge)) {
      bridges[link.bridge] = *seen;
      continue;
    }
    if (!socket) socket.emplace();
    const auto found = netlink::find_link(*socket, link.bridge);
    if (found) bridges[link.bridge] = {found->index, found->mtu, found->is_bridge()};
  }
  return bridges;
}

}  // namespace

HostFacts gather_host_facts(const ContainerSpec& spec, cgroupv2::Layout cgroups) {
  HostFacts facts;
  facts.cgroups = std::move(cgroups);
  if (spec.resources.cpu_count) facts.cpus = cgroupv2::effective_cpus(facts.cgroups);
  facts.seed = random_seed();
  facts.bridges = find_bridges(spec);
  if (apparmor_enabled()) facts.apparmor = apparmor_features();
  if (spec.core_scheduling) {
    // Kernels for processors without SMT have no such file.
    const auto active = read_file_if_exists(AT_FDCWD, "/sys/devices/system/cpu/smt/active");
    facts.smt = active && trim(*active) == "1";
  }
  if (!spec.selinux.context.empty() || !spec.selinux.keyring_context.empty()) {
    facts.selinux = path_exists(AT_FDCWD, "/sys/fs/selinux/enforce");
  }
  facts.last_capability = last_capability();
  struct stat status {};
  if (spec.rootfs.kind == VolumeSpec::Kind::directory && ::stat(spec.rootfs.source.c_str(), &status) == 0) {
    facts.rootfs_owner = status.st_uid;
  }
  return facts;
}

}  // namespace hutch
