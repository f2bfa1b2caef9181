#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

#include "policies.h"
#include "seccomp/compile.h"

namespace hutch::seccomp {
namespace {

constexpr int cannot_install = 100;

// Installs the filter in a forked child, runs `body` there, and gives the child's wait status.
int under_filter(const std::string& policy, const std::function<int()>& body) {
  BpfProgram program = compile(parse_policy(policy, {"test.seccomp", 0}));
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    // Needed where CAP_SYS_ADMIN is missing, harmless elsewhere.
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0) {
      ::_exit(cannot_install);
    }
    ::_exit(body());
  }
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid ? status : -1;
}

// The errno of a call that must fail; 0 when it succeeds.
template <typename... Arguments>
int errno_of(long number, Arguments... arguments) {
  errno = 0;
  return ::syscall(number, arguments...) < 0 ? errno : 0;
}

// The exit status of the child is the errno.
void expect_errno(const std::string& policy, int expected, const std::function<int()>& body) {
  const int status = under_filter(policy, body);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == cannot_install) GTEST_SKIP() << "probe: this kernel installs no seccomp filter";
  EXPECT_EQ(WEXITSTATUS(status), expected);
}

TEST(Filter, KernelModulesAndKexecAreRefused) {
  expect_errno(common_policy, EPERM, [] { return errno_of(SYS_kexec_load, 0, 0, 0, 0); });
  expect_errno(common_policy, EPERM, [] { return errno_of(SYS_init_module, 0, 0, 0); });
  expect_errno(common_policy, EPERM, [] { return errno_of(SYS_finit_module, -1, 0, 0); });
  expect_errno(common_policy, EPERM, [] { return errno_of(SYS_delete_module, 0, 0); });
}

TEST(Filter, HandlesAreRefused) {
  // Without the filter: EFAULT or EBADF, not EPERM.
  EXPECT_NE(errno_of(SYS_open_by_handle_at, -1, 0, 0), EPERM);
  expect_errno(common_policy, EPERM, [] { return errno_of(SYS_open_by_handle_at, -1, 0, 0); });
}

TEST(Filter, ForcedUnmountIsRefusedOthersAreNot) {
  expect_errno(common_policy, EACCES, [] { return errno_of(SYS_umount2, "/nonexistent", MNT_FORCE); });
  expect_errno(common_policy, EACCES,
               [] { return errno_of(SYS_umount2, "/nonexistent", MNT_FORCE | MNT_DETACH); });
  expect_errno(common_policy, ENOENT, [] { return errno_of(SYS_umount2, "/nonexistent", MNT_DETACH); });
}

TEST(Filter, CryptoSocketsAreRefusedOthersAreNot) {
  expect_errno(unprivileged_policy, EAFNOSUPPORT,
               [] { return errno_of(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0); });
  expect_errno(unprivileged_policy, 0, [] { return errno_of(SYS_socket, AF_UNIX, SOCK_STREAM, 0); });
  expect_errno(unprivileged_policy, 0, [] { return errno_of(SYS_socket, AF_INET, SOCK_DGRAM, 0); });
}

TEST(Filter, KeyringsAreAbsent) {
  const auto join = [] { return errno_of(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0); };
  expect_errno(unprivileged_policy, ENOSYS, join);
  if (join() == ENOSYS)
    GTEST_SKIP() << "probe: this kernel has no keyrings, so nothing tells the policies apart";
  expect_errno(common_policy, join(), join);
}

TEST(Filter, BtrfsControlIsRefusedOthersAreNot) {
  // On no descriptor at all: what the filter lets through fails with EBADF.
  expect_errno(unprivileged_policy, EPERM, [] { return errno_of(SYS_ioctl, -1, 0x5000940eUL, 0); });
  expect_errno(unprivileged_policy, EBADF, [] { return errno_of(SYS_ioctl, -1, TIOCGWINSZ, 0); });
}

TEST(Filter, OrdinaryCallsWork) {
  expect_errno(unprivileged_policy, 0, [] {
    const int fd = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    char buffer[16];
    return fd >= 0 && ::read(fd, buffer, sizeof buffer) > 0 && ::close(fd) == 0 && ::getppid() > 0 ? 0 : 1;
  });
}

TEST(Filter, ADeniedCallOfAnAllowListKills) {
  const int status = under_filter("2\nallowlist\nexit_group\n", [] { return errno_of(SYS_getppid); });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

#if defined(__x86_64__)
// getpid(2), by its i386 number through the 32-bit entry; -ENOSYS where the kernel was built without it.
long call_32bit(long number, long first) {
  long result = 0;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

TEST(Filter, HoldsThroughThe32BitEntry) {
  const int status = under_filter("2\ndenylist\n", [] { return call_32bit(20, 0) == ::getpid() ? 0 : 1; });
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    GTEST_SKIP() << "probe: no 32-bit system calls on this kernel";
  expect_errno(unprivileged_policy, ENOSYS, [] { return static_cast<int>(-call_32bit(288, 0)); });  // keyctl
  expect_errno(common_policy, EPERM, [] { return static_cast<int>(-call_32bit(283, 0)); });  // kexec_load
}
#endif

}  // namespace
}  // namespace hutch::seccomp
