#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"

// Seccomp notifications (seccomp_unotify(2)): what a policy's `notify` rules are about to do is asked of a
// proxy, a daemon of the host's that listens on a SOCK_SEQPACKET socket and speaks LXC's protocol
// (lxc-security 3). Between the kernel and that daemon stands a small process for each filter, which lives as
// long as the filter is in use; a container without such rules has none.
namespace hutch {

// The first word after `pct` that makes it that process. Not for people: the rest are descriptors.
inline constexpr const char* kSeccompProxy = "seccomp-proxy";

// Connects to the first address ("/path" or "@name") that exists. Throws.
UniqueFd connect_seccomp_proxy(const std::vector<std::string>& addresses);

struct SeccompProxySetup {
  int listener = -1;
  int socket = -1;  // of connect_seccomp_proxy; -1: not connected yet
  int init_pidfd = -1;
  int mounts = -1;  // the mount namespace that it lives in; -1: the caller's
  pid_t supervisor = 0;
  pid_t init = 0;
  std::string cookie;
  std::vector<std::string> addresses;
};

// Starts the process: this program again, with copies of those descriptors. Gives its pidfd. A child of the
// caller.
UniqueFd start_seccomp_proxy(const SeccompProxySetup& setup);

// Is that process: `words` follow kSeccompProxy. Returns when init has ended or nobody uses the filter.
int run_seccomp_proxy(const std::vector<std::string>& words);

}  // namespace hutch
