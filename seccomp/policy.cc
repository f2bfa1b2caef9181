#include "seccomp/policy.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::seccomp {

namespace {

using Compare = Condition::Compare;

// include/linux/err.h: larger numbers do not reach a program as an errno.
constexpr std::uint64_t max_errno = 4095;

template <typename T>
struct Word {
  std::string_view text;
  T value;
};

constexpr std::array<Word<Abi>, 17> abi_words = {{
    {"x86", Abi::x86},
    {"x86_64", Abi::x86_64},
    {"x32", Abi::x32},
    {"arm", Abi::arm},
    {"arm64", Abi::arm64},
    {"ppc", Abi::ppc},
    {"ppc64", Abi::ppc64},
    {"ppc64le", Abi::ppc64le},
    {"mips", Abi::mips},
    {"mips64", Abi::mips64},
    {"mips64n32", Abi::mips64n32},
    {"mipsel", Abi::mipsel},
    {"mipsel64", Abi::mipsel64},
    {"mipsel64n32", Abi::mipsel64n32},
    {"s390", Abi::s390},
    {"s390x", Abi::s390x},
    {"loongarch64", Abi::loongarch64},
}};

constexpr std::array<Word<Compare>, 14> compare_words = {{
    {"SCMP_CMP_NE", Compare::not_equal},
    {"!=", Compare::not_equal},
    {"SCMP_CMP_LT", Compare::less},
    {"<", Compare::less},
    {"SCMP_CMP_LE", Compare::less_or_equal},
    {"<=", Compare::less_or_equal},
    {"SCMP_CMP_EQ", Compare::equal},
    {"==", Compare::equal},
    {"SCMP_CMP_GE", Compare::greater_or_equal},
    {">=", Compare::greater_or_equal},
    {"SCMP_CMP_GT", Compare::greater},
    {">", Compare::greater},
    {"SCMP_CMP_MASKED_EQ", Compare::masked_equal},
    {"&=", Compare::masked_equal},
}};

// Actions and styles match by prefix. `fail` gets its number from the text behind it.
constexpr std::array<Word<Action::Kind>, 5> action_words = {{
    {"kill", Action::Kind::kill_thread},
    {"errno", Action::Kind::fail},
    {"allow", Action::Kind::allow},
    {"trap", Action::Kind::trap},
    {"notify", Action::Kind::notify},
}};

struct Style {
  Action::Kind unlisted;
  Action::Kind rule;
};
constexpr Style deny_style = {Action::Kind::allow, Action::Kind::kill_thread};
constexpr Style allow_style = {Action::Kind::kill_thread, Action::Kind::allow};
constexpr std::array<Word<Style>, 4> style_words = {{
    {"denylist", deny_style},
    {"blacklist", deny_style},
    {"allowlist", allow_style},
    {"whitelist", allow_style},
}};

template <typename Table>
auto find_exact(const Table& table, std::string_view word) {
  return std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.text == word; });
}

template <typename Table>
auto find_prefix(const Table& table, std::string_view word) {
  return std::find_if(table.begin(), table.end(),
                      [&](const auto& row) { return word.starts_with(row.text); });
}

