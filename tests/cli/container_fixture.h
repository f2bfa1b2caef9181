#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/process.h"
#include "tests/cli/command_line.h"

namespace hutch::cli::testing {

// A temporary host with templates, and the means to see what a command left behind.
class ContainerFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: geteuid() is not 0";
    if (!std::filesystem::exists("/bin/busybox"))
      GTEST_SKIP() << "probe: /bin/busybox (busybox-static) is missing";
    make_template();
  }

  Outcome pct(const std::vector<std::string>& words) { return run_pct(host, words); }

  // Every file and directory below the root with its type, besides lock files and the empty directories of
  // the layout, which are made once and stay.
  std::set<std::string> files() const {
    static const std::set<std::string> kLayout = {"etc",         "etc/pve",       "etc/pve/local",
                                                  "etc/pve/lxc", "etc/pve/nodes", "run",
                                                  "run/lock",    "var/lib/lxc",   "var/lib/vz/images"};
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(host.root())) {
      const std::string name = entry.path().string().substr(host.root().size() + 1);
      if (kLayout.count(name) != 0 || name.starts_with("run/lock/")) continue;
      if (name.starts_with("etc/pve/nodes/") && entry.is_directory()) continue;
      found.insert(name);
    }
    return found;
  }

  // Loop devices over files of this host, and mounts below it.
  std::vector<std::string> kernel_leftovers() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
      std::ifstream file(entry.path() / "loop/backing_file");
      std::string line;
      if (std::getline(file, line) && line.find(host.root()) != std::string::npos) found.push_back(line);
    }
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
      if (line.find(host.root()) != std::string::npos) found.push_back(line);
    }
    return found;
  }

  // Packs directory `tree` of the host as var/lib/vz/template/cache/<name>.
  void pack(const std::string& tree, const std::string& name) const {
    const std::string cache = host.path("var/lib/vz/template/cache");
    std::filesystem::create_directories(cache);
    run_checked({"tar", "--numeric-owner", "--owner=0", "--group=0", "-caf", cache + "/" + name, "-C",
                 host.path(tree), "."});
  }

  void make_template() const {
    host.write("tree/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    host.write("tree/etc/debian_version", "12.5\n");
    host.write("tree/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    host.write("tree/etc/shadow", "root:*:19000:0:99999:7:::\n");
    host.write("tree/etc/network/interfaces", "auto lo\niface lo inet loopback\n");
    for (const char* directory : {"root", "sbin", "bin", "proc", "sys", "dev", "srv"}) {
      std::filesystem::create_directories(host.path("tree/" + std::string(directory)));
    }
    std::filesystem::copy_file("/bin/busybox", host.path("tree/bin/sh"));
    std::filesystem::create_symlink("/bin/sh", host.path("tree/sbin/init"));
    pack("tree", "debian.tar.gz");
  }

  TemporaryHost host;
};

}  // namespace hutch::cli::testing
