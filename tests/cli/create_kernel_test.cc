#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/loop_device.h"
#include "base/mount.h"
#include "tests/cli/container_fixture.h"

namespace hutch::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Outcome;
using ::testing::StartsWith;

constexpr const char* kTemplate = "local:vztmpl/debian.tar.gz";
constexpr uid_t kShift = 100000;

class Create : public testing::ContainerFixture {
 protected:
  // Runs a create that has to fail and leave everything as it was.
  Outcome failing(std::vector<std::string> words) {
    words.insert(words.begin(), "create");
    const auto before = files();
    Outcome outcome = pct(words);
    EXPECT_NE(outcome.status, 0);
    EXPECT_EQ(files(), before);
    EXPECT_THAT(kernel_leftovers(), IsEmpty());
    return outcome;
  }
  std::string rootfs(const std::string& file) const {
    return host.path("var/lib/vz/images/100/subvol-100-disk-0.subvol/" + file);
  }
  static uid_t owner(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_uid : static_cast<uid_t>(-1);
  }
};

TEST_F(Create, DirectoryVolumeWithDefaults) {
  const auto outcome = pct({"create", "100", kTemplate, "--rootfs", "0"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(host.config(100),
            "arch: amd64\nhostname: CT100\nmemory: 512\nostype: debian\n"
            "rootfs: local:100/subvol-100-disk-0.subvol,size=0T\nswap: 512\nunprivileged: 1\n");
  EXPECT_EQ(owner(rootfs("")), kShift);
  EXPECT_EQ(owner(rootfs("bin/sh")), kShift);
  EXPECT_EQ(owner(rootfs("etc/hostname")), kShift);
  std::ifstream hostname(rootfs("etc/hostname"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(hostname), {}), "CT100\n");
  EXPECT_THAT(outcome.out,
              HasSubstr("extracting archive '" + host.path("var/lib/vz/template/cache/debian.tar.gz")));
  EXPECT_THAT(kernel_leftovers(), IsEmpty());
}

TEST_F(Create, PrivilegedAndPassthroughKeepContainerIds) {
  ASSERT_EQ(pct({"create", "100", kTemplate, "--rootfs", "0", "--unprivileged", "0"}).status, 0);
  EXPECT_EQ(owner(rootfs("bin/sh")), 0U);
  EXPECT_THAT(host.config(100), Not(HasSubstr("unprivileged")));

  const auto outcome = pct({"create", "101", kTemplate, "--rootfs", "local:0,idmap=passthrough"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(owner(host.path("var/lib/vz/images/101/subvol-101-disk-0.subvol/bin/sh")), 0U);
  EXPECT_EQ(owner(host.path("var/lib/vz/images/101/subvol-101-disk-0.subvol/etc/hostname")), 0U);
  EXPECT_THAT(host.config(101),
              HasSubstr("rootfs: local:101/subvol-101-disk-0.subvol,idmap=passthrough,size=0T\n"));
}

TEST_F(Create, OptionsAreStoredNormalised) {
  const auto outcome = pct({"create",
                            "100",
                            kTemplate,
                            "--rootfs=0",
                            "-hostname",
                            "web.example.org",
                            "--mem",
                            "256",
                            "--onboot",
                            "--net0",
                            "name=eth0,bridge=vmbr0,ip=10.0.0.2/24",
                            "--nameserver",
                            "10.0.0.1",
                            "--nameserver",
                            "10.0.0.3",
                            "--tags",
                            "b;A",
                            "--description",
                            "two\nlines",
                            "--unused0",
                            "local:x",
                            "--password",
                            "secret"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string config = host.config(100);
  EXPECT_THAT(config, StartsWith("#two\n#lines\n"));
  EXPECT_THAT(config,
              HasSubstr("\nhostname: web.example.org\nmemory: 256\nnameserver: 10.0.0.1 10.0.0.3\nnet0: "));
  EXPECT_THAT(config,
              ::testing::ContainsRegex(
                  "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:[0-9A-F:]+,ip=10.0.0.2/24,type=veth\n"));
  EXPECT_THAT(config, HasSubstr("\nonboot: 1\n"));
  EXPECT_THAT(config, HasSubstr("\ntags: a;b\n"));
  EXPECT_THAT(config, Not(HasSubstr("unused0")));
  EXPECT_THAT(outcome.err, HasSubstr("WARN: option '--unused0' is ignored by create\n"));
  EXPECT_THAT(outcome.err, HasSubstr("Task finished with 1 warning(s)!\n"));
  std::ifstream shadow(rootfs("etc/shadow"));
  std::string line;
  std::getline(shadow, line);
  EXPECT_THAT(line, StartsWith("root:$6$"));
  std::ifstream interfaces(rootfs("etc/network/interfaces"));
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(interfaces), {}), HasSubstr("address 10.0.0.2/24"));
}

TEST_F(Create, ImageVolumesWithAMountPoint) {
  if (!std::filesystem::exists("/dev/loop-control")) GTEST_SKIP() << "probe: /dev/loop-control is missing";
  host.write("tree/data/file", "content\n");
  pack("tree", "data.tar.zst");
  const auto outcome =
      pct({"create", "100", "local:vztmpl/data.tar.zst", "--rootfs", "0.1", "--mp0", "local:0.0625,mp=/data",
           "--mp1", "0,mp=/data/deep/er", "--mp2", "/usr,mp=/host"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(kernel_leftovers(), IsEmpty());
  EXPECT_THAT(host.config(100), HasSubstr("mp0: local:100/vm-100-disk-1.raw,mp=/data,size=64M\n"
                                          "mp1: local:100/subvol-100-disk-2.subvol,mp=/data/deep/er,size=0T\n"
                                          "mp2: /usr,mp=/host\n"));
  EXPECT_THAT(host.config(100), HasSubstr("rootfs: local:100/vm-100-disk-0.raw,size=102M\n"));

  const auto mount = [&](int disk) {
    const auto loop = attach_loop_device(
        host.path("var/lib/vz/images/100/vm-100-disk-" + std::to_string(disk) + ".raw"), true);
    return mount_block_device(loop.path, {{"ro", ""}}, MOUNT_ATTR_RDONLY);
  };
  const UniqueFd root = mount(0);
  const UniqueFd data = mount(1);
  EXPECT_EQ(read_file(data.get(), "file"), "content\n");
  EXPECT_FALSE(path_exists(root.get(), "data/file"));  // it went into the mount point
  EXPECT_TRUE(path_exists(data.get(), "deep/er"));
  EXPECT_EQ(read_file(root.get(), "etc/hostname"), "CT100\n");
  struct stat status {};
  ASSERT_EQ(::fstatat(data.get(), "deep", &status, 0), 0);
  EXPECT_EQ(status.st_uid, kShift);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
}

TEST_F(Create, ProgressDoesNotAppearWithoutATerminal) {
  const auto outcome = pct({"create", "100", kTemplate, "--rootfs", "0"});
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, Not(HasSubstr("\r")));
}

TEST_F(Create, SshKeys) {
  if (!std::filesystem::exists("/usr/bin/ssh-keygen")) GTEST_SKIP() << "probe: ssh-keygen is missing";
  host.write("bad.pub", "this is no key\n");
  EXPECT_NE(failing({"100", kTemplate, "--rootfs", "0", "--ssh-public-keys", host.path("bad.pub")}).err, "");
  run_checked({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host.path("key")});
  const auto outcome =
      pct({"create", "100", kTemplate, "--rootfs", "0", "--ssh-public-keys", host.path("key.pub")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::ifstream keys(rootfs("root/.ssh/authorized_keys"));
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(keys), {}), HasSubstr("ssh-ed25519 "));
}

TEST_F(Create, BadVmid) {
  const auto outcome = failing({"99", kTemplate});
  EXPECT_EQ(outcome.status, 255);
  EXPECT_EQ(outcome.err,
            "400 Parameter verification failed.\nvmid: value must have a minimum value of 100\n"
            "pct create <vmid> <ostemplate> [OPTIONS]\n");
}

TEST_F(Create, ExistingVmid) {
  host.add_container(100, "hostname: mine\n");
  const auto outcome = failing({"100", kTemplate});
  EXPECT_EQ(outcome.status, 255);
  EXPECT_EQ(outcome.err, "CT 100 already exists on node '" + ConfigStore(host.sysroot()).node() + "'\n");
  EXPECT_EQ(host.config(100), "hostname: mine\n");
}

TEST_F(Create, MissingTemplate) {
  const auto volume = failing({"100", "local:vztmpl/nosuch.tar.zst"});
  EXPECT_THAT(volume.err, HasSubstr("nosuch.tar.zst"));
  const auto file = failing({"100", "/nonexistent/debian.tar.gz"});
  EXPECT_THAT(file.err, StartsWith("can't find file '/nonexistent/debian.tar.gz'"));
  const auto kind = failing({"100", "local:iso/x.iso"});
  EXPECT_THAT(kind.err, HasSubstr("vztmpl"));
  EXPECT_THAT(failing({"100", "-"}).err, HasSubstr("standard input"));
  EXPECT_THAT(failing({"100", "/etc/passwd"}).err, HasSubstr("/etc/passwd"));
}

TEST_F(Create, BadOptionValues) {
  const auto outcome = failing({"100", kTemplate, "--memory", "15", "--cores", "0", "--hostname", "a_b",
                                "--net0", "name=eth0,ip=1.2.3.4"});
  EXPECT_EQ(outcome.status, 255);
  EXPECT_THAT(outcome.err,
              MatchesRegex("400 Parameter verification failed.\ncores: .*\nhostname: .*\nmemory: .*\n"
                           "net0: .*\npct create <vmid> <ostemplate> .OPTIONS.\n"));
  EXPECT_THAT(failing({"100", kTemplate, "--password", "1234"}).err,
              HasSubstr("password: value must be at least 5"));
  EXPECT_THAT(failing({"100", kTemplate, "--unique"}).err, HasSubstr("unique: missing property"));
  EXPECT_THAT(failing({"100", kTemplate, "--mp0", "local:1,mp=/x"}).err,
              HasSubstr("mp0: mount points need --rootfs"));
  EXPECT_THAT(failing({"100", kTemplate, "--ssh-public-keys", "/nonexistent"}).err,
              HasSubstr("/nonexistent"));
  EXPECT_THAT(failing({"100", kTemplate, "--dev0", "/dev/nosuch"}).err, HasSubstr("--dev0"));
  EXPECT_THAT(failing({"100", kTemplate, "--dev0", "/dev/shm"}).err, HasSubstr("is not a device"));
}

TEST_F(Create, WhatTwoOptionsCannotHaveInCommon) {
  EXPECT_THAT(failing({"100", kTemplate, "--net0", "name=eth0", "--net1", "name=eth0"}).err,
              HasSubstr("the interface name 'eth0' is that of net0 already [--net1]"));
  EXPECT_THAT(failing({"100", kTemplate, "--rootfs", "local:0", "--mp0", "/srv,mp=/"}).err,
              HasSubstr("'/' is where the rootfs is mounted [--mp0]"));
  host.write("var/lib/vz/images/100/vm-100-disk-5.raw", "x");
  const std::string disk = "local:100/vm-100-disk-5.raw";
  EXPECT_THAT(failing({"100", kTemplate, "--rootfs", disk, "--mp0", disk + ",mp=/a"}).err,
              HasSubstr("is that of rootfs already, and mounted twice it would be damaged [--mp0]"));
}

TEST_F(Create, OptionsThatThisVersionCannotHonour) {
  for (const char* option : {"--restore", "--force", "--ha-managed", "--pool=x", "--bwlimit=100"}) {
    EXPECT_THAT(failing({"100", kTemplate, option}).err, HasSubstr("cannot be used")) << option;
  }
}

TEST_F(Create, UnknownOrUnsuitableStorage) {
  EXPECT_THAT(failing({"100", kTemplate, "--rootfs", "nosuch:4"}).err, HasSubstr("nosuch"));
  EXPECT_THAT(failing({"100", kTemplate, "--storage", "nosuch"}).err, HasSubstr("nosuch"));
  host.write("etc/pve/storage.cfg", "dir: iso\n\tpath " + host.path("iso") + "\n\tcontent iso\n");
  EXPECT_THAT(failing({"100", kTemplate, "--storage", "iso"}).err, HasSubstr("rootdir"));
  EXPECT_THAT(failing({"100", kTemplate, "--rootfs", "local:100/vm-100-disk-7.raw"}).err,
              HasSubstr("vm-100-disk-7"));
  EXPECT_THAT(failing({"100", kTemplate, "--rootfs", "/srv"}).err, HasSubstr("--rootfs"));
}

TEST_F(Create, CorruptArchives) {
  const std::string cache = "var/lib/vz/template/cache/";
  host.write(cache + "noise.tar.gz", "this is not an archive at all");
  host.write(cache + "empty.tar", "");
  const std::string whole = host.read(cache + "debian.tar.gz");
  host.write(cache + "short.tar.gz", whole.substr(0, whole.size() / 2));
  for (const char* name : {"noise.tar.gz", "empty.tar", "short.tar.gz"}) {
    for (const char* size : {"0", "0.1"}) {
      const auto outcome = failing({"100", "local:vztmpl/" + std::string(name), "--rootfs", size});
      EXPECT_EQ(outcome.status, 255);
      EXPECT_THAT(outcome.err, StartsWith("unable to create CT 100 - ")) << name;
      EXPECT_THAT(outcome.err, HasSubstr(name));
      EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    }
  }
}

TEST_F(Create, UnpackErrorsMayBeIgnored) {
  const std::string cache = "var/lib/vz/template/cache/";
  const std::string whole = host.read(cache + "debian.tar.gz");
  host.write(cache + "short.tar.gz", whole.substr(0, whole.size() - 100));
  const auto outcome = pct({"create", "100", "local:vztmpl/short.tar.gz", "--rootfs", "0",
                            "--ignore-unpack-errors", "--ostype", "unmanaged"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("WARN: ignoring the extraction's failure: "));
  EXPECT_THAT(outcome.err, HasSubstr("Task finished with "));
}

TEST_F(Create, EvilArchives) {
  const std::string victim = host.path("victim");
  std::filesystem::create_directories(victim);
  std::filesystem::create_directories(host.path("evil"));
  host.write("evil/payload", "pwned\n");
  std::filesystem::create_directory_symlink(victim, host.path("evil/link"));
  const std::string cache = host.path("var/lib/vz/template/cache/");
  const auto tar = [&](const std::string& name, const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"tar", "-cPf", cache + name, "-C", host.path("evil")};
    words.insert(words.end(), arguments.begin(), arguments.end());
    run_checked(words);
  };
  tar("absolute.tar", {"--transform=s|^payload|" + victim + "/file|", "payload"});
  tar("dotdot.tar", {"--transform=s|^payload|../../../file|", "payload"});
  // A symlink that points outside, then a member that would be written through it.
  tar("link.tar", {"--transform=s|^payload|link/file|", "link", "payload"});
  for (const char* name : {"absolute.tar", "dotdot.tar", "link.tar"}) {
    const auto outcome = failing({"100", "local:vztmpl/" + std::string(name), "--rootfs", "0"});
    EXPECT_EQ(outcome.status, 255) << name;
    EXPECT_THAT(outcome.err, HasSubstr(name));
    EXPECT_TRUE(std::filesystem::is_empty(victim)) << name;
  }
}

TEST_F(Create, MountPathThroughASymlinkIsRefused) {
  host.write("evil/etc/os-release", "ID=debian\n");
  std::filesystem::create_directory_symlink("/etc", host.path("evil/data"));
  pack("evil", "evil.tar");
  // The mount point is made before the extraction, so the path is real and the archive's symlink loses.
  const auto made = pct({"create", "100", "local:vztmpl/evil.tar", "--rootfs", "0", "--mp0", "0,mp=/data",
                         "--ostype", "unmanaged"});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_TRUE(std::filesystem::is_directory(std::filesystem::symlink_status(rootfs("data"))));
  EXPECT_THAT(kernel_leftovers(), IsEmpty());
}

TEST_F(Create, FullDisk) {
  const std::string small = host.path("small");
  std::filesystem::create_directories(small);
  ASSERT_EQ(::mount("hutch-test", small.c_str(), "tmpfs", 0, "size=512k"), 0) << errno_text(errno);
  host.write("etc/pve/storage.cfg", "dir: small\n\tpath " + small + "\n\tcontent rootdir\n");
  const auto outcome = pct({"create", "100", kTemplate, "--rootfs", "small:0"});
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(small)) {
    if (!entry.is_directory()) left.insert(entry.path().string());
  }
  const bool images = std::filesystem::exists(small + "/images/100");
  ASSERT_EQ(::umount(small.c_str()), 0) << errno_text(errno);
  EXPECT_EQ(outcome.status, 255);
  EXPECT_THAT(outcome.err, HasSubstr("ENOSPC"));
  EXPECT_THAT(left, IsEmpty());
  EXPECT_FALSE(images);
  EXPECT_FALSE(ConfigStore(host.sysroot()).exists(100));
  EXPECT_THAT(kernel_leftovers(), IsEmpty());
}

TEST_F(Create, TooSmallImage) {
  if (!std::filesystem::exists("/dev/loop-control")) GTEST_SKIP() << "probe: /dev/loop-control is missing";
  std::filesystem::create_directories(host.path("tree/big"));
  run_checked({"dd", "if=/dev/urandom", "of=" + host.path("tree/big/file"), "bs=1M", "count=12"});
  pack("tree", "big.tar");
  const auto outcome = failing({"100", "local:vztmpl/big.tar", "--rootfs", "0.01"});
  EXPECT_EQ(outcome.status, 255);
  EXPECT_THAT(outcome.err, HasSubstr("ENOSPC"));
}

// The image is sparse, so its storage can be full while its file system is not.
TEST_F(Create, FullStorageBelowAnImage) {
  if (!std::filesystem::exists("/dev/loop-control")) GTEST_SKIP() << "probe: /dev/loop-control is missing";
  const std::string small = host.path("small");
  std::filesystem::create_directories(small);
  std::filesystem::create_directories(host.path("tree/big"));
  run_checked({"dd", "if=/dev/urandom", "of=" + host.path("tree/big/file"), "bs=1M", "count=24"});
  pack("tree", "big.tar");
  ASSERT_EQ(::mount("hutch-test", small.c_str(), "tmpfs", 0, "size=16m"), 0) << errno_text(errno);
  host.write("etc/pve/storage.cfg", "dir: small\n\tpath " + small + "\n\tcontent rootdir\n");
  const std::vector<std::string> words{"create", "100", "local:vztmpl/big.tar", "--rootfs", "small:0.25"};
  auto ignoring = words;
  ignoring.insert(ignoring.end(), {"--ignore-unpack-errors", "--ostype", "unmanaged"});
  const std::vector<Outcome> outcomes{pct(words), pct(ignoring)};
  const bool images = std::filesystem::exists(small + "/images/100");
  const auto left = kernel_leftovers();
  ASSERT_EQ(::umount(small.c_str()), 0) << errno_text(errno);
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.status, 255);
    EXPECT_THAT(outcome.err, HasSubstr("the storage that holds"));
  }
  EXPECT_FALSE(images);
  EXPECT_THAT(left, ElementsAre(HasSubstr(small)));  // the test's own mount
}

TEST_F(Create, TwoAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 2; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(pct({"create", "100", kTemplate, "--rootfs", "0"}).status);
    children.push_back(child);
  }
  std::vector<int> statuses;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    statuses.push_back(WEXITSTATUS(status));
  }
  std::sort(statuses.begin(), statuses.end());
  EXPECT_THAT(statuses, ElementsAre(0, 255));
  EXPECT_THAT(host.config(100), HasSubstr("rootfs: local:100/subvol-100-disk-0.subvol,size=0T\n"));
  EXPECT_THAT(host.config(100), Not(HasSubstr("lock")));
}

