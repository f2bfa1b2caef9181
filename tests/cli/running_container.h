#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/layout.h"
#include "runtime/state.h"
#include "tests/cli/command_line.h"

namespace hutch::cli::testing {

// A busybox container that runs, with 64 MiB of memory and no other limits, and `pct set` on it.
class RunningContainer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: geteuid() is not 0";
    if (!std::filesystem::exists("/bin/busybox"))
      GTEST_SKIP() << "probe: /bin/busybox (busybox-static) is missing";
    for (const char* controller : {"memory", "cpu", "cpuset"}) {
      if (!layout_.has_v2(controller) && layout_.v1_hierarchy(controller).empty())
        GTEST_SKIP() << "probe: no cgroup controller " << controller;
    }
    // The container's root has to pass through to its rootfs.
    std::filesystem::permissions(host.root(), std::filesystem::perms(0711));
    for (const char* directory : {"bin", "dev", "etc", "proc", "sys", "run"}) {
      std::filesystem::create_directories(host.path(rootfs_ + directory));
    }
    std::filesystem::copy_file("/bin/busybox", host.path(rootfs_ + "bin/busybox"));
    run_checked({"chown", "-R", "100000:100000", host.path(rootfs_)});
    host.add_container(kVmid,
                       "arch: amd64\nmemory: 64\nostype: unmanaged\nrootfs: " + volume_ +
                           "\nswap: 0\ntty: 0\nunprivileged: 1\nlxc.init.cmd: /bin/busybox sleep 1000\n");
    const auto started = pct({"start", kId});
    ASSERT_EQ(started.status, 0) << started.err;
  }
  void TearDown() override {
    if (IsSkipped()) return;
    if (find_running(host.sysroot(), kVmid)) pct({"stop", kId});
    const bool left = path_exists(AT_FDCWD, formatted("{}/lxc/{}", layout_.unified, kVmid));
    EXPECT_FALSE(left);
    for (const auto& hierarchy : layout_.v1_hierarchies()) {
      EXPECT_FALSE(path_exists(AT_FDCWD, formatted("{}/lxc/{}", hierarchy, kVmid))) << hierarchy;
    }
  }

  Outcome pct(const std::vector<std::string>& words) { return run_pct_process(host, words); }
  Outcome set(std::vector<std::string> words) {
    words.insert(words.begin(), {"set", kId});
    return pct(words);
  }
  void expect_done(const std::vector<std::string>& words) {
    const auto outcome = set(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out + outcome.err, "");
  }
  // Runs a busybox applet inside.
  Outcome inside(std::vector<std::string> words) {
    words.insert(words.begin(), {"exec", kId, "--", "/bin/busybox"});
    return pct(words);
  }
  // A file of the limit group: its v2 name, or its v1 name.
  std::string limit(const std::string& controller, const std::string& v2, const std::string& v1) {
    const bool unified = layout_.has_v2(controller);
    const std::string tree = unified ? layout_.unified : layout_.v1_hierarchy(controller);
    return std::string(trim(read_file(AT_FDCWD, formatted("{}/lxc/{}/{}", tree, kVmid, unified ? v2 : v1))));
  }
  std::string memory_limit() { return limit("memory", "memory.max", "memory.limit_in_bytes"); }
  std::string cpu_limit() { return limit("cpu", "cpu.max", "cpu.cfs_quota_us"); }
  std::string config() const { return host.config(kVmid); }
  std::string pending() { return pct({"pending", kId}).out; }
  bool stops() {
    for (int i = 0; i < 500; ++i) {
      if (!path_exists(AT_FDCWD, state_directory(host.sysroot(), kVmid))) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  // Waits for what the ended container's supervisor does after its clean-up.
  bool nothing_waits_any_more() {
    for (int i = 0; i < 500; ++i) {
      if (config().find("[pve:pending]") == std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  static constexpr unsigned kVmid = 2110;
  const std::string kId = "2110";
  const std::string volume_ = "local:2110/subvol-2110-disk-0.subvol";
  const std::string rootfs_ = "var/lib/vz/images/2110/subvol-2110-disk-0.subvol/";
  const cgroupv2::Layout layout_ = cgroupv2::detect_layout();
  TemporaryHost host;
};

}  // namespace hutch::cli::testing
