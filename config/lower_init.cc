#include <algorithm>
#include <array>
#include <csignal>

#include "base/text.h"
#include "config/lowering.h"

// What the container's first process is and gets: command, environment, signals, limits, sysctls.
namespace hutch::config {

namespace {

// Splits at white space; '...' and "..." keep theirs. No escapes, no variables (lxc-keys 1.2: command).
std::vector<std::string> split_command(const std::string& text, const std::string& name,
                                       const Origin& origin) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (is_blank(c)) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) throw Error(formatted("'{}': the quote {} is not closed", name, quote), 0, {}, origin);
  if (in_word) words.push_back(std::move(word));
  if (words.empty() || words.front().empty()) throw Error(formatted("'{}': no command", name), 0, {}, origin);
  return words;
}

struct SignalName {
  std::string_view name;
  int number;
};
// signal(7); every name that both x86 and arm have.
constexpr SignalName kSignals[] = {
    {"SIGHUP", SIGHUP},       {"SIGINT", SIGINT},     {"SIGQUIT", SIGQUIT}, {"SIGILL", SIGILL},
    {"SIGTRAP", SIGTRAP},     {"SIGABRT", SIGABRT},   {"SIGIOT", SIGIOT},   {"SIGBUS", SIGBUS},
    {"SIGFPE", SIGFPE},       {"SIGKILL", SIGKILL},   {"SIGUSR1", SIGUSR1}, {"SIGSEGV", SIGSEGV},
    {"SIGUSR2", SIGUSR2},     {"SIGPIPE", SIGPIPE},   {"SIGALRM", SIGALRM}, {"SIGTERM", SIGTERM},
    {"SIGSTKFLT", SIGSTKFLT}, {"SIGCHLD", SIGCHLD},   {"SIGCLD", SIGCHLD},  {"SIGCONT", SIGCONT},
    {"SIGSTOP", SIGSTOP},     {"SIGTSTP", SIGTSTP},   {"SIGTTIN", SIGTTIN}, {"SIGTTOU", SIGTTOU},
    {"SIGURG", SIGURG},       {"SIGXCPU", SIGXCPU},   {"SIGXFSZ", SIGXFSZ}, {"SIGVTALRM", SIGVTALRM},
    {"SIGPROF", SIGPROF},     {"SIGWINCH", SIGWINCH}, {"SIGIO", SIGIO},     {"SIGPOLL", SIGIO},
    {"SIGPWR", SIGPWR},       {"SIGSYS", SIGSYS}};

// A name with SIG, SIGRTMIN+n, SIGRTMAX-n, or a number.
std::optional<int> parse_signal(std::string_view text) {
  if (const auto number = parse_unsigned(text)) {
    if (*number == 0 || *number > static_cast<std::uint64_t>(SIGRTMAX)) return std::nullopt;
    return static_cast<int>(*number);
  }
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  for (const auto& signal : kSignals) {
    if (signal.name == name) return signal.number;
  }
  const bool from_min = name.starts_with("SIGRTMIN+");
  if (!from_min && !name.starts_with("SIGRTMAX-")) return std::nullopt;
  const auto offset = parse_unsigned(std::string_view(name).substr(9));
  if (!offset || *offset > static_cast<std::uint64_t>(SIGRTMAX - SIGRTMIN)) return std::nullopt;
  return from_min ? SIGRTMIN + static_cast<int>(*offset) : SIGRTMAX - static_cast<int>(*offset);
}

// getrlimit(2), in order of the numbers in asm-generic/resource.h.
constexpr std::string_view kRlimits[] = {"cpu",      "fsize",  "data",    "stack", "core",  "rss",
                                         "nproc",    "nofile", "memlock", "as",    "locks", "sigpending",
                                         "msgqueue", "nice",   "rtprio",  "rttime"};

std::optional<std::uint64_t> parse_rlimit(const RawEntry& entry, std::string_view text) {
  if (text == "unlimited") return std::nullopt;
  const auto number = parse_unsigned(text);
  if (!number) bad_value(entry, "a number or 'unlimited', or two of them as SOFT:HARD");
  return number;
}

std::string rlimit_name(const RawEntry& entry) {
  const std::string_view name = std::string_view(entry.key).substr(std::string_view("lxc.prlimit.").size());
  if (std::find(std::begin(kRlimits), std::end(kRlimits), name) != std::end(kRlimits))
    return std::string(name);
  if (const auto number = parse_unsigned(name); number && *number < std::size(kRlimits)) {
    return std::string(kRlimits[*number]);
  }
  throw Error(formatted("'{}': unknown resource limit '{}'", entry.key, name), 0,
              formatted("use one of {}",
                        join(std::vector<std::string>(std::begin(kRlimits), std::end(kRlimits)), ", ")),
              entry.origin);
}

