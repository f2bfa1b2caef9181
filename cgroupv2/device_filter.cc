#include "cgroupv2/device_filter.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::cgroupv2 {

namespace {

// The question, bpf_cgroup_dev_ctx of linux/bpf.h, packed into one register, so that a rule is one comparison
// under a mask: bits 52..63 the major and 32..51 the minor number (no device has larger ones:
// linux/kdev_t.h), 16..18 the access, 0..15 the type. The verifier's work grows with the square of the number
// of jumps per rule: with a jump for each part, 12 rules took 0.4 ms to load and 100 rules 15 ms.
constexpr std::uint8_t kResult = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kPart = BPF_REG_2;
constexpr std::uint8_t kQuestion = BPF_REG_3;
constexpr std::uint8_t kDifference = BPF_REG_4;
constexpr std::uint8_t kMask = BPF_REG_5;

constexpr unsigned kMajorShift = 52;
constexpr unsigned kMinorShift = 32;
constexpr unsigned kAccessShift = 16;
constexpr std::uint64_t kMajorLimit = 1U << 12;
constexpr std::uint64_t kMinorLimit = 1U << 20;
constexpr std::uint64_t kTypeMask = 0xffff;

constexpr std::uint32_t kAllAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

bpf_insn instruction(int code, std::uint8_t destination, std::uint8_t source, std::int16_t offset,
                     std::uint32_t immediate) {
  bpf_insn result{};
  result.code = static_cast<std::uint8_t>(code);
  result.dst_reg = destination & 0xf;
  result.src_reg = source & 0xf;
  result.off = offset;
  result.imm = static_cast<std::int32_t>(immediate);
  return result;
}

bpf_insn load_word(std::uint8_t destination, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, kContext, static_cast<std::int16_t>(offset), 0);
}
bpf_insn combine(int operation, std::uint8_t destination, std::uint8_t source) {
  return instruction(BPF_ALU64 | operation | BPF_X, destination, source, 0, 0);
}
bpf_insn arithmetic(int operation, std::uint8_t destination, std::uint32_t immediate) {
  return instruction(BPF_ALU64 | operation | BPF_K, destination, 0, 0, immediate);
}
// A 64-bit constant takes two instructions.
void load_constant(std::vector<bpf_insn>& program, std::uint8_t destination, std::uint64_t value) {
  program.push_back(
      instruction(BPF_LD | BPF_DW | BPF_IMM, destination, 0, 0, static_cast<std::uint32_t>(value)));
  program.push_back(instruction(0, 0, 0, 0, static_cast<std::uint32_t>(value >> 32)));
}
// To the next rule; the offset is filled in when the rule's end is known.
bpf_insn skip_if(int comparison, std::uint8_t reg) {
  return instruction(BPF_JMP | comparison | BPF_K, reg, 0, 0, 0);
}
bool is_skip(const bpf_insn& step) {
  return step.code == (BPF_JMP | BPF_JNE | BPF_K) || step.code == (BPF_JMP | BPF_JEQ | BPF_K);
}
void give(std::vector<bpf_insn>& program, bool allow) {
  program.push_back(arithmetic(BPF_MOV, kResult, allow ? 1 : 0));
  program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

std::uint32_t access_bits(const DeviceRule& rule) {
  std::uint32_t bits = 0;
  if (rule.read) bits |= BPF_DEVCG_ACC_READ;
  if (rule.write) bits |= BPF_DEVCG_ACC_WRITE;
  if (rule.mknod) bits |= BPF_DEVCG_ACC_MKNOD;
  return bits;
}

// Whether any question can match: there are no such devices, or the rule names no access.
bool can_match(const DeviceRule& rule) {
  return access_bits(rule) != 0 && rule.major.value_or(0) < kMajorLimit &&
         rule.minor.value_or(0) < kMinorLimit;
}

// Which bits of the question the rule looks at, and what they have to be.
struct Pattern {
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

Pattern pattern_of(const DeviceRule& rule) {
  Pattern pattern;
  if (rule.type != 'a') {
    pattern.mask |= kTypeMask;
    pattern.value |= rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
  }
  if (rule.major) {
    pattern.mask |= (kMajorLimit - 1) << kMajorShift;
    pattern.value |= std::uint64_t{*rule.major} << kMajorShift;
  }
  if (rule.minor) {
    pattern.mask |= (kMinorLimit - 1) << kMinorShift;
    pattern.value |= std::uint64_t{*rule.minor} << kMinorShift;
  }
  // The bits that an allow rule does not have may not be asked for.
  if (rule.allow) pattern.mask |= std::uint64_t{kAllAccess & ~access_bits(rule)} << kAccessShift;
  return pattern;
}

// Empty mask and allow: the rule answers every question.
bool is_unconditional(const DeviceRule& rule) {
  return rule.allow && pattern_of(rule).mask == 0;
}

std::vector<bpf_insn> rule_program(const DeviceRule& rule) {
  std::vector<bpf_insn> block;
  const Pattern pattern = pattern_of(rule);
  if (pattern.mask != 0) {
    load_constant(block, kDifference, pattern.value);
    block.push_back(combine(BPF_XOR, kDifference, kQuestion));
    load_constant(block, kMask, pattern.mask);
    block.push_back(combine(BPF_AND, kDifference, kMask));
    block.push_back(skip_if(BPF_JNE, kDifference));
  }
  if (!rule.allow) {
    block.push_back(combine(BPF_MOV, kDifference, kQuestion));
    block.push_back(arithmetic(BPF_AND, kDifference, access_bits(rule) << kAccessShift));
    block.push_back(skip_if(BPF_JEQ, kDifference));
  }
  give(block, rule.allow);
  for (std::size_t i = 0; i < block.size(); ++i) {
    // Jumps count from the instruction behind them.
    if (is_skip(block[i])) block[i].off = static_cast<std::int16_t>(block.size() - i - 1);
  }
  return block;
}

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

bpf_attr load_attributes(const std::vector<bpf_insn>& program) {
  static constexpr char kLicense[] = "GPL";
  constexpr std::string_view kName = "hutch_devices";
  static_assert(kName.size() < BPF_OBJ_NAME_LEN);
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.insns = address(program.data());
  attributes.license = address(kLicense);
  std::memcpy(attributes.prog_name, kName.data(), kName.size());
  return attributes;
}

// The kernel's words about why it refuses the program, the last two lines on one.
std::string verifier_words(const std::vector<bpf_insn>& program) {
  std::vector<char> log(65536);
  bpf_attr attributes = load_attributes(program);
  attributes.log_level = 1;
  attributes.log_size = static_cast<std::uint32_t>(log.size());
  attributes.log_buf = address(log.data());
  if (const UniqueFd loaded(bpf(BPF_PROG_LOAD, attributes)); loaded) return {};
  const std::string_view text = trim(std::string_view(log.data(), ::strnlen(log.data(), log.size())));
  auto start = text.rfind('\n');
  if (start != std::string_view::npos && start > 0) start = text.rfind('\n', start - 1);
  std::string words(start == std::string_view::npos ? text : text.substr(start + 1));
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words;
}

std::string attach_hint(int error_number) {
  if (error_number == EPERM)
    return "run as root (CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace)";
  if (error_number == EINVAL) return "the kernel needs CONFIG_CGROUP_BPF";
  return {};
}

void attach(int group_fd, int program_fd, std::optional<int> replaced_fd) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.target_fd = static_cast<std::uint32_t>(group_fd);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program_fd);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (replaced_fd) {
    attributes.attach_flags |= BPF_F_REPLACE;
    attributes.replace_bpf_fd = static_cast<std::uint32_t>(*replaced_fd);
  }
  if (bpf(BPF_PROG_ATTACH, attributes) < 0) {
    throw_errno("cannot attach the device filter to the cgroup", attach_hint(errno));
  }
}

