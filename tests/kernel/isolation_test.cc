#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/apparmor.h"
#include "tests/kernel/container_fixture.h"

namespace hutch::kernel_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class IsolationTest : public ContainerTest {};

ino_t namespace_of(const std::string& process, const std::string& kind) {
  struct stat status {};
  check(::stat(formatted("/proc/{}/ns/{}", process, kind).c_str(), &status), "cannot look at a namespace");
  return status.st_ino;
}

TEST_F(IsolationTest, TheGeneratedProfileConfinesInitAndJoinedPrograms) {
  if (!apparmor_enabled()) GTEST_SKIP() << "probe: this kernel does not enforce AppArmor";
  spec.apparmor.profile = "generated";
  start();
  const std::string name = formatted("lxc-{}_</var/lib/lxc>", vmid());
  const std::string label = name + " (enforce)";
  EXPECT_EQ(trim(read_file(AT_FDCWD, formatted("/proc/{}/attr/current", state().init.pid))), label);
  EXPECT_EQ(sh("cat /proc/self/attr/current"), label);
  // The user namespace allows both; the profile one of them.
  EXPECT_THAT(sh("mount -t cgroup2 cgroup2 /mnt"), HasSubstr("Permission denied"));
  EXPECT_EQ(sh("mount -t ramfs ramfs /mnt && echo done"), "done");
  kill();
  EXPECT_THAT(read_file(AT_FDCWD, "/sys/kernel/security/apparmor/profiles"), Not(HasSubstr(name)));
}

