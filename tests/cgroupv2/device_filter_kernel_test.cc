#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "cgroupv2/device_filter.h"
#include "tests/cgroupv2/kernel_support.h"

namespace hutch::cgroupv2 {
namespace {

using testing::HasSubstr;

// The reason why no device filter can be used here, or nothing.
std::optional<std::string> no_device_filter() {
  try {
    load_device_program(device_program({.allow_by_default = false}));
    return std::nullopt;
  } catch (const Error& error) {
    return error.what();
  }
}

class DeviceFilterKernelTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (const auto reason = no_device_filter()) GTEST_SKIP() << "probe: " << *reason;
  }
  static int open_errno(const Group& group, const char* path, int flags) {
    Child child(group, [path, flags] { return ::open(path, flags | O_CLOEXEC) < 0 ? errno : 0; });
    const int status = child.wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

DeviceRule allow(unsigned major, unsigned minor, bool write = true) {
  return {.allow = true,
          .type = 'c',
          .major = major,
          .minor = minor,
          .read = true,
          .write = write,
          .mknod = true};
}

TEST_F(DeviceFilterKernelTest, DeniedNodesCannotBeOpened) {
  TestGroup group("devices");
  group.start({});
  EXPECT_EQ(open_errno(group, "/dev/zero", O_RDWR), 0);
  const UniqueFd limits = group.open_limits();
  attach_device_program(limits.get(),
                        load_device_program(device_program({.allow_by_default = false,
                                                            .rules = {allow(1, 3), allow(1, 9, false)}}))
                            .get());
  EXPECT_EQ(open_errno(group, "/dev/null", O_RDWR), 0);
  EXPECT_EQ(open_errno(group, "/dev/zero", O_RDONLY), EPERM);
  EXPECT_EQ(open_errno(group, "/dev/urandom", O_RDONLY), 0);
  EXPECT_EQ(open_errno(group, "/dev/urandom", O_RDWR), EPERM);
  EXPECT_EQ(open_errno(group, "/etc/passwd", O_RDONLY), 0);
}

TEST_F(DeviceFilterKernelTest, MakingNodesIsAskedFor) {
  TestGroup group("mknod");
  group.start({});
  const UniqueFd limits = group.open_limits();
  attach_device_program(
      limits.get(),
      load_device_program(device_program({.allow_by_default = false, .rules = {allow(1, 3)}})).get());
  std::string directory = "/tmp/hutch-mknod-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  Child child(group, [&directory] {
    if (::mknod((directory + "/null").c_str(), S_IFCHR | 0600, makedev(1, 3)) < 0) return 1;
    if (::mknod((directory + "/zero").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0) return 2;
    return errno == EPERM ? 0 : 3;
  });
  EXPECT_EQ(child.wait(), 0);
  remove_tree(AT_FDCWD, directory);
}

TEST_F(DeviceFilterKernelTest, ReplacedAndDetachedLive) {
  TestGroup group("replace");
  group.start({});
  const UniqueFd limits = group.open_limits();
  const auto policy = [](unsigned minor) {
    return DevicePolicy{.allow_by_default = false, .rules = {allow(1, minor)}};
  };
  replace_device_program(limits.get(), load_device_program(device_program(policy(3))).get());
  EXPECT_EQ(open_errno(group, "/dev/null", O_RDONLY), 0);
  EXPECT_EQ(open_errno(group, "/dev/zero", O_RDONLY), EPERM);
  replace_device_program(limits.get(), load_device_program(device_program(policy(5))).get());
  EXPECT_EQ(open_errno(group, "/dev/null", O_RDONLY), EPERM);
  EXPECT_EQ(open_errno(group, "/dev/zero", O_RDONLY), 0);
  detach_device_programs(limits.get());
  EXPECT_EQ(open_errno(group, "/dev/null", O_RDONLY), 0);
  detach_device_programs(limits.get());
}

TEST_F(DeviceFilterKernelTest, HundredsOfRulesLoad) {
  DevicePolicy policy{.allow_by_default = false};
  for (unsigned i = 0; i < 300; ++i) policy.rules.push_back(allow(200 + i % 7, i, i % 2 == 0));
  EXPECT_TRUE(load_device_program(device_program(policy)));
}

// The verifier takes no instruction that cannot be reached.
TEST_F(DeviceFilterKernelTest, EveryShapeOfRuleLoads) {
  for (const bool by_default : {true, false}) {
    for (const bool allowed : {true, false}) {
      for (const char type : {'a', 'b', 'c'}) {
        for (unsigned shape = 0; shape < 32; ++shape) {
          DeviceRule rule{.allow = allowed, .type = type};
          if ((shape & 1U) != 0) rule.major = 4095;
          if ((shape & 2U) != 0) rule.minor = 5;
          rule.read = (shape & 4U) != 0;
          rule.write = (shape & 8U) != 0;
          rule.mknod = (shape & 16U) != 0;
          const DevicePolicy policy{by_default, {allow(1, 3), rule, allow(1, 5)}};
          ASSERT_NO_THROW(load_device_program(device_program(policy))) << allowed << type << shape;
        }
      }
    }
  }
}

TEST_F(DeviceFilterKernelTest, TheVerifierIsQuoted) {
  auto program = device_program({});
  program.front().off = 64;  // beyond the context
  try {
    load_device_program(program);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("invalid bpf_context access"));
  }
}

TEST_F(DeviceFilterKernelTest, OnlyCgroupsTakeFilters) {
  const UniqueFd directory = open_file(AT_FDCWD, "/tmp", O_RDONLY | O_DIRECTORY);
  EXPECT_THROW(attach_device_program(directory.get(), load_device_program(device_program({})).get()), Error);
}

}  // namespace
}  // namespace hutch::cgroupv2