// The programs attached to this very group.
std::vector<UniqueFd> attached_programs(int group_fd) {
  std::array<std::uint32_t, 64> ids{};  // the kernel allows 64 per group (BPF_CGROUP_MAX_PROGS)
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.query.target_fd = static_cast<std::uint32_t>(group_fd);
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = address(ids.data());
  attributes.query.prog_cnt = ids.size();
  if (bpf(BPF_PROG_QUERY, attributes) < 0) {
    throw_errno("cannot list the device filters of the cgroup", attach_hint(errno));
  }
  const std::size_t count = attributes.query.prog_cnt;
  std::vector<UniqueFd> programs;
  for (std::size_t i = 0; i < count; ++i) {
    bpf_attr by_id;
    std::memset(&by_id, 0, sizeof by_id);
    by_id.prog_id = ids[i];
    programs.emplace_back(
        check(bpf(BPF_PROG_GET_FD_BY_ID, by_id), "cannot open a device filter of the cgroup"));
  }
  return programs;
}

}  // namespace

bool needs_device_filter(const DevicePolicy& policy) {
  return !policy.allow_by_default || std::any_of(policy.rules.begin(), policy.rules.end(),
                                                 [](const DeviceRule& rule) { return !rule.allow; });
}

bool allows_read_and_write(const DevicePolicy& policy, char type, std::uint32_t major, std::uint32_t minor) {
  for (auto rule = policy.rules.rbegin(); rule != policy.rules.rend(); ++rule) {
    const bool matches = (rule->type == 'a' || rule->type == type) && rule->major.value_or(major) == major &&
                         rule->minor.value_or(minor) == minor;
    if (!matches) continue;
    if (rule->allow && rule->read && rule->write) return true;
    if (!rule->allow && (rule->read || rule->write)) return false;
  }
  return policy.allow_by_default;
}

