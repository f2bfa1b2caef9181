#include "guest/ssh_host_keys.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/process.h"
#include "base/text.h"
#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

// A program in ssh-keygen's place. Each call appends "<type> <pid> <key file>" to the file `calls`.
class FakeKeygen {
 public:
  explicit FakeKeygen(const std::string& then) {
    files_.put("/keygen",
               "#!/bin/sh\n"
               "while [ $# -gt 0 ]; do case $1 in -t) type=$2;; -f) file=$2;; esac; shift 2; done\n"
               "echo $type $$ $file >> " +
                   files_.path("/calls") + "\n" + then + "\n",
               0755);
  }
  std::string program() const { return files_.path("/keygen"); }
  // Waits for that many calls; each one's words.
  std::vector<std::vector<std::string>> calls(std::size_t count) const {
    for (;;) {
      std::vector<std::vector<std::string>> found;
      const std::string text = files_.exists("/calls") ? files_.get("/calls") : "";
      for (const auto line : split(text, '\n')) {
        const auto words = split_blanks(line);
        if (words.size() == 3) found.emplace_back(words.begin(), words.end());
      }
      if (found.size() >= count) return found;
      ::usleep(1000);
    }
  }

 private:
  TemporaryRootfs files_;
};

constexpr const char* kMakeKey =
    "echo secret of $type > $file; echo public of $type > $file.pub\n"
    "echo 'The key fingerprint is:'; echo SHA256:abc of $type";

bool has_children() {
  return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD;
}

TEST(SshHostKeys, MadeByTheHostsKeygen) {
  try {
    run_program({"ssh-keygen", "-l", "-f", "/dev/null"});
  } catch (const Error&) {
    GTEST_SKIP() << "probe: ssh-keygen is not installed";
  }
  const TemporaryRootfs rootfs;
  Report report;
  SshHostKeys("web").write(rootfs.root(), report);
  EXPECT_TRUE(report.lines.empty());
  rootfs.put("/etc/ssh/ssh_host_rsa_key", "the template's", 0644);
  SshHostKeys("web").write(rootfs.root(), report);
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

TEST(SshHostKeys, BegunEarlyAndUsed) {
  const FakeKeygen keygen(kMakeKey);
  const TemporaryRootfs rootfs;
  SshHostKeys keys("web", keygen.program());
  keys.begin_where_wanted(rootfs.root());
  EXPECT_FALSE(keys.begun());  // no /etc/ssh yet
  std::filesystem::create_directory(rootfs.path("/etc/ssh"));
  keys.begin_where_wanted(rootfs.root());
  EXPECT_TRUE(keys.begun());
  keys.begin_where_wanted(rootfs.root());
  const std::string directory = std::filesystem::path(keygen.calls(3)[0][2]).parent_path();
  EXPECT_EQ(std::filesystem::perms::owner_all, std::filesystem::status(directory).permissions());
  Report report;
  keys.write(rootfs.root(), report);
  EXPECT_EQ(3U, keygen.calls(3).size());
  EXPECT_EQ("done: SHA256:abc of ecdsa", report.lines.at(3));
  EXPECT_EQ("secret of rsa\n", rootfs.get("/etc/ssh/ssh_host_rsa_key"));
  EXPECT_EQ("public of ed25519\n", rootfs.get("/etc/ssh/ssh_host_ed25519_key.pub"));
  EXPECT_FALSE(has_children());
}

TEST(SshHostKeys, NothingFollowsASymlinkOutOfTheRootfs) {
  const FakeKeygen keygen(kMakeKey);
  const TemporaryRootfs rootfs;
  rootfs.link(rootfs.outside(), "/etc/ssh");
  SshHostKeys keys("web", keygen.program());
  keys.begin_where_wanted(rootfs.root());
  EXPECT_FALSE(keys.begun());
  Report report;
  keys.write(rootfs.root(), report);
  EXPECT_TRUE(rootfs.outside_is_empty());
}

TEST(SshHostKeys, DroppedWithWhatStillRuns) {
  const FakeKeygen keygen("exec sleep 1000");
  const TemporaryRootfs rootfs;
  std::filesystem::create_directory(rootfs.path("/etc/ssh"));
  std::vector<std::vector<std::string>> calls;
  {
    SshHostKeys keys("web", keygen.program());
    keys.begin_where_wanted(rootfs.root());
    calls = keygen.calls(3);
    // The template replaced it by something else: no keys.
    std::filesystem::remove(rootfs.path("/etc/ssh"));
    Report report;
    keys.write(rootfs.root(), report);
    EXPECT_TRUE(report.lines.empty());
  }
  for (const auto& call : calls) {
    EXPECT_FALSE(std::filesystem::exists("/proc/" + call[1]));
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(call[2]).parent_path())) << call[2];
  }
  EXPECT_FALSE(has_children());
}

TEST(SshHostKeys, NoKeygenIsAWarning) {
  const TemporaryRootfs rootfs;
  std::filesystem::create_directory(rootfs.path("/etc/ssh"));
  for (const bool early : {false, true}) {
    SshHostKeys keys("web", "no-such-keygen-here");
    if (early) keys.begin_where_wanted(rootfs.root());
    Report report;
    keys.write(rootfs.root(), report);
    EXPECT_TRUE(report.lines.empty());
    ASSERT_EQ(1U, report.warnings.size());
    EXPECT_NE(std::string::npos, report.warnings[0].find("the host has no ssh-keygen")) << report.warnings[0];
  }
  EXPECT_TRUE(std::filesystem::is_empty(rootfs.path("/etc/ssh")));
  EXPECT_FALSE(has_children());
}

TEST(SshHostKeys, FailingKeygenIsAnError) {
  const FakeKeygen keygen("echo no randomness >&2; exit 3");
  const TemporaryRootfs rootfs;
  std::filesystem::create_directory(rootfs.path("/etc/ssh"));
  for (const bool early : {false, true}) {
    SshHostKeys keys("web", keygen.program());
    if (early) keys.begin_where_wanted(rootfs.root());
    Report report;
    try {
      keys.write(rootfs.root(), report);
      ADD_FAILURE() << "no error";
    } catch (const Error& failed) {
      EXPECT_EQ("ssh-keygen cannot make the host key 'ssh_host_rsa_key': exited with status 3: no randomness",
                failed.action());
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(rootfs.path("/etc/ssh")));
  EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace hutch::guest
