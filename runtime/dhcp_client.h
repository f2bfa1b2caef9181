#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/sysroot.h"

// A DHCP client of the host's (dhclient(8)) that configures an interface of a running container: addresses
// and routes. Name servers are the guest's files' business (`nameserver`): nothing is written into the
// rootfs.
namespace hutch {

struct ProcessIdentity;  // runtime/state.h

struct DhcpClient {
  int family = 0;  // AF_INET, AF_INET6
  std::string interface;

  bool operator==(const DhcpClient&) const = default;
};

// Whether this host has the program.
bool has_dhcp_client();

// Starts it in the network and UTS namespaces of `init`; it looks for a lease in the background, once. Its
// files are in var/lib/lxc/<vmid>/hook. Throws ESRCH when `init` is gone.
void start_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const ProcessIdentity& init,
                       const DhcpClient& client);
// Gives the lease back and ends the client. Nothing to do when there is none. Throws ESRCH as above.
void release_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const ProcessIdentity& init,
                         const DhcpClient& client);
// Ends it at once; the container is gone, or going. Nothing to do when there is none.
void kill_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client);

// The command line; `release` adds what gives the lease back.
std::vector<std::string> dhcp_command(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client,
                                      bool release);
// The text of dhclient-script(8).
std::string dhcp_script();

}  // namespace hutch