// The first program of that name among a process's children; its arguments, NUL-separated.
std::optional<std::string> child_command(pid_t parent, const std::string& name) {
  std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  for (std::string child; children >> child;) {
    std::ifstream file("/proc/" + child + "/cmdline");
    const std::string command(std::istreambuf_iterator<char>(file), {});
    if (command.starts_with(name + '\0')) return command;
  }
  return std::nullopt;
}

TEST_F(Create, HostKeysBegunBesideTheExtractionLeaveNothingBehind) {
  if (!std::filesystem::exists("/usr/bin/ssh-keygen")) GTEST_SKIP() << "probe: ssh-keygen is missing";
  if (!std::filesystem::exists("/proc/thread-self/children"))
    GTEST_SKIP() << "probe: /proc/thread-self/children is missing (CONFIG_PROC_CHILDREN)";
  std::filesystem::create_directories(host.path("tree/etc/ssh"));
  std::filesystem::create_directories(host.path("tree/big"));
  run_checked({"dd", "if=/dev/urandom", "of=" + host.path("tree/big/file"), "bs=1M", "count=400"});
  run_checked({"tar", "--numeric-owner", "--owner=0", "--group=0", "-cf",
               host.path("var/lib/vz/template/cache/ssh.tar"), "-C", host.path("tree"), "./etc", "./big"});
  const auto before = files();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(pct({"create", "100", "local:vztmpl/ssh.tar", "--rootfs", "0"}).status);
  std::optional<std::string> command;
  while (!command && ::waitpid(child, nullptr, WNOHANG) == 0) {
    command = child_command(child, "ssh-keygen");
  }
  ASSERT_TRUE(command) << "no ssh-keygen ran";
  // While the archive is unpacked, not behind it.
  EXPECT_TRUE(child_command(child, "hutch-archive"));
  ::kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 255);
  EXPECT_EQ(files(), before);
  const std::string file = command->substr(command->find("/tmp/hutch-ssh-"));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(file.c_str()).parent_path())) << file;
}