std::vector<bpf_insn> device_program(const DevicePolicy& policy) {
  static_assert(sizeof(bpf_cgroup_dev_ctx) == 12);
  std::vector<bpf_insn> program = {
      load_word(kQuestion, offsetof(bpf_cgroup_dev_ctx, major)),
      arithmetic(BPF_LSH, kQuestion, kMajorShift - kMinorShift),
      load_word(kPart, offsetof(bpf_cgroup_dev_ctx, minor)),
      combine(BPF_OR, kQuestion, kPart),
      arithmetic(BPF_LSH, kQuestion, kMinorShift),
      load_word(kPart, offsetof(bpf_cgroup_dev_ctx, access_type)),
      combine(BPF_OR, kQuestion, kPart),
  };
  for (auto rule = policy.rules.rbegin(); rule != policy.rules.rend(); ++rule) {
    if (rule->type != 'a' && rule->type != 'b' && rule->type != 'c') {
      throw Error(formatted("'{}' is not a type of device", rule->type), EINVAL, "use a, b or c",
                  rule->origin);
    }
    if (!can_match(*rule)) continue;
    const auto block = rule_program(*rule);
    program.insert(program.end(), block.begin(), block.end());
    // Nothing behind it is ever reached, which the verifier does not take.
    if (is_unconditional(*rule)) return program;
  }
  give(program, policy.allow_by_default);
  return program;
}

UniqueFd load_device_program(const std::vector<bpf_insn>& program) {
  bpf_attr attributes = load_attributes(program);
  UniqueFd loaded(bpf(BPF_PROG_LOAD, attributes));
  if (loaded) return loaded;
  const int saved = errno;
  const std::string words = verifier_words(program);
  throw Error(formatted("cannot load the device filter{}{}", words.empty() ? "" : ": ", words), saved,
              saved == EPERM ? "run as root; kernels before 5.11 also need room in 'ulimit -l'" : "");
}

void attach_device_program(int group_fd, int program_fd) {
  attach(group_fd, program_fd, std::nullopt);
}

void replace_device_program(int group_fd, int program_fd) {
  const auto programs = attached_programs(group_fd);
  if (programs.size() > 1) {
    throw Error("cannot replace the device filter of the cgroup: another program has attached one, too",
                EBUSY, "see 'bpftool cgroup list'");
  }
  attach(group_fd, program_fd, programs.empty() ? std::nullopt : std::optional(programs.front().get()));
}

void detach_device_programs(int group_fd) {
  for (const auto& program : attached_programs(group_fd)) {
    bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = static_cast<std::uint32_t>(group_fd);
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    check(bpf(BPF_PROG_DETACH, attributes), "cannot take the device filter off the cgroup");
  }
}

}  // namespace hutch::cgroupv2
