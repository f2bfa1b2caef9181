#include "guest/ssh_keys.h"

#include <gtest/gtest.h>

#include "base/process.h"
#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

constexpr const char* kKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl user@host";

bool has_keygen() {
  try {
    run_program({"ssh-keygen", "-l", "-f", "/dev/null"});
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(SshKeys, Validation) {
  if (!has_keygen()) GTEST_SKIP() << "probe: ssh-keygen is not installed";
  Report report;
  validate_ssh_public_keys("", report);
  validate_ssh_public_keys(std::string("# mine\n\n") + kKey + "\n" + kKey, report);
  EXPECT_TRUE(report.warnings.empty());
  try {
    validate_ssh_public_keys(std::string(kKey) + "\nssh-ed25519 AAAAno user@host\n", report);
    FAIL() << "a bad key passed";
  } catch (const Error& failed) {
    EXPECT_NE(std::string::npos, failed.action().find("line 2")) << failed.what();
  }
  EXPECT_THROW(validate_ssh_public_keys("hello", report), Error);
}

TEST(SshKeys, AuthorizedKeys) {
  const TemporaryRootfs rootfs;
  Report report;
  rootfs.put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  write_authorized_keys(rootfs.root(), kKey, report);
  EXPECT_EQ(1U, report.warnings.size());  // no /root yet
  std::filesystem::create_directory(rootfs.path("/root"));
  write_authorized_keys(rootfs.root(), " \n", report);
  EXPECT_FALSE(rootfs.exists("/root/.ssh"));
  write_authorized_keys(rootfs.root(), kKey, report);
  EXPECT_EQ(0700U, rootfs.mode("/root/.ssh"));
  EXPECT_EQ(0700U, rootfs.mode("/root/.ssh/authorized_keys"));
  EXPECT_EQ(std::string("# --- BEGIN PVE ---\n") + kKey + "\n# --- END PVE ---\n",
            rootfs.get("/root/.ssh/authorized_keys"));
}

TEST(SshKeys, HostileHomeStaysInside) {
  const TemporaryRootfs rootfs;
  Report report;
  rootfs.put("/etc/passwd", "root:x:0:0:root:/../../outside:/bin/sh\n");
  write_authorized_keys(rootfs.root(), kKey, report);
  rootfs.put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  rootfs.link(rootfs.outside(), "/root");
  write_authorized_keys(rootfs.root(), kKey, report);
  EXPECT_EQ(2U, report.warnings.size());
  EXPECT_TRUE(rootfs.outside_is_empty());
}

}  // namespace
}  // namespace hutch::guest
