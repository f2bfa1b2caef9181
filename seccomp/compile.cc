#include "seccomp/compile.h"

#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "seccomp/rule_conflict.h"

namespace hutch::seccomp {

namespace {

struct CoveredAbi {
  Abi abi;
  std::uint32_t token;  // SCMP_ARCH_*
};

// The native ABI first: its system calls then meet the fewest instructions.
const std::vector<CoveredAbi>& all_abis(Architecture architecture) {
  static const std::vector<CoveredAbi> x86_64 = {
      {Abi::x86_64, SCMP_ARCH_X86_64}, {Abi::x86, SCMP_ARCH_X86}, {Abi::x32, SCMP_ARCH_X32}};
  static const std::vector<CoveredAbi> arm64 = {{Abi::arm64, SCMP_ARCH_AARCH64}, {Abi::arm, SCMP_ARCH_ARM}};
  return architecture == Architecture::x86_64 ? x86_64 : arm64;
}

bool covers(Architecture architecture, Abi abi) {
  const auto& abis = all_abis(architecture);
  return std::any_of(abis.begin(), abis.end(), [&](const CoveredAbi& covered) { return covered.abi == abi; });
}

// Whether the rule has an effect on one of the architecture's ABIs (compile.h says why).
bool applies_to(const Rule& rule, Abi abi, Architecture architecture) {
  if (!rule.section) return true;
  return rule.action.allows() ? *rule.section == abi : covers(architecture, *rule.section);
}

// How an ABI makes a system call.
enum class Reach { absent, direct, multiplexed };

Reach reach(const std::string& syscall, std::uint32_t token) {
  const int number = ::seccomp_syscall_resolve_name_arch(token, syscall.c_str());
  if (number == __NR_SCMP_ERROR) return Reach::absent;
  if (number >= 0) return Reach::direct;
  // seccomp-syscalls.h: -1xx are x86's socketcall, -2xx its ipc; from -10000 down are calls of other ABIs.
  return number > -1000 ? Reach::multiplexed : Reach::absent;
}

struct ReleaseContext {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseContext>;

// libseccomp reports errors as negative errno values.
void check_scmp(int result, const std::string& action, const Origin& origin = {}) {
  if (result < 0) throw Error(action, -result, "", origin);
}

std::uint32_t scmp_action(const Action& action) {
  switch (action.kind) {
    case Action::Kind::allow: return SCMP_ACT_ALLOW;
    case Action::Kind::fail: return SCMP_ACT_ERRNO(action.error_number);
    case Action::Kind::trap: return SCMP_ACT_TRAP;
    case Action::Kind::kill_thread: return SCMP_ACT_KILL_THREAD;
    case Action::Kind::kill_process: return SCMP_ACT_KILL_PROCESS;
    case Action::Kind::notify: break;
  }
  return SCMP_ACT_NOTIFY;
}

// seccomp_unotify(2): without a listener the kernel answers with ENOSYS.
void refuse_notified(Profile& profile) {
  const auto refuse = [](Action& action) {
    if (action.kind == Action::Kind::notify) action = {Action::Kind::fail, ENOSYS};
  };
  refuse(profile.default_action);
  for (auto& rule : profile.rules) refuse(rule.action);
}

// The process that loads the filter hands its listener over with sendmsg(2).
void check_notified(const Profile& profile) {
  const auto hangs = [](const Rule& rule) {
    return rule.action.kind == Action::Kind::notify && rule.syscall == "sendmsg";
  };
  const auto rule = std::find_if(profile.rules.begin(), profile.rules.end(), hangs);
  const bool by_default = profile.default_action.kind == Action::Kind::notify;
  if (!by_default && rule == profile.rules.end()) return;
  throw Error(
      "cannot compile the seccomp policy: 'sendmsg' cannot be asked about, because the listener that "
      "is asked is handed over with it",
      0, by_default ? "choose another action for system calls without a rule" : "remove the rule",
      by_default ? profile.origin : rule->origin);
}

scmp_arg_cmp scmp_condition(const Condition& condition) {
  using Compare = Condition::Compare;
  const auto make = [&](scmp_compare op, std::uint64_t a, std::uint64_t b) {
    return scmp_arg_cmp{condition.index, op, a, b};
  };
  switch (condition.compare) {
    case Compare::not_equal: return make(SCMP_CMP_NE, condition.value, 0);
    case Compare::less: return make(SCMP_CMP_LT, condition.value, 0);
    case Compare::less_or_equal: return make(SCMP_CMP_LE, condition.value, 0);
    case Compare::equal: return make(SCMP_CMP_EQ, condition.value, 0);
    case Compare::greater_or_equal: return make(SCMP_CMP_GE, condition.value, 0);
    case Compare::greater: return make(SCMP_CMP_GT, condition.value, 0);
    case Compare::masked_equal: break;
  }
  return make(SCMP_CMP_MASKED_EQ, condition.mask, condition.value);
}

// "(argument & 0) == 0" holds always: a rule of such conditions has none.
std::vector<Condition> meaningful(std::vector<Condition> conditions) {
  std::erase_if(conditions, [](const Condition& condition) {
    return condition.compare == Condition::Compare::masked_equal && condition.mask == 0;
  });
  return conditions;
}

void check_conflicts(const std::vector<Rule>& rules) {
  for (const auto& rule : rules) {
    for (const auto& other : rules) {
      if (rule.action.allows() || !other.action.allows()) continue;
      if (!can_both_match(rule.conditions, other.conditions)) continue;
      throw Error(
          formatted("cannot compile the seccomp policy: '{}' is denied here and allowed by {} for the same "
                    "arguments",
                    rule.syscall, other.origin.empty() ? "another rule" : other.origin.text()),
          0, "remove one of the two rules or make their conditions exclude each other", rule.origin);
    }
  }
}

// What libseccomp is to be told about one system call of one ABI: no rule that it would refuse, lose, or let
// a weaker one win over.
std::vector<Rule> normalised(std::vector<Rule> rules, const Action& default_action) {
  check_conflicts(rules);
  std::erase_if(rules, [&](const Rule& rule) { return rule.action == default_action; });
  std::stable_sort(rules.begin(), rules.end(),
                   [](const Rule& a, const Rule& b) { return a.action.kind > b.action.kind; });
  const auto whole =
      std::find_if(rules.begin(), rules.end(), [](const Rule& rule) { return rule.conditions.empty(); });
  if (whole != rules.end()) return {*whole};
  std::vector<Rule> kept;
  for (const auto& rule : rules) {
    const bool known = std::any_of(
        kept.begin(), kept.end(), [&](const Rule& earlier) { return earlier.conditions == rule.conditions; });
    if (!known) kept.push_back(rule);
  }
  return kept;
}

// The rules of one ABI by system call, in libseccomp's numbers of the ABI that this program was built for: it
// translates them itself, and knows calls of other ABIs by negative numbers.
std::map<int, std::vector<Rule>> rules_of(const Profile& profile, const CoveredAbi& abi,
                                          Architecture architecture) {
  std::map<int, std::vector<Rule>> by_number;
  for (const auto& listed : profile.rules) {
    if (!applies_to(listed, abi.abi, architecture)) continue;
    Rule rule = listed;
    rule.conditions = meaningful(std::move(rule.conditions));
    if (rule.number) {
      by_number[static_cast<int>(*rule.number)].push_back(std::move(rule));
      continue;
    }
    const Reach way = reach(rule.syscall, abi.token);
    if (way == Reach::absent || (way == Reach::multiplexed && !rule.conditions.empty())) continue;
    by_number[::seccomp_syscall_resolve_name(rule.syscall.c_str())].push_back(std::move(rule));
  }
  return by_number;
}

void add_rule(const Context& context, int number, const Rule& rule) {
  std::vector<scmp_arg_cmp> conditions;
  for (const auto& condition : rule.conditions) conditions.push_back(scmp_condition(condition));
  check_scmp(::seccomp_rule_add_array(context.get(), scmp_action(rule.action), number,
                                      static_cast<unsigned>(conditions.size()), conditions.data()),
             formatted("cannot add the seccomp rule for '{}'", rule.syscall), rule.origin);
}

// A filter for one ABI.
Context build(const Profile& profile, const CoveredAbi& abi, Architecture architecture) {
  Context context(::seccomp_init(scmp_action(profile.default_action)));
  if (!context) throw Error("cannot prepare a seccomp filter", ENOMEM);
  const auto set = [&](scmp_filter_attr attribute, std::uint32_t value) {
    check_scmp(::seccomp_attr_set(context.get(), attribute, value),
               "cannot set an attribute of the seccomp filter");
  };
  set(SCMP_FLTATR_CTL_NNP, 0);
  set(SCMP_FLTATR_API_TSKIP, 1);
  // 2: a binary search for the system call's number instead of a test for each rule.
  set(SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (abi.token != ::seccomp_arch_native()) {
    check_scmp(::seccomp_arch_remove(context.get(), SCMP_ARCH_NATIVE), "cannot prepare a seccomp filter");
    check_scmp(::seccomp_arch_add(context.get(), abi.token),
               "cannot add an architecture to the seccomp filter");
  }
  for (auto& [number, rules] : rules_of(profile, abi, architecture)) {
    for (const auto& rule : normalised(std::move(rules), profile.default_action))
      add_rule(context, number, rule);
  }
  // ptrace(2): a tracer makes the kernel skip a call by changing its number to -1.
  if (!profile.default_action.allows()) {
    check_scmp(::seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, -1, 0),
               "cannot add the seccomp rule for call -1");
  }
  return context;
}

BpfProgram export_program(const Context& context) {
  const UniqueFd memory(
      check(::memfd_create("seccomp", MFD_CLOEXEC), "cannot create memory for a seccomp filter"));
  check_scmp(::seccomp_export_bpf(context.get(), memory.get()), "cannot compile the seccomp filter");
  check(::lseek(memory.get(), 0, SEEK_SET), "cannot read the compiled seccomp filter");
  const std::string bytes = read_fd(memory.get(), "compiled seccomp filter");
  BpfProgram program(bytes.size() / sizeof(sock_filter));
  std::copy_n(bytes.data(), program.size() * sizeof(sock_filter), reinterpret_cast<char*>(program.data()));
  return program;
}

}  // namespace

Architecture native_architecture() {
#if defined(__x86_64__)
  return Architecture::x86_64;
#elif defined(__aarch64__)
  return Architecture::arm64;
#else
#error "seccomp filters are made for x86_64 and arm64 only"
#endif
}

BpfProgram compile(const Profile& wanted, Architecture architecture, Notify notify) {
  Profile profile = wanted;
  notify == Notify::forward ? check_notified(profile) : refuse_notified(profile);
  auto abis = all_abis(architecture);
  if (profile.version == 1) {
    if (architecture != native_architecture()) {
      throw Error("cannot compile a version 1 seccomp policy for another architecture", 0,
                  "its system call numbers are the native ones", profile.origin);
    }
    abis.resize(1);
  }
  Context merged = build(profile, abis.front(), architecture);
  for (std::size_t i = 1; i < abis.size(); ++i) {
    Context next = build(profile, abis[i], architecture);
    check_scmp(::seccomp_merge(merged.get(), next.get()), "cannot merge the seccomp filters of two ABIs");
    // libseccomp frees the merged one itself, but only when it succeeds.
    static_cast<void>(next.release());
  }
  BpfProgram program = export_program(merged);
  if (program.size() > BPF_MAXINSNS) {
    throw Error(formatted("the seccomp policy needs {} BPF instructions, the kernel takes {}", program.size(),
                          BPF_MAXINSNS),
                E2BIG, "", profile.origin);
  }
  return program;
}

std::vector<Gap> gaps(const Profile& profile, Architecture architecture) {
  const auto& abis = all_abis(architecture);
  std::vector<Gap> found;
  for (const auto& rule : profile.rules) {
    const bool relevant = !rule.section || covers(architecture, *rule.section);
    if (rule.action.allows() || rule.number || !relevant) continue;
    const auto reached = [&](Reach way) {
      return std::any_of(abis.begin(), abis.end(),
                         [&](const CoveredAbi& abi) { return reach(rule.syscall, abi.token) == way; });
    };
    if (!reached(Reach::direct) && !reached(Reach::multiplexed)) {
      found.push_back({rule, formatted("no system call is known by the name '{}'", rule.syscall)});
    } else if (!meaningful(rule.conditions).empty() && reached(Reach::multiplexed)) {
      found.push_back(
          {rule, formatted("32-bit programs make '{}' through a call whose arguments no filter can read",
                           rule.syscall)});
    }
  }
  return found;
}

}  // namespace hutch::seccomp