bool is_above(const std::optional<std::uint64_t>& soft, const std::optional<std::uint64_t>& hard) {
  return hard && (!soft || *soft > *hard);
}

}  // namespace

void lower_init(Lowering& lowering) {
  const auto& section = lowering.section;
  auto& init = lowering.spec.init;
  init.origin = origin_or_default(section, "entrypoint");
  if (const auto* entry_point = section.find("entrypoint")) {
    init.argv = split_command(entry_point->value, "entrypoint", entry_point->origin);
  }
  add_variable(lowering.environment, "TERM=linux", default_origin());
  for (const auto& variable : section.environment)
    add_variable(lowering.runtime_environment, variable.value, variable.origin);
  if (!lowering.os->halt_signal.empty()) lowering.spec.signals.halt = parse_signal(lowering.os->halt_signal);
}

void set_init_command(Lowering& lowering, const RawEntry& entry) {
  auto& init = lowering.spec.init;
  init.argv = entry.value.empty() ? std::vector<std::string>{"/sbin/init"}
                                  : split_command(entry.value, entry.key, entry.origin);
  init.origin = entry.origin;
}

void set_init_groups(Lowering& lowering, const RawEntry& entry) {
  auto& groups = lowering.spec.init.groups;
  if (entry.value.empty()) return groups.clear();
  for (const auto part : split(entry.value, ',')) {
    RawEntry one{entry.key, std::string(trim(part)), entry.origin};
    if (one.value.empty()) bad_value(entry, "a ','-separated list of group ids");
    groups.push_back(static_cast<std::uint32_t>(c_number(one)));
  }
}

void set_signal(Lowering& lowering, const RawEntry& entry) {
  auto& signals = lowering.spec.signals;
  auto& signal = entry.key.ends_with(".halt")     ? signals.halt
                 : entry.key.ends_with(".reboot") ? signals.reboot
                                                  : signals.stop;
  // Empty or 0 is the default.
  if (entry.value.empty() || entry.value == "0") return signal.reset();
  signal = parse_signal(entry.value);
  if (!signal) bad_value(entry, "a signal such as SIGTERM, SIGRTMIN+3 or a number");
}

// LXC's default is SIGKILL. Here a container outlives its supervisor unless a line says otherwise: every
// command works without one (runtime/stop.h).
void set_parent_death_signal(Lowering& lowering, const RawEntry& entry) {
  auto& signal = lowering.spec.parent_death_signal;
  if (entry.value.empty() || entry.value == "0") return signal.reset();
  const auto number = parse_signal(entry.value);
  if (!number) bad_value(entry, "a signal such as SIGKILL, or 0");
  signal = {*number, entry.origin};
}

void check_monitor_unshare(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty() && c_number(entry) == 0) {
    lowering.warn(entry.origin,
                  formatted("'{}': the supervisor has a mount namespace of its own all the same", entry.key));
  }
}

// What a start without a command of its own runs in LXC's other mode, which containers here have not: checked
// and kept, without effect on a start, as there.
void check_execute_command(Lowering&, const RawEntry& entry) {
  if (!entry.value.empty()) split_command(entry.value, entry.key, entry.origin);
}

void set_rlimit(Lowering& lowering, const RawEntry& entry) {
  auto& rlimits = lowering.spec.rlimits;
  const auto name = rlimit_name(entry);
  std::erase_if(rlimits, [&name](const auto& earlier) { return earlier.name == name; });
  if (entry.value.empty()) return;
  const std::string_view value = entry.value;
  const auto colon = value.find(':');
  RlimitSpec limit;
  limit.name = name;
  limit.origin = entry.origin;
  limit.soft = parse_rlimit(entry, trim(value.substr(0, colon)));
  limit.hard =
      colon == std::string_view::npos ? limit.soft : parse_rlimit(entry, trim(value.substr(colon + 1)));
  if (is_above(limit.soft, limit.hard)) bad_value(entry, "a limit whose soft part is below its hard part");
  rlimits.push_back(std::move(limit));
}

void clear_rlimits(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) bad_value(entry, "empty, which takes all of them away");
  lowering.spec.rlimits.clear();
}

void clear_sysctls(Lowering& lowering, const RawEntry& entry) {
  if (!entry.value.empty()) bad_value(entry, "empty, which takes all of them away");
  lowering.spec.sysctls.clear();
}

void set_sysctl(Lowering& lowering, const RawEntry& entry) {
  auto& sysctls = lowering.spec.sysctls;
  const auto name = entry.key.substr(std::string_view("lxc.sysctl.").size());
  std::erase_if(sysctls, [&name](const auto& earlier) { return earlier.first == name; });
  if (!entry.value.empty()) sysctls.emplace_back(name, Located<std::string>{entry.value, entry.origin});
}

}  // namespace hutch::config
