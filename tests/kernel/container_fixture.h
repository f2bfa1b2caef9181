#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/sysroot.h"
#include "netlink/link.h"
#include "runtime/container_spec.h"
#include "runtime/hot_plug.h"
#include "runtime/start.h"
#include "runtime/start_plan.h"
#include "runtime/state.h"

// Real containers for tests: a busybox rootfs in a temporary directory, started and joined through the
// runtime room alone. Needs root; every test leaves the host as it was, which TearDown checks.
namespace hutch::kernel_test {

struct ExecResult {
  int status = 0;
  std::string out;  // standard output and error
};

// What a container may leave on a host, as far as it belongs to this test: mounts, cgroups, links, loop
// devices, processes, files. Sorted lines; two snapshots are compared as text.
std::string host_snapshot(const std::string& directory, std::uint32_t vmid);

// Whether one of the echo requests that go to `address` for so long is answered; if not, what the host's
// links, routes and neighbours are. The first may be lost: a bridge's new port forwards only when a worker of
// the kernel's has seen its carrier, for which that waits for the RTNL lock (net/core/link_watch.c), behind
// the clean-up after other containers.
::testing::AssertionResult pings(const std::string& address, int seconds = 20);

class ContainerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // The spec that most tests start from: unprivileged (65536 ids from 100000 on), no links, no console, init
  // = sleep. Change it at will before `start`.
  ContainerSpec spec;

  StartPlan plan() const;
  std::vector<std::string> start(const StartOptions& options = {}) {
    return start_container(plan(), options);
  }
  // start() that has to fail; gives the message.
  std::string start_error(const StartOptions& options = {});
  // Runs a program in the running container.
  ExecResult exec(std::vector<std::string> argv, bool keep_environment = false);
  // Runs a script with the container's /bin/sh; returns its output without the last newline.
  std::string sh(const std::string& script);
  ContainerState state() const;
  // Everything in the rootfs belongs to this host id afterwards.
  void set_owner_of_rootfs(uid_t owner);
  // No user namespace, and a rootfs of root's.
  void make_privileged();
  void kill();
  // Waits until the container's record is gone; false after ten seconds.
  bool wait_until_gone() const;

  // A bridge of this test's own on the host, with subnet_address(1)/24; removed by TearDown.
  std::string make_bridge();
  // The container's eth0 on it.
  LinkSpec veth_on(const std::string& bridge) const;
  // An address in a /24 that only this test has; the bridge's, or one of two more.
  std::string subnet_address(int host, unsigned subnet = 0) const;
  // The container's.
  std::string inner_address() const { return subnet_address(2); }
  static std::optional<netlink::Link> on_host(const std::string& link);

  std::uint32_t vmid() const { return spec.vmid; }
  const Sysroot& sysroot() const { return sysroot_; }
  const std::string& directory() const { return directory_; }
  std::string rootfs() const { return directory_ + "/rootfs"; }

 private:
  std::string directory_;
  Sysroot sysroot_;
  std::string before_;
  std::string bridge_;
};

// Runs `add` in a process of its own that is killed before the step of that number. False: it has no such
// step.
bool killed_before(unsigned step, const std::function<void(const HotPlugTest& test)>& add);

// Whether a file appears (or, with `there` false, disappears) within a minute (an emulated machine on a busy
// host is slow).
bool wait_for_file(const std::string& path, bool there = true);

}  // namespace hutch::kernel_test
