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

TEST(SshKeys, HostKeys) {
  if (!has_keygen()) GTEST_SKIP() << "probe: ssh-keygen is not installed";
  const TemporaryRootfs rootfs;
  Report report;
  write_ssh_host_keys(rootfs.root(), "web", report);
  EXPECT_TRUE(report.lines.empty());
  rootfs.put("/etc/ssh/ssh_host_rsa_key", "the template's", 0644);
  write_ssh_host_keys(rootfs.root(), "web", report);
  ASSERT_EQ(6U, report.lines.size());
  EXPECT_EQ("Creating SSH host key 'ssh_host_rsa_key' - this may take some time ...", report.lines[0]);
  EXPECT_TRUE(report.lines[1].starts_with("done: SHA256:")) << report.lines[1];
  EXPECT_TRUE(report.lines[1].ends_with(" root@web")) << report.lines[1];
  for (const std::string type : {"rsa", "ecdsa", "ed25519"}) {
    const std::string file = "/etc/ssh/ssh_host_" + type + "_key";
    EXPECT_EQ(0600U, rootfs.mode(file));
    EXPECT_EQ(0644U, rootfs.mode(file + ".pub"));
    EXPECT_TRUE(rootfs.get(file).starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    EXPECT_TRUE(rootfs.get(file + ".pub").ends_with("root@web\n"));
  }
}

}  // namespace
}  // namespace hutch::guest
