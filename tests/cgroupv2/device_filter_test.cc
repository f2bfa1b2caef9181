#include "cgroupv2/device_filter.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "base/error.h"

namespace hutch::cgroupv2 {
namespace {

constexpr std::uint32_t kMknod = BPF_DEVCG_ACC_MKNOD;
constexpr std::uint32_t kRead = BPF_DEVCG_ACC_READ;
constexpr std::uint32_t kWrite = BPF_DEVCG_ACC_WRITE;

// Runs a program of the instructions that device_program() uses; anything else fails the test.
bool run(const std::vector<bpf_insn>& program, const bpf_cgroup_dev_ctx& context) {
  std::array<std::uint64_t, 11> registers{};
  for (std::size_t at = 0, steps = 0; at < program.size() && steps < 10000; ++at, ++steps) {
    const bpf_insn& step = program[at];
    auto& destination = registers.at(step.dst_reg);
    // Immediate values are sign-extended to 64 bits.
    const auto immediate = static_cast<std::uint64_t>(static_cast<std::int64_t>(step.imm));
    const std::uint64_t source = registers.at(step.src_reg);
    const auto jump = [&](bool taken) { at += taken ? static_cast<std::size_t>(step.off) : 0; };
    switch (step.code) {
      case BPF_LDX | BPF_MEM | BPF_W: {
        std::uint32_t word = 0;
        std::memcpy(&word, reinterpret_cast<const char*>(&context) + step.off, sizeof word);
        destination = word;
        break;
      }
      case BPF_LD | BPF_DW | BPF_IMM: {
        const std::uint64_t high = static_cast<std::uint32_t>(program.at(++at).imm);
        destination = (high << 32) | static_cast<std::uint32_t>(step.imm);
        break;
      }
      case BPF_ALU64 | BPF_MOV | BPF_X: destination = source; break;
      case BPF_ALU64 | BPF_MOV | BPF_K: destination = immediate; break;
      case BPF_ALU64 | BPF_AND | BPF_K: destination &= immediate; break;
      case BPF_ALU64 | BPF_AND | BPF_X: destination &= source; break;
      case BPF_ALU64 | BPF_XOR | BPF_X: destination ^= source; break;
      case BPF_ALU64 | BPF_OR | BPF_X: destination |= source; break;
      case BPF_ALU64 | BPF_LSH | BPF_K: destination <<= immediate; break;
      case BPF_JMP | BPF_JNE | BPF_K: jump(destination != immediate); break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(destination == immediate); break;
      case BPF_JMP | BPF_EXIT: return registers[0] != 0;
      default: ADD_FAILURE() << "instruction " << static_cast<unsigned>(step.code); return false;
    }
  }
  ADD_FAILURE() << "the program does not end";
  return false;
}

bool asks(const DevicePolicy& policy, char type, std::uint32_t major, std::uint32_t minor,
          std::uint32_t access) {
  const std::uint32_t kind = type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
  return run(device_program(policy), {.access_type = (access << 16) | kind, .major = major, .minor = minor});
}

DeviceRule rule(bool allow, char type, std::optional<std::uint32_t> major, std::optional<std::uint32_t> minor,
                std::string_view access) {
  const auto has = [access](char c) { return access.find(c) != std::string_view::npos; };
  return {allow, type, major, minor, has('r'), has('w'), has('m'), {"100.conf", 7}};
}

TEST(DeviceFilterTest, NeededUnlessEverythingIsAllowed) {
  EXPECT_FALSE(needs_device_filter({}));
  EXPECT_FALSE(needs_device_filter({.rules = {rule(true, 'c', 1, 3, "rwm")}}));
  EXPECT_TRUE(needs_device_filter({.rules = {rule(false, 'c', 1, 3, "rwm")}}));
  EXPECT_TRUE(needs_device_filter({.allow_by_default = false}));
}

TEST(DeviceFilterTest, AnAllowlistWithoutRulesRefusesEverything) {
  EXPECT_FALSE(asks({.allow_by_default = false}, 'c', 1, 3, kRead));
  EXPECT_TRUE(asks({}, 'c', 1, 3, kRead));
}

TEST(DeviceFilterTest, InstructionsOfOneRule) {
  const auto program = device_program({.allow_by_default = false, .rules = {rule(true, 'c', 5, 2, "rw")}});
  ASSERT_EQ(program.size(), 7U + 9U + 2U);
  const auto is = [&program](std::size_t at, int code, unsigned reg, std::int16_t offset,
                             std::uint32_t immediate) {
    const bpf_insn& step = program[at];
    EXPECT_EQ(step.code, code) << at;
    EXPECT_EQ(step.dst_reg, reg) << at;
    EXPECT_EQ(step.off, offset) << at;
    EXPECT_EQ(static_cast<std::uint32_t>(step.imm), immediate) << at;
  };
  is(0, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, 4, 0);
  is(2, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, 8, 0);
  is(5, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, 0, 0);
  is(7, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_4, 0, BPF_DEVCG_DEV_CHAR);
  is(8, 0, 0, 0, (5U << 20) | 2U);
  is(9, BPF_ALU64 | BPF_XOR | BPF_X, BPF_REG_4, 0, 0);
  is(10, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_5, 0, (BPF_DEVCG_ACC_MKNOD << 16) | 0xffffU);
  is(11, 0, 0, 0, 0xffffffffU);
  is(12, BPF_ALU64 | BPF_AND | BPF_X, BPF_REG_4, 0, 0);
  is(13, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 2, 0);
  is(14, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 1);
  is(15, BPF_JMP | BPF_EXIT, 0, 0, 0);
  is(16, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0);
  is(17, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

TEST(DeviceFilterTest, TheLargestNumbersAreTheKernels) {
  const DevicePolicy largest{.allow_by_default = false, .rules = {rule(true, 'c', 4095, 1048575, "r")}};
  EXPECT_TRUE(asks(largest, 'c', 4095, 1048575, kRead));
  EXPECT_FALSE(asks(largest, 'c', 4094, 1048575, kRead));
  EXPECT_FALSE(asks(largest, 'c', 4095, 1048574, kRead));
  // A minor number that is too large must not run into the major number.
  EXPECT_FALSE(
      asks({.allow_by_default = false, .rules = {rule(true, 'c', 1, 1048576, "r")}}, 'c', 1, 0, kRead));
  EXPECT_FALSE(
      asks({.allow_by_default = false, .rules = {rule(true, 'c', 0, 1048576, "r")}}, 'c', 1, 0, kRead));
  EXPECT_TRUE(asks({.rules = {rule(false, 'c', 4096, {}, "r")}}, 'c', 0, 0, kRead));
}

TEST(DeviceFilterTest, ARuleForEverythingEndsTheProgram) {
  const DevicePolicy policy{.allow_by_default = false,
                            .rules = {rule(false, 'c', 1, 3, "r"), rule(true, 'a', {}, {}, "rwm")}};
  EXPECT_EQ(device_program(policy).size(), 7U + 2U);
  EXPECT_TRUE(asks(policy, 'c', 1, 3, kRead));
}

TEST(DeviceFilterTest, AllowNeedsEveryRequestedBit) {
  const DevicePolicy policy{.allow_by_default = false, .rules = {rule(true, 'c', 1, 3, "r")}};
  EXPECT_TRUE(asks(policy, 'c', 1, 3, kRead));
  EXPECT_FALSE(asks(policy, 'c', 1, 3, kWrite));
  EXPECT_FALSE(asks(policy, 'c', 1, 3, kRead | kWrite));
  EXPECT_FALSE(asks(policy, 'b', 1, 3, kRead));
  EXPECT_FALSE(asks(policy, 'c', 2, 3, kRead));
  EXPECT_FALSE(asks(policy, 'c', 1, 4, kRead));
}

TEST(DeviceFilterTest, DenyNeedsOneRequestedBit) {
  const DevicePolicy policy{.rules = {rule(false, 'c', 1, 3, "w")}};
  EXPECT_TRUE(asks(policy, 'c', 1, 3, kRead));
  EXPECT_FALSE(asks(policy, 'c', 1, 3, kWrite));
  EXPECT_FALSE(asks(policy, 'c', 1, 3, kRead | kWrite));
  EXPECT_TRUE(asks(policy, 'c', 1, 3, kMknod));
  EXPECT_TRUE(asks(policy, 'c', 1, 5, kWrite));
}

TEST(DeviceFilterTest, WildcardsMatchEveryNumber) {
  const DevicePolicy policy{.allow_by_default = false,
                            .rules = {rule(true, 'c', {}, {}, "m"), rule(true, 'b', {}, {}, "m"),
                                      rule(true, 'c', 136, {}, "rwm"), rule(true, 'a', 200, {}, "r")}};
  EXPECT_TRUE(asks(policy, 'c', 99, 99, kMknod));
  EXPECT_TRUE(asks(policy, 'b', 8, 0, kMknod));
  EXPECT_FALSE(asks(policy, 'b', 8, 0, kRead));
  EXPECT_TRUE(asks(policy, 'c', 136, 1048575, kRead | kWrite));
  EXPECT_TRUE(asks(policy, 'b', 200, 1, kRead));
  EXPECT_TRUE(asks(policy, 'c', 200, 1, kRead));
}

TEST(DeviceFilterTest, TheNewestRuleWins) {
  const DeviceRule allow = rule(true, 'c', 5, 1, "rwm");
  const DeviceRule deny = rule(false, 'c', 5, 1, "rwm");
  for (const bool by_default : {true, false}) {
    EXPECT_FALSE(asks({by_default, {allow, deny}}, 'c', 5, 1, kRead));
    EXPECT_TRUE(asks({by_default, {deny, allow}}, 'c', 5, 1, kRead));
  }
}

TEST(DeviceFilterTest, TheAnswerToAnOpenForBothIsTheProgramsOwn) {
  const DevicePolicy policies[] = {
      {},
      {.allow_by_default = false},
      {true, {rule(false, 'c', 1, 3, "w")}},
      {true, {rule(false, 'c', {}, {}, "rwm"), rule(true, 'c', 1, 3, "rw")}},
      {false, {rule(true, 'a', {}, {}, "rwm"), rule(false, 'c', 1, {}, "m")}},
      {false, {rule(true, 'c', 1, 3, "r"), rule(true, 'c', 1, 3, "w")}},
  };
  for (const auto& policy : policies) {
    for (const std::uint32_t minor : {3U, 5U}) {
      EXPECT_EQ(allows_read_and_write(policy, 'c', 1, minor), asks(policy, 'c', 1, minor, kRead | kWrite));
    }
  }
}

TEST(DeviceFilterTest, DenyWriteOfADeviceOfTheConfig) {
  // What `dev0: /dev/x,deny-write=1` asks for.
  const DevicePolicy policy{.allow_by_default = false,
                            .rules = {rule(true, 'c', 10, 7, "r"), rule(false, 'c', 10, 7, "w")}};
  EXPECT_TRUE(asks(policy, 'c', 10, 7, kRead));
  EXPECT_FALSE(asks(policy, 'c', 10, 7, kRead | kWrite));
}

TEST(DeviceFilterTest, ARuleWithoutAccessMatchesNothing) {
  EXPECT_TRUE(asks({.rules = {rule(false, 'c', 1, 3, "")}}, 'c', 1, 3, kRead));
  EXPECT_FALSE(asks({.allow_by_default = false, .rules = {rule(true, 'c', 1, 3, "")}}, 'c', 1, 3, kRead));
}

TEST(DeviceFilterTest, UnknownTypesAreRefused) {
  try {
    device_program({.rules = {rule(false, 'x', 1, 3, "r")}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin().line, 7);
  }
}

// Every program of up to two rules over a small world against the rules read one by one.
TEST(DeviceFilterTest, AgreesWithTheRulesReadOneByOne) {
  std::vector<DeviceRule> rules;
  for (const bool allow : {true, false}) {
    for (const char type : {'a', 'b', 'c'}) {
      for (const char* access : {"r", "rw", "m", "rwm"}) {
        rules.push_back(rule(allow, type, 1, {}, access));
        rules.push_back(rule(allow, type, {}, 2, access));
      }
    }
  }
  const auto expected = [](const DevicePolicy& policy, char type, std::uint32_t major, std::uint32_t minor,
                           std::uint32_t access) {
    for (auto each = policy.rules.rbegin(); each != policy.rules.rend(); ++each) {
      const std::uint32_t bits =
          (each->read ? kRead : 0U) | (each->write ? kWrite : 0U) | (each->mknod ? kMknod : 0U);
      if (each->type != 'a' && each->type != type) continue;
      if (each->major.value_or(major) != major || each->minor.value_or(minor) != minor) continue;
      if (each->allow ? (access & ~bits) == 0 : (access & bits) != 0) return each->allow;
    }
    return policy.allow_by_default;
  };
  for (const auto& first : rules) {
    for (const auto& second : rules) {
      const DevicePolicy policy{first.allow, {first, second}};
      for (const char type : {'b', 'c'}) {
        for (std::uint32_t number = 1; number <= 2; ++number) {
          for (std::uint32_t access = 1; access <= 7; ++access) {
            ASSERT_EQ(asks(policy, type, number, 2, access), expected(policy, type, number, 2, access));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace hutch::cgroupv2
