#include "runtime/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include "base/error.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}

std::vector<Located<std::string>> listed(const std::vector<std::string>& names) {
  std::vector<Located<std::string>> entries;
  for (const auto& name : names)
    entries.push_back({name, {"100.conf", static_cast<int>(entries.size()) + 1}});
  return entries;
}

std::uint64_t dropping(const std::vector<std::string>& names, unsigned last = 40) {
  return bounding_set_to_drop({listed(names), std::nullopt}, last);
}

std::uint64_t keeping(const std::vector<std::string>& names, unsigned last = 40) {
  return bounding_set_to_drop({{}, listed(names)}, last);
}

TEST(Capabilities, NamesAndNumbers) {
  EXPECT_EQ(capability_number("chown"), CAP_CHOWN);
  EXPECT_EQ(capability_number("sys_time"), CAP_SYS_TIME);
  EXPECT_EQ(capability_number("checkpoint_restore"), CAP_CHECKPOINT_RESTORE);
  for (const char* word : {"", "cap_chown", "CHOWN", "0", "time", "sys_time "}) {
    EXPECT_EQ(capability_number(word), std::nullopt) << word;
  }
  for (unsigned number = 0; number <= 40; ++number)
    EXPECT_EQ(capability_number(capability_name(number)), number);
  EXPECT_EQ(capability_name(63), "63");
}

TEST(Capabilities, EveryNameOfTheFormatIsKnown) {
  for (const char* name : {"chown",
                           "dac_override",
                           "dac_read_search",
                           "fowner",
                           "fsetid",
                           "kill",
                           "setgid",
                           "setuid",
                           "setpcap",
                           "linux_immutable",
                           "net_bind_service",
                           "net_broadcast",
                           "net_admin",
                           "net_raw",
                           "ipc_lock",
                           "ipc_owner",
                           "sys_module",
                           "sys_rawio",
                           "sys_chroot",
                           "sys_ptrace",
                           "sys_pacct",
                           "sys_admin",
                           "sys_boot",
                           "sys_nice",
                           "sys_resource",
                           "sys_time",
                           "sys_tty_config",
                           "mknod",
                           "lease",
                           "audit_write",
                           "audit_control",
                           "setfcap",
                           "mac_override",
                           "mac_admin",
                           "syslog",
                           "wake_alarm",
                           "block_suspend",
                           "audit_read",
                           "perfmon",
                           "bpf",
                           "checkpoint_restore"}) {
    EXPECT_TRUE(capability_number(name)) << name;
  }
}

TEST(Capabilities, LastIsTheKernels) {
  EXPECT_GE(last_capability(), 37U);
  EXPECT_LE(last_capability(), 63U);
}

TEST(BoundingSet, NothingListedDropsNothing) {
  EXPECT_EQ(bounding_set_to_drop({}, 40), 0U);
}

TEST(BoundingSet, DropsTheListed) {
  EXPECT_EQ(dropping({"mac_admin", "mac_override", "sys_time", "sys_module", "sys_rawio"}),
            bit(CAP_MAC_ADMIN) | bit(CAP_MAC_OVERRIDE) | bit(CAP_SYS_TIME) | bit(CAP_SYS_MODULE) |
                bit(CAP_SYS_RAWIO));
  EXPECT_EQ(dropping({"40", "0", "chown"}), bit(40) | bit(0));
}

TEST(BoundingSet, KeepDropsTheRest) {
  EXPECT_EQ(keeping({"chown", "kill"}, 7), 0xffU & ~(bit(CAP_CHOWN) | bit(CAP_KILL)));
  EXPECT_EQ(keeping({"none"}, 40), bit(41) - 1);
  EXPECT_EQ(keeping({}, 40), bit(41) - 1);
  EXPECT_EQ(keeping({"none", "chown"}, 40), (bit(41) - 1) & ~bit(0));
  EXPECT_EQ(keeping({"none"}, 63), ~std::uint64_t{0});
}

TEST(BoundingSet, NamesNewerThanTheKernelChangeNothing) {
  EXPECT_EQ(dropping({"checkpoint_restore", "chown"}, 37), bit(CAP_CHOWN));
  EXPECT_EQ(keeping({"checkpoint_restore"}, 37), bit(38) - 1);
}

TEST(BoundingSet, BadEntriesThrowWithTheirLine) {
  for (const char* word : {"frobnicate", "41", "none", "-1", "99999999999999999999", "SYS_TIME"}) {
    try {
      dropping({"chown", word});
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.origin().text(), "100.conf:2");
      EXPECT_THAT(error.what(), HasSubstr(word));
    }
  }
  EXPECT_THROW(keeping({"41"}), Error);
  EXPECT_THROW(bounding_set_to_drop({}, 64), Error);
}

}  // namespace
}  // namespace hutch