// A number as strtoull(3) reads it with base 0: decimal, 0x hexadecimal, 0 octal; "-1" is 2^64-1.
std::optional<std::uint64_t> parse_c_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [last, status] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || status != std::errc() || last != end) return std::nullopt;
  return negative ? 0 - value : value;
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view skip_spaces(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

std::string_view drop_trailing_spaces(std::string_view text) {
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

// One line of the policy with everything needed to complain about it.
class Line {
 public:
  Line(std::string_view text, int number, const Origin& policy)
      : text_(text), number_(number), policy_(policy) {}

  std::string_view text() const { return text_; }
  bool in_file() const { return policy_.line == 0; }
  Origin origin() const { return in_file() ? Origin{policy_.source, number_} : policy_; }

  [[noreturn]] void fail(const std::string& problem, const std::string& hint = {}) const {
    const std::string place = in_file() ? std::string() : formatted(" (line {} of the policy)", number_);
    throw Error(formatted("cannot use seccomp policy{}: {}", place, problem), 0, hint, origin());
  }

 private:
  std::string_view text_;
  int number_;
  const Origin& policy_;
};

// Reads an action at the start of `text` and moves `text` behind it.
Action take_action(std::string_view& text, const Line& line) {
  const auto word = find_prefix(action_words, text);
  if (word == action_words.end()) {
    line.fail(formatted("unknown action '{}'", text.substr(0, text.find(' '))),
              "actions are kill, errno N, allow, trap and notify");
  }
  // The rest of a longer word ("kill_thread") belongs to the prefix that matched.
  text.remove_prefix(word->text.size());
  if (word->value != Action::Kind::fail) {
    text.remove_prefix(std::min(text.find_first_of(" \t[#"), text.size()));
    return {word->value, 0};
  }
  text = skip_blanks(text);
  const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  const auto number = parse_unsigned(digits);
  const auto rest = text.substr(digits.size());
  const bool ends_well = rest.empty() || is_blank(rest.front()) || rest.front() == '[' || rest.front() == '#';
  if (!number || *number > max_errno || !ends_well) {
    line.fail(formatted("action 'errno' needs a decimal number from 0 to {}", max_errno),
              "for example: errno 1 (EPERM)");
  }
  text = rest;
  return {word->value, static_cast<unsigned>(*number)};
}

// The text between '[' and ']'.
Condition parse_condition(std::string_view block, const Line& line) {
  const auto parts = split(block, ',');
  if (parts.size() != 3 && parts.size() != 4) {
    line.fail(formatted("bad argument condition '[{}]'", block),
              "write [index,value,op] or [index,value,op,mask]");
  }
  const auto index = parse_c_number(trim(parts[0]));
  if (!index || *index > 5)
    line.fail(formatted("bad argument index '{}'", parts[0]), "arguments count from 0 to 5");
  const auto value = parse_c_number(trim(parts[1]));
  if (!value)
    line.fail(formatted("bad value '{}' in an argument condition", parts[1]), "write a 64-bit number");
  const auto compare = find_exact(compare_words, trim(parts[2]));
  if (compare == compare_words.end()) {
    line.fail(formatted("unknown comparison '{}'", parts[2]), "comparisons are != < <= == >= > &=");
  }
  Condition condition{static_cast<unsigned>(*index), compare->value, *value, 0};
  if (parts.size() == 4) {
    const auto mask = parse_c_number(trim(parts[3]));
    if (!mask)
      line.fail(formatted("bad mask '{}' in an argument condition", parts[3]), "write a 64-bit number");
    if (condition.compare == Compare::masked_equal) condition.mask = *mask;
  }
  if (condition.compare == Compare::masked_equal && (condition.value & ~condition.mask) != 0) {
    line.fail(formatted("condition '[{}]' can never hold", block),
              "(argument & mask) == value: the mask comes fourth and must cover the value");
  }
  return condition;
}

std::vector<Condition> parse_conditions(std::string_view text, const Line& line) {
  std::vector<Condition> conditions;
  for (text = skip_blanks(text); !text.empty() && text.front() != '#'; text = skip_blanks(text)) {
    const auto end = text.find(']');
    if (text.front() != '[' || end == std::string_view::npos) {
      line.fail(formatted("unexpected text '{}' in a rule", text),
                "write: name action [index,value,op]... # comment");
    }
    const Condition condition = parse_condition(text.substr(1, end - 1), line);
    for (const auto& earlier : conditions) {
      if (earlier.index == condition.index) {
        line.fail(formatted("argument {} is tested twice in one rule", condition.index),
                  "libseccomp takes one condition for each argument");
      }
    }
    conditions.push_back(condition);
    text.remove_prefix(end + 1);
  }
  return conditions;
}

// MNT_FORCE aborts what is in flight on a file system that the host may share.
Rule reject_force_umount(const std::optional<Abi>& section, const Line& line) {
  const Condition forced{1, Compare::masked_equal, MNT_FORCE, MNT_FORCE};
  return {section, "umount2", std::nullopt, {Action::Kind::fail, EACCES}, {forced}, line.origin()};
}

Rule parse_rule(const Line& line, const std::optional<Abi>& section, Action::Kind default_kind) {
  std::string_view rest = line.text();
  const auto name = rest.substr(0, rest.find(' '));
  if (name == "reject_force_umount") return reject_force_umount(section, line);
  rest = skip_spaces(rest.substr(name.size()));
  Rule rule{section, std::string(name), std::nullopt, {default_kind, 0}, {}, line.origin()};
  if (rest.empty() || rest.front() == '#') return rule;
  rule.action = take_action(rest, line);
  rule.conditions = parse_conditions(rest, line);
  return rule;
}

std::optional<Abi> parse_section(const Line& line) {
  const auto text = drop_trailing_spaces(line.text());
  const auto tag = text.ends_with(']') ? to_lower(text.substr(1, text.size() - 2)) : std::string();
  if (tag == "all") return std::nullopt;
  const auto abi = find_exact(abi_words, tag);
  if (abi == abi_words.end()) {
    line.fail(formatted("unknown architecture section '{}'", text),
              "a section stands alone on its line: [all], [x86_64], [x86], [x32], [arm64], [arm] ...");
  }
  return abi->value;
}

void parse_version_1(const std::vector<Line>& lines, Profile& profile) {
  const auto policy = lines[1].text();
  if (policy.find("allowlist") == std::string_view::npos &&
      policy.find("whitelist") == std::string_view::npos) {
    lines[1].fail(formatted("version 1 has no style '{}'", policy), "version 1 only has 'allowlist'");
  }
  profile.default_action = {Action::Kind::kill_process, 0};
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const auto text = skip_blanks(lines[i].text());
    if (text.empty()) continue;
    const auto number = parse_unsigned(text.substr(0, text.find_first_not_of("0123456789")));
    if (!number || *number > 0x7fffffffU) {
      lines[i].fail(formatted("'{}' is not a system call number", text), "version 1 lists decimal numbers");
    }
    profile.rules.push_back({std::nullopt, "", static_cast<unsigned>(*number), {}, {}, lines[i].origin()});
  }
}

void parse_version_2(const std::vector<Line>& lines, Profile& profile) {
  const auto& policy = lines[1];
  const auto style = find_prefix(style_words, policy.text());
  if (style == style_words.end()) {
    policy.fail(formatted("unknown style '{}'", policy.text()),
                "the second line is 'denylist' or 'allowlist'");
  }
  profile.default_action = {style->value.unlisted, 0};
  auto action = policy.text().substr(std::min(policy.text().find(' '), policy.text().size()));
  action = skip_spaces(action);
  if (!action.empty() && action.front() != '#') profile.default_action = take_action(action, policy);

  std::optional<Abi> section;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const auto text = lines[i].text();
    if (text.empty() || text.front() == '#') continue;
    if (text.front() == '[') {
      section = parse_section(lines[i]);
    } else {
      profile.rules.push_back(parse_rule(lines[i], section, style->value.rule));
    }
  }
}

}  // namespace

Profile parse_policy(std::string_view text, const Origin& origin) {
  std::vector<Line> lines;
  for (auto part : split(text, '\n')) {
    if (part.ends_with('\r')) part.remove_suffix(1);
    lines.emplace_back(skip_spaces(part), static_cast<int>(lines.size()) + 1, origin);
  }
  if (lines.size() < 2 || (lines.size() == 2 && lines[1].text().empty())) {
    lines[0].fail("it has no policy line",
                  "line 1 is the version (1 or 2), line 2 'denylist' or 'allowlist'");
  }
  const auto words = split_blanks(lines[0].text());
  const auto version = words.empty() ? std::nullopt : parse_unsigned(words[0]);
  if (version != 1U && version != 2U) {
    lines[0].fail(formatted("unknown version '{}'", lines[0].text()), "line 1 is the version, 1 or 2");
  }
  if (lines[1].text().find("debug") != std::string_view::npos) {
    lines[1].fail("'debug' is not supported", "remove the word from the second line");
  }
  Profile profile{static_cast<unsigned>(*version), {}, {}, origin};
  if (version == 1U) {
    parse_version_1(lines, profile);
  } else {
    parse_version_2(lines, profile);
  }
  return profile;
}

}  // namespace hutch::seccomp