TEST_F(IsolationTest, EveryNamespaceIsItsOwn) {
  start();
  const std::string init = std::to_string(state().init.pid);
  for (const auto* kind : {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"}) {
    EXPECT_NE(namespace_of(init, kind), namespace_of("self", kind)) << kind;
  }
  EXPECT_EQ(namespace_of(init, "time"), namespace_of("self", "time"));
  EXPECT_EQ(sh("hostname"), "inside");
  EXPECT_EQ(sh("echo $$ > /tmp/pid; ps -o pid,args | grep 'sleep 1000' | head -n 1"),
            "    1 /bin/sleep 1000");
  // A network namespace without links has nothing but lo, which is down.
  EXPECT_THAT(sh("ip -o link"), HasSubstr("1: lo: <LOOPBACK> mtu 65536 qdisc noop"));
}

TEST_F(IsolationTest, TimeNamespaceWhereAsked) {
  spec.namespaces.time = true;
  spec.namespaces.boottime_offset_ns = 1000000LL * 1000000000LL;
  start();
  EXPECT_NE(namespace_of(std::to_string(state().init.pid), "time"), namespace_of("self", "time"));
  const std::string inside = exec({"/bin/cat", "/proc/uptime"}).out;
  const std::string outside = read_file(AT_FDCWD, "/proc/uptime");
  EXPECT_GE(std::stod(inside), std::stod(outside) + 999000);
}

TEST_F(IsolationTest, IdMapsAreAsConfigured) {
  // One range with a hole, and one id that is the host's own.
  spec.id_map.uids = {{0, 100000, 1000, {}}, {1000, 1000, 1, {}}, {1001, 101001, 64535, {}}};
  spec.id_map.gids = {{0, 100000, 65536, {}}};
  start();
  const std::string proc = formatted("/proc/{}/", state().init.pid);
  std::vector<std::string> rows;
  const std::string map = read_file(AT_FDCWD, proc + "uid_map");
  for (const auto line : split(map, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 3) rows.push_back(formatted("{} {} {}", words[0], words[1], words[2]));
  }
  EXPECT_EQ(join(rows, ","), "0 100000 1000,1000 1000 1,1001 101001 64535");
  EXPECT_EQ(sh("touch /tmp/mine && stat -c %u:%g /tmp/mine"), "0:0");
  struct stat status {};
  ASSERT_EQ(::stat((rootfs() + "/tmp/mine").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 100000U);
  EXPECT_EQ(sh("touch /tmp/theirs && chown 1000 /tmp/theirs && stat -c %u /tmp/theirs"), "1000");
  ASSERT_EQ(::stat((rootfs() + "/tmp/theirs").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1000U);
  EXPECT_EQ(exec({"/bin/chown", "70000", "/tmp/mine"}).status, 1);
}

TEST_F(IsolationTest, NothingOutsideTheRootfsCanBeReached) {
  const std::string secret = directory() + "/secret";
  replace_file(AT_FDCWD, secret, "do not read", 0644);
  start();
  for (const std::string& path :
       {secret, "/../../../../" + secret, "/proc/1/root" + secret, "/proc/self/cwd/.." + secret}) {
    EXPECT_NE(exec({"/bin/cat", path}).status, 0) << path;
  }
  EXPECT_THAT(sh("cat /proc/1/mountinfo"), Not(HasSubstr(" / / ")));
  EXPECT_EQ(sh("ls /"), "bin\ndev\netc\nmnt\nproc\nroot\nsbin\nsys\ntmp");
  // The old root is detached, so no mount of the host is left to list.
  EXPECT_THAT(sh("cat /proc/mounts"), Not(HasSubstr("/sys/fs/cgroup/")));
}

TEST_F(IsolationTest, NoDescriptorAndNoVariableOfTheHostReachesInit) {
  constexpr int kLeaked = 77;
  const int opened = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(opened, kLeaked), kLeaked);  // without close-on-exec, as a careless caller's
  ::setenv("HUTCH_TEST_SECRET", "do not read", 1);
  start();
  ::unsetenv("HUTCH_TEST_SECRET");
  EXPECT_EQ(sh("ls /proc/1/fd"), "0\n1\n2");
  EXPECT_EQ(sh("readlink /proc/1/fd/0"), "/dev/null");
  std::string environment = sh("cat /proc/1/environ");
  std::replace(environment.begin(), environment.end(), '\0', ' ');
  EXPECT_EQ(environment, "TERM=linux PATH=/bin:/sbin container=lxc ");
  EXPECT_EQ(exec({"/bin/ls", "/proc/self/fd"}).out, "0\n1\n2\n3\n");  // 3 is the directory that ls reads
  ::close(kLeaked);
  ::close(opened);
}

TEST_F(IsolationTest, ProcAndSysAreProtected) {
  start();
  EXPECT_THAT(sh("echo 1 > /proc/sys/kernel/panic"), HasSubstr("Read-only file system"));
  if (path_exists(AT_FDCWD, "/proc/sysrq-trigger")) {
    EXPECT_THAT(sh("echo b > /proc/sysrq-trigger"), HasSubstr("Read-only file system"));
  }
  EXPECT_THAT(sh("echo x > /sys/kernel/mm/ksm/run"), HasSubstr("Read-only file system"));
  EXPECT_EQ(sh("echo 1 > /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward"), "1");
  EXPECT_NE(sh("cat /proc/sys/kernel/random/boot_id") + "\n",
            read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
}

TEST_F(IsolationTest, DeviceNodesWorkAndNoOthersCanBeMade) {
  start();
  EXPECT_EQ(sh("echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c"),
            "3\n3");
  EXPECT_THAT(sh("echo x > /dev/full"), HasSubstr("No space left"));
  EXPECT_EQ(sh("cd /dev; for n in full null random tty urandom zero; do stat -c '%a %t:%T' $n; done"),
            "666 1:7\n666 1:3\n666 1:8\n666 5:0\n666 1:9\n666 1:5");
  EXPECT_NE(exec({"/bin/mknod", "/dev/vda", "b", "254", "0"}).status, 0);
  EXPECT_EQ(sh("readlink /dev/fd; readlink /dev/ptmx"), "/proc/self/fd\npts/ptmx");
}

TEST_F(IsolationTest, PrivilegedContainersHaveADeviceFilter) {
  make_privileged();
  spec.devices.allow_by_default = false;
  cgroupv2::DeviceRule rule;
  rule.type = 'c';
  rule.major = 1;
  rule.read = rule.write = true;
  spec.devices.rules = {rule};
  rule.major = std::nullopt;
  rule.read = rule.write = false;
  rule.mknod = true;
  spec.devices.rules.push_back(rule);
  start();
  EXPECT_EQ(sh("echo x > /dev/null && echo fine"), "fine");
  EXPECT_EQ(sh("mknod /tmp/kmsg c 1 11 && mknod /tmp/fuse c 10 229 && echo made"), "made");
  EXPECT_THAT(sh("cat /tmp/fuse"), HasSubstr("Operation not permitted"));
}

TEST_F(IsolationTest, CapabilitiesNoNewPrivsAndSeccomp) {
  spec.capabilities.drop = {{"sys_time", {}}, {"sys_module", {}}};
  spec.no_new_privs = true;
  spec.seccomp.policy = "2\ndenylist\n[all]\nsethostname errno 38\n";
  start();
  for (const auto& process : {std::string("/proc/1/status"), std::string("/proc/self/status")}) {
    const std::string status = sh("cat " + process);
    EXPECT_THAT(status, HasSubstr("CapBnd:\t000001fffdfeffff"));
    EXPECT_THAT(status, HasSubstr("CapEff:\t000001fffdfeffff"));
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  }
  EXPECT_THAT(sh("hostname other"), HasSubstr("Function not implemented"));
}

TEST_F(IsolationTest, ARootfsWithSymlinksInTheWayIsRefused) {
  for (const auto* name : {"dev", "proc", "sys"}) {
    const std::string path = rootfs() + "/" + name;
    ASSERT_EQ(::rmdir(path.c_str()), 0);
    ASSERT_EQ(::symlink("/tmp", path.c_str()), 0);
    const std::string error = start_error();
    EXPECT_THAT(error, HasSubstr("ELOOP")) << name;
    EXPECT_THAT(error, HasSubstr(formatted("/{}", name)));
    ASSERT_EQ(::unlink(path.c_str()), 0);
    ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  }
}

TEST_F(IsolationTest, TheCgroupTreeIsDelegated) {
  start();
  EXPECT_EQ(sh("cat /proc/1/cgroup | grep ^0::"), "0::/");
  EXPECT_EQ(sh("mkdir /sys/fs/cgroup/child && echo $$ > /sys/fs/cgroup/child/cgroup.procs && cat "
               "/proc/self/cgroup | grep ^0::"),
            "0::/child");
  EXPECT_THAT(sh("grep cgroup /proc/mounts"),
              HasSubstr("/sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime"));
}

}  // namespace
}  // namespace hutch::kernel_test
