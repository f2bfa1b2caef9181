#include <sys/stat.h>

#include "base/error.h"
#include "base/format.h"
#include "bench/contender.h"

// The tools that stay in the foreground for as long as the container runs: their time ends with the first
// byte that the program inside writes.
namespace hutch::bench {

namespace {

constexpr const char* kUntilOutput = "stays in the foreground: measured until its program has written a byte";

}  // namespace

Contender nspawn_contender(const Arena& arena, const std::string& program, const Variant& variant,
                           unsigned index) {
  Contender contender;
  contender.tool = "nspawn";
  contender.title = "systemd-nspawn";
  if (variant.rootfs == RootfsKind::overlay) {
    contender.cannot = "its overlay rootfs is always a fresh tmpfs";
    return contender;
  }
  const Place place = make_place(arena, variant, index);
  const std::string name = container_name(place);
  auto& words = contender.start.argv;
  words = {program,
           "--quiet",
           "--register=no",
           "--keep-unit",
           "--console=pipe",
           "--machine=" + name,
           "--resolv-conf=off",
           "--timezone=off",
           "--link-journal=no",
           "--drop-capability=CAP_MAC_ADMIN,CAP_MAC_OVERRIDE,CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO"};
  words.push_back(place.image.empty() ? "--directory=" + place.directory : "--image=" + place.image);
  words.push_back(variant.network ? "--network-bridge=" + arena.bridge : "--private-network");
  if (!variant.privileged) {
    words.push_back(formatted("--private-users={}:{}", kFirstHostId, kIdCount));
    words.emplace_back("--private-users-ownership=off");
  }
  words.emplace_back("/bin/ready");
  // It has no option to go without its own filter.
  if (!variant.seccomp) contender.start.environment = {{"SYSTEMD_SECCOMP", "0"}};
  contender.start.until_output = true;
  contender.leaves_out = variant.limits ? "limits" : "";
  contender.remark = kUntilOutput;
  // Its lock of the rootfs is named after the inode.
  struct stat status = {};
  const std::string& rootfs = place.image.empty() ? place.directory : place.image;
  check(stat(rootfs.c_str(), &status), formatted("cannot stat '{}'", rootfs));
  contender.stale = {formatted("/run/systemd/nspawn/propagate/{}", name),
                     formatted("/run/systemd/nspawn/locks/inode-{}:{}", status.st_dev, status.st_ino)};
  return contender;
}

Contender bwrap_contender(const Arena& arena, const std::string& program, const Variant& variant,
                          unsigned index) {
  Contender contender;
  contender.tool = "bwrap";
  contender.title = "bubblewrap";
  if (variant.rootfs != RootfsKind::directory) {
    contender.cannot = "takes mounted directories only";
    return contender;
  }
  const Place place = make_place(arena, variant, index);
  auto& words = contender.start.argv;
  words = {program,
           "--unshare-pid",
           "--unshare-net",
           "--unshare-ipc",
           "--unshare-uts",
           "--unshare-cgroup",
           "--die-with-parent",
           "--hostname",
           "bench",
           "--bind",
           place.directory,
           "/",
           "--proc",
           "/proc",
           "--dev",
           "/dev"};
  if (!variant.privileged) words.insert(words.end(), {"--unshare-user", "--uid", "0", "--gid", "0"});
  const bool filter = variant.seccomp && !arena.filter.empty();
  if (filter) {
    constexpr int kFilterFd = 10;
    contender.start.files = {{kFilterFd, arena.filter}};
    words.insert(words.end(), {"--seccomp", std::to_string(kFilterFd)});
  }
  words.emplace_back("/bin/ready");
  contender.start.until_output = true;
  contender.leaves_out = list_of({variant.network ? "veth" : "", variant.limits ? "cgroup, limits" : "cgroup",
                                  variant.seccomp && !filter ? "seccomp" : "",
                                  variant.privileged ? "" : "ids but one", "sysfs"});
  contender.remark = kUntilOutput;
  return contender;
}

}  // namespace hutch::bench
