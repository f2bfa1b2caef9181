#include "seccomp/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <seccomp.h>

#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "bpf_interpreter.h"
#include "policies.h"

namespace hutch::seccomp {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kill_thread = SECCOMP_RET_KILL_THREAD;
constexpr std::uint32_t error(std::uint32_t number) {
  return SECCOMP_RET_ERRNO | number;
}

struct TestedAbi {
  const char* name;
  std::uint32_t audit_arch;
  std::uint32_t scmp_arch;
};
constexpr TestedAbi x86_64{"x86_64", AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64};
constexpr TestedAbi x86{"x86", AUDIT_ARCH_I386, SCMP_ARCH_X86};
constexpr TestedAbi x32{"x32", AUDIT_ARCH_X86_64, SCMP_ARCH_X32};
constexpr TestedAbi arm64{"arm64", AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64};
constexpr TestedAbi arm{"arm", AUDIT_ARCH_ARM, SCMP_ARCH_ARM};

BpfProgram compiled(const std::string& text, Architecture architecture = Architecture::x86_64) {
  return compile(parse_policy(text, {"test.seccomp", 0}), architecture);
}

std::uint32_t call(const BpfProgram& program, const TestedAbi& abi, int number,
                   const std::vector<std::uint64_t>& arguments = {}) {
  seccomp_data data{};
  data.nr = number;
  data.arch = abi.audit_arch;
  std::copy(arguments.begin(), arguments.end(), data.args);
  return run_filter(program, data).action;
}

std::uint32_t call(const BpfProgram& program, const TestedAbi& abi, const std::string& name,
                   const std::vector<std::uint64_t>& arguments = {}) {
  int number = ::seccomp_syscall_resolve_name_arch(abi.scmp_arch, name.c_str());
  if (number == -101) number = 359;  // x86's direct socket(2), which libseccomp names by a pseudo number
  EXPECT_GE(number, 0) << name << " on " << abi.name;
  return call(program, abi, number, arguments);
}

void expect_common_rules(const BpfProgram& program, const TestedAbi& abi) {
  SCOPED_TRACE(abi.name);
  for (const char* name :
       {"kexec_load", "open_by_handle_at", "init_module", "finit_module", "delete_module"}) {
    EXPECT_EQ(call(program, abi, name), error(EPERM)) << name;
  }
  EXPECT_EQ(call(program, abi, "umount2", {0, 1}), error(EACCES));
  EXPECT_EQ(call(program, abi, "umount2", {0, 3}), error(EACCES));
  EXPECT_EQ(call(program, abi, "umount2", {0, 2}), allow);
  EXPECT_EQ(call(program, abi, "openat"), allow);
  EXPECT_EQ(call(program, abi, -1), allow);
}

void expect_unprivileged_rules(const BpfProgram& program, const TestedAbi& abi) {
  SCOPED_TRACE(abi.name);
  expect_common_rules(program, abi);
  EXPECT_EQ(call(program, abi, "ioctl", {3, 0x9401}), error(EPERM));
  EXPECT_EQ(call(program, abi, "ioctl", {3, 0x5401}), allow);
  EXPECT_EQ(call(program, abi, "keyctl"), error(ENOSYS));
  EXPECT_EQ(call(program, abi, "clone3"), allow);
}

TEST(Compile, CommonPolicyOnEveryAbi) {
  const BpfProgram on_x86_64 = compiled(common_policy);
  for (const auto& abi : {x86_64, x86, x32}) expect_common_rules(on_x86_64, abi);
  const BpfProgram on_arm64 = compiled(common_policy, Architecture::arm64);
  for (const auto& abi : {arm64, arm}) expect_common_rules(on_arm64, abi);
}

TEST(Compile, UnprivilegedPolicyOnEveryAbi) {
  const BpfProgram on_x86_64 = compiled(unprivileged_policy);
  for (const auto& abi : {x86_64, x86, x32}) expect_unprivileged_rules(on_x86_64, abi);
  const BpfProgram on_arm64 = compiled(unprivileged_policy, Architecture::arm64);
  for (const auto& abi : {arm64, arm}) expect_unprivileged_rules(on_arm64, abi);
  for (const auto& abi : {x86_64, x32}) {
    EXPECT_EQ(call(on_x86_64, abi, "socket", {38}), error(EAFNOSUPPORT));
    EXPECT_EQ(call(on_x86_64, abi, "socket", {1}), allow);
  }
  for (const auto& abi : {arm64, arm}) EXPECT_EQ(call(on_arm64, abi, "socket", {38}), error(EAFNOSUPPORT));
}

TEST(Compile, NothingElseIsTouched) {
  const BpfProgram program = compiled(unprivileged_policy);
  const struct {
    TestedAbi abi;
    int base;
  } cases[] = {{x86_64, 0}, {x86, 0}, {x32, 0x40000000}};
  for (const auto& c : cases) {
    std::set<int> ruled;
    for (const char* name :
         {"kexec_load", "open_by_handle_at", "init_module", "finit_module", "delete_module", "keyctl"}) {
      ruled.insert(::seccomp_syscall_resolve_name_arch(c.abi.scmp_arch, name));
    }
    for (int number = c.base; number < c.base + 1024; ++number) {
      const auto expected = !ruled.contains(number) ? allow
                            : number == ::seccomp_syscall_resolve_name_arch(c.abi.scmp_arch, "keyctl")
                                ? error(ENOSYS)
                                : error(EPERM);
      EXPECT_EQ(call(program, c.abi, number), expected) << c.abi.name << " " << number;
    }
  }
}

TEST(Compile, ForeignAbiIsKilled) {
  EXPECT_EQ(call(compiled(common_policy), arm64, 0), kill_thread);
  EXPECT_EQ(call(compiled(common_policy, Architecture::arm64), x86_64, 0), kill_thread);
}

TEST(Compile, AllowListKillsTheRestButSkippedCalls) {
  const BpfProgram program = compiled("2\nallowlist\nread\nwrite\n");
  for (const auto& abi : {x86_64, x86, x32}) {
    EXPECT_EQ(call(program, abi, "read"), allow) << abi.name;
    EXPECT_EQ(call(program, abi, "openat"), kill_thread) << abi.name;
    EXPECT_EQ(call(program, abi, -1), allow) << abi.name;
  }
}

TEST(Compile, ActionsReachTheKernelsNumbers) {
  const BpfProgram program =
      compiled("2\ndenylist errno 7\nread allow\nwrite kill\nopen trap\nclose errno 0\n");
  EXPECT_EQ(call(program, x86_64, "read"), allow);
  EXPECT_EQ(call(program, x86_64, "write"), kill_thread);
  EXPECT_EQ(call(program, x86_64, "open"), static_cast<std::uint32_t>(SECCOMP_RET_TRAP));
  EXPECT_EQ(call(program, x86_64, "close"), error(0));
  EXPECT_EQ(call(program, x86_64, "fork"), error(7));
}

TEST(Compile, VersionOneCoversTheNativeAbiAlone) {
  if (native_architecture() != Architecture::x86_64) GTEST_SKIP() << "probe: the numbers are x86_64's";
  const BpfProgram program = compiled("1\nallowlist\n0\n1\n60\n");
  EXPECT_EQ(call(program, x86_64, 0), allow);
  EXPECT_EQ(call(program, x86_64, 60), allow);
  EXPECT_EQ(call(program, x86_64, 2), static_cast<std::uint32_t>(SECCOMP_RET_KILL_PROCESS));
  EXPECT_EQ(call(program, x86, 1), kill_thread);
  EXPECT_NE(call(program, x32, 0x40000001), allow);
  EXPECT_THROW(compiled("1\nallowlist\n0\n", Architecture::arm64), Error);
}

TEST(Compile, ConditionsOfOneLineAreAndedLinesAreOred) {
  const BpfProgram program =
      compiled("2\ndenylist\nioctl errno 1 [0,3,==][1,5,>=]\nioctl errno 2 [2,9,<]\nread errno 3 [0,4,!=]\n");
  EXPECT_EQ(call(program, x86_64, "ioctl", {3, 5, 9}), error(1));
  EXPECT_EQ(call(program, x86_64, "ioctl", {3, 4, 9}), allow);
  EXPECT_EQ(call(program, x86_64, "ioctl", {2, 5, 9}), allow);
  EXPECT_EQ(call(program, x86_64, "ioctl", {2, 4, 8}), error(2));
  EXPECT_EQ(call(program, x86_64, "read", {4}), allow);
  EXPECT_EQ(call(program, x86_64, "read", {5}), error(3));
}

TEST(Compile, ComparisonsUseAll64Bits) {
  const BpfProgram program =
      compiled("2\ndenylist\nread errno 1 [0,0x100000005,==]\nwrite errno 1 [0,0x100000005,>]\n");
  EXPECT_EQ(call(program, x86_64, "read", {0x100000005}), error(1));
  EXPECT_EQ(call(program, x86_64, "read", {5}), allow);
  EXPECT_EQ(call(program, x86_64, "write", {0x100000006}), error(1));
  EXPECT_EQ(call(program, x86_64, "write", {0xffffffff}), allow);
}

TEST(Compile, MaskOfZeroAlwaysHolds) {
  EXPECT_EQ(call(compiled("2\ndenylist\nread errno 1 [0,0,&=]\n"), x86_64, "read", {77}), error(1));
}

TEST(Compile, DenialsOfOneAbiHoldOnAllPermissionsOnTheirOwn) {
  const BpfProgram denying = compiled("2\ndenylist\n[x86]\nread errno 1\n[arm]\nwrite errno 1\n");
  for (const auto& abi : {x86_64, x86, x32}) {
    EXPECT_EQ(call(denying, abi, "read"), error(1)) << abi.name;
    EXPECT_EQ(call(denying, abi, "write"), allow) << abi.name;
  }
  const BpfProgram allowing = compiled("2\nallowlist\n[x86]\nread\n");
  EXPECT_EQ(call(allowing, x86, "read"), allow);
  EXPECT_EQ(call(allowing, x86_64, "read"), kill_thread);
  EXPECT_EQ(call(allowing, x32, "read"), kill_thread);
}

TEST(Compile, MultiplexedCallsOfX86) {
  // Without conditions: both ways. 102 is socketcall(2), 117 ipc(2).
  const BpfProgram whole = compiled("2\ndenylist\nsocket errno 1\nshmget errno 2\n");
  EXPECT_EQ(call(whole, x86, 359), error(1));
  EXPECT_EQ(call(whole, x86, 102, {1}), error(1));
  EXPECT_EQ(call(whole, x86, 102, {2}), allow);
  EXPECT_EQ(call(whole, x86, 395), error(2));
  EXPECT_EQ(call(whole, x86, 117, {23}), error(2));
  // With conditions nothing may be taken from programs that ask for another family.
  const BpfProgram some = compiled("2\ndenylist\nsocket errno 97 [0,38,==]\n");
  EXPECT_EQ(call(some, x86, 102, {1}), allow);
  EXPECT_EQ(call(some, x86_64, "socket", {38}), error(97));
}

TEST(Compile, StricterDenialWins) {
  EXPECT_EQ(call(compiled("2\ndenylist\nread errno 1\nread kill\n"), x86_64, "read"), kill_thread);
  EXPECT_EQ(call(compiled("2\ndenylist\nread errno 1\nread errno 2\n"), x86_64, "read"), error(1));
  EXPECT_EQ(call(compiled("2\ndenylist\nread errno 1 [0,1,==]\nread trap [0,1,==]\n"), x86_64, "read", {1}),
            static_cast<std::uint32_t>(SECCOMP_RET_TRAP));
  const BpfProgram swallowed = compiled("2\ndenylist\nread kill [0,1,==]\nread errno 1\n");
  EXPECT_EQ(call(swallowed, x86_64, "read", {0}), error(1));
  EXPECT_NE(call(swallowed, x86_64, "read", {1}), allow);
}

TEST(Compile, DefaultActionAsRuleChangesNothing) {
  EXPECT_EQ(bytes_of(compiled("2\ndenylist\nread allow\nwrite errno 1\n")),
            bytes_of(compiled("2\ndenylist\nwrite errno 1\n")));
  EXPECT_EQ(bytes_of(compiled("2\nallowlist\nread kill\nwrite\n")),
            bytes_of(compiled("2\nallowlist\nwrite\n")));
}

TEST(Compile, DenialAndPermissionForTheSameCallThrow) {
  for (const char* text : {"2\nallowlist\nsocket\nsocket errno 97 [0,38,==]\n",  // would lose the denial
                           "2\nallowlist\nsocket\nsocket kill [0,38,==]\n",
                           "2\ndenylist\nioctl errno 1\nioctl allow [1,5,==]\n"}) {
    try {
      compiled(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.origin().source, "test.seccomp");
      EXPECT_THAT(error.what(), HasSubstr("denied here and allowed by test.seccomp:"));
    }
  }
  const BpfProgram apart = compiled("2\nallowlist\nsocket allow [0,38,!=]\nsocket errno 97 [0,38,==]\n");
  EXPECT_EQ(call(apart, x86_64, "socket", {38}), error(97));
  EXPECT_EQ(call(apart, x86_64, "socket", {1}), allow);
}

TEST(Compile, UnknownNamesAndOtherArchitecturesAreLeftOut) {
  const BpfProgram program =
      compiled("2\ndenylist\nnosuchcall errno 1\nkeyctl\t kill\n[mips]\nread errno 1\n");
  EXPECT_EQ(bytes_of(program), bytes_of(compiled("2\ndenylist\n")));
}

TEST(Compile, NotifyAsksAListenerOrIsRefused) {
  const std::string text = "2\ndenylist\n\nmknod notify [1,0x2000,&=,0xf000]\n";
  const BpfProgram refused = compiled(text);
  EXPECT_EQ(call(refused, x86_64, "mknod", {0, 0x2000}), error(ENOSYS));
  EXPECT_EQ(call(refused, x86_64, "mknod", {0, 0x1000}), allow);
  const BpfProgram forwarded =
      compile(parse_policy(text, {"test.seccomp", 0}), native_architecture(), Notify::forward);
  EXPECT_EQ(call(forwarded, x86_64, "mknod", {0, 0x2000}), std::uint32_t{SECCOMP_RET_USER_NOTIF});
  EXPECT_EQ(call(forwarded, x86_64, "mknod", {0, 0x1000}), allow);
}

TEST(Compile, TheWayToTheListenerCannotBeAskedAbout) {
  for (const char* text : {"2\ndenylist\nsendmsg notify\n", "2\nallowlist notify\nread\n"}) {
    try {
      compile(parse_policy(text, {"test.seccomp", 0}), native_architecture(), Notify::forward);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("sendmsg"));
      EXPECT_EQ(error.origin().source, "test.seccomp");
    }
  }
}