TEST_F(Create, HostKeys) {
  if (!std::filesystem::exists("/usr/bin/ssh-keygen")) GTEST_SKIP() << "probe: ssh-keygen is missing";
  std::filesystem::create_directories(host.path("tree/etc/ssh"));
  pack("tree", "ssh.tar");
  const auto outcome =
      pct({"create", "100", "local:vztmpl/ssh.tar", "--rootfs", "0", "--hostname", "web.example.org"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* type : {"rsa", "ecdsa", "ed25519"}) {
    const std::string key = "etc/ssh/ssh_host_" + std::string(type) + "_key";
    EXPECT_EQ(owner(rootfs(key)), kShift);
    std::ifstream public_key(rootfs(key + ".pub"));
    EXPECT_THAT(std::string(std::istreambuf_iterator<char>(public_key), {}), HasSubstr(" root@web\n"));
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  const auto unmanaged =
      pct({"create", "101", "local:vztmpl/ssh.tar", "--rootfs", "0", "--ostype", "unmanaged"});
  ASSERT_EQ(unmanaged.status, 0) << unmanaged.err;
  EXPECT_TRUE(std::filesystem::is_empty(host.path("var/lib/vz/images/101/subvol-101-disk-0.subvol/etc/ssh")));
}

TEST_F(Create, InterruptedCreateTakesEverythingBack) {
  std::filesystem::create_directories(host.path("tree/big"));
  run_checked({"dd", "if=/dev/urandom", "of=" + host.path("tree/big/file"), "bs=1M", "count=200"});
  pack("tree", "big.tar");
  const auto before = files();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto outcome = pct({"create", "100", "local:vztmpl/big.tar", "--rootfs", "0"});
    ::_exit(outcome.err.find("interrupted by SIGTERM") == std::string::npos ? 1 : outcome.status);
  }
  while (!std::filesystem::exists(rootfs("etc")) && ::waitpid(child, nullptr, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 255);
  EXPECT_EQ(files(), before);
}

}  // namespace
}  // namespace hutch::cli
