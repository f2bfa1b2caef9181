#include "runtime/host_facts.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/format.h"
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

std::map<std::string, BridgeFacts> find_bridges(const ContainerSpec& spec) {
  std::map<std::string, BridgeFacts> bridges;
  std::optional<netlink::Socket> socket;
  for (const auto& link : spec.links) {
    if (link.bridge.empty() || bridges.contains(link.bridge)) continue;
    if (!socket) socket.emplace();
    const auto found = netlink::find_link(*socket, link.bridge);
    if (found) bridges[link.bridge] = {found->index, found->mtu, found->is_bridge()};
  }
  return bridges;
}

}  // namespace

HostFacts gather_host_facts(const ContainerSpec& spec) {
  HostFacts facts;
  facts.cgroups = cgroupv2::detect_layout();
  if (spec.resources.cpu_count) facts.cpus = cgroupv2::effective_cpus(facts.cgroups);
  facts.seed = random_seed();
  facts.bridges = find_bridges(spec);
  if (apparmor_enabled()) facts.apparmor = apparmor_features();
  facts.last_capability = last_capability();
  struct stat status {};
  if (spec.rootfs.kind == VolumeSpec::Kind::directory && ::stat(spec.rootfs.source.c_str(), &status) == 0) {
    facts.rootfs_owner = status.st_uid;
  }
  return facts;
}

}  // namespace hutch