TEST(Compile, TooLongForTheKernelThrows) {
  std::string text = "2\ndenylist\n";
  for (int i = 0; i < BPF_MAXINSNS; ++i) text += formatted("read errno 1 [0,{},==]\n", i);
  try {
    compiled(text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), E2BIG);
  }
}

TEST(Compile, IsDeterministic) {
  EXPECT_EQ(bytes_of(compiled(unprivileged_policy)), bytes_of(compiled(unprivileged_policy)));
}

TEST(Compile, DefaultPolicyIsShort) {
  const BpfProgram program = compiled(unprivileged_policy);
  EXPECT_LE(program.size(), 64U);
  unsigned most = 0;
  for (int number = 0; number < 462; ++number) {
    seccomp_data data{};
    data.nr = number;
    data.arch = AUDIT_ARCH_X86_64;
    most = std::max(most, run_filter(program, data).instructions);
  }
  EXPECT_LE(most, 18U);
  RecordProperty("program_length", static_cast<int>(program.size()));
  RecordProperty("longest_path_x86_64", static_cast<int>(most));
}

TEST(Gaps, NameWhatIsNotEnforced) {
  const Profile profile = parse_policy(
      std::string(unprivileged_policy) + "keyctll errno 1\n[mips]\nfoo errno 1\n", {"test.seccomp", 0});
  const auto found = gaps(profile, Architecture::x86_64);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].rule.syscall, "socket");
  EXPECT_THAT(found[0].reason, HasSubstr("32-bit programs"));
  EXPECT_EQ(found[1].rule.syscall, "keyctll");
  EXPECT_THAT(found[1].reason, HasSubstr("no system call is known"));
  EXPECT_EQ(gaps(profile, Architecture::arm64).size(), 1U);
  EXPECT_TRUE(gaps(parse_policy(common_policy, {"test.seccomp", 0}), Architecture::x86_64).empty());
}

}  // namespace
}  // namespace hutch::seccomp
