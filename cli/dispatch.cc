#include <signal.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/config_store.h"
#include "cli/destruction.h"
#include "cli/pending_application.h"
#include "runtime/console_watch.h"
#include "runtime/seccomp_proxy.h"
#include "runtime/stop.h"
#include "runtime/supervisor.h"

namespace hutch::cli {

namespace {

// The exit status of every failure that no errno describes (pct-cli.md §1.4).
constexpr int kFailure = 255;

// What stands before the command name.
struct GlobalOptions {
  std::optional<std::string> root;
  bool debug = false;
  std::size_t used = 0;  // words
};

GlobalOptions take_global_options(const std::vector<std::string>& words) {
  GlobalOptions options;
  for (; options.used < words.size(); ++options.used) {
    const std::string& word = words[options.used];
    if (word == "--debug") {
      options.debug = true;
    } else if (word.starts_with("--root=")) {
      options.root = word.substr(7);
    } else if (word == "--root") {
      if (++options.used == words.size()) {
        throw ArgumentError("Option root requires an argument\n400 unable to parse option");
      }
      options.root = words[options.used];
    } else {
      break;
    }
  }
  return options;
}

void check_positional_count(const CommandRow& row, const std::vector<std::string>& positional) {
  if (positional.size() < row.optional_from) throw ArgumentError("400 not enough arguments");
  if (row.tail == CommandRow::Tail::none && positional.size() > row.positional.size()) {
    throw ArgumentError("400 too many arguments");
  }
}

void parse_arguments(const CommandRow& row, const std::vector<std::string>& words, CommandContext& context) {
  const std::vector<OptionRow> rows = row.options();
  CanonicalArguments arguments = normalise_arguments(words, rows);
  check_positional_count(row, arguments.positional);
  std::vector<Problem> problems;
  OptionValues options = parse_options(arguments.options, rows, problems);
  if (!row.positional.empty() && std::string_view(row.positional.front()) == "vmid" &&
      !arguments.positional.empty()) {
    if (auto reason = check_vmid(arguments.positional.front())) problems.emplace_back("vmid", *reason);
  }
  raise_problems(std::move(problems));
  context.set_arguments(std::move(options), std::move(arguments.positional));
}

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return terminal_safe(text);
}

int run_command(const CommandRow& row, const std::vector<std::string>& words, CommandContext& context) {
  try {
    parse_arguments(row, words, context);
    const int status = row.function(context);
    if (std::fflush(context.out()) != 0) throw_errno("cannot write the output");
    if (context.warnings() > 0) {
      std::fprintf(context.err(), "Task finished with %d warning(s)!\n", context.warnings());
    }
    return status;
  } catch (const ArgumentError& error) {
    std::fflush(context.out());
    std::fprintf(context.err(), "%s\n%s\n", error.what(), usage_line(row).c_str());
    return kFailure;
  } catch (const Error& error) {
    std::fflush(context.out());
    const bool worker = context.in_worker();
    std::fprintf(context.err(), "%s\n",
                 worker ? on_one_line(error.what()).c_str() : terminal_safe_lines(error.what()).c_str());
    return worker || error.error_number() == 0 ? kFailure : error.error_number();
  } catch (const std::exception& error) {
    std::fflush(context.out());
    std::fprintf(context.err(), "%s\n", on_one_line(error.what()).c_str());
    return kFailure;
  }
}

// Collects what a command says, for the system's log: the outputs of a supervisor's process lead nowhere.
class LoggedOutput {
 public:
  explicit LoggedOutput(std::uint32_t vmid) : vmid_(vmid), stream_(::open_memstream(&text_, &size_)) {
    if (stream_ == nullptr) throw_errno("cannot make a stream in memory");
  }
  LoggedOutput(const LoggedOutput&) = delete;
  LoggedOutput& operator=(const LoggedOutput&) = delete;
  ~LoggedOutput() {
    std::fclose(stream_);
    for (const auto line : split({text_, size_}, '\n')) {
      if (!line.empty())
        ::syslog(LOG_WARNING | LOG_DAEMON, "pct: CT %u: %.*s", vmid_, static_cast<int>(line.size()),
                 line.data());
    }
    std::free(text_);
  }
  std::FILE* stream() const { return stream_; }

 private:
  std::uint32_t vmid_;
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* stream_;
};

// A container that was to be gone when it has stopped.
void destroy_ended(const Sysroot& sysroot, std::uint32_t vmid) {
  const LoggedOutput output(vmid);
  CommandContext context(sysroot, output.stream(), output.stream());
  try {
    const ConfigStore store(sysroot);
    const auto lock = store.lock(vmid, output.stream());
    destroy_ephemeral(context, store, vmid);
  } catch (const std::exception& error) {
    std::fprintf(output.stream(), "%s\n", error.what());
  }
}

// Whoever holds the lock now waits for us, or will apply what is pending itself.
void apply_pending_as_supervisor(const Sysroot& sysroot, std::uint32_t vmid) {
  try {
    const ConfigStore store(sysroot);
    const auto lock = store.try_lock(vmid);
    if (!lock) return;
    apply_pending_after_stop(store, sysroot, vmid, [vmid](const std::string& text) {
      ::syslog(LOG_WARNING | LOG_DAEMON, "pct: CT %u: %s", vmid, text.c_str());
    });
  } catch (const std::exception& error) {
    // Everything is still queued for the next start, which tells the user.
    ::syslog(LOG_ERR | LOG_DAEMON, "pct: CT %u: cannot apply pending changes: %s", vmid, error.what());
  }
}

int run_words(const std::vector<std::string>& words, std::FILE* out, std::FILE* err,
              std::optional<std::int64_t> restart_of);

// `pct container-ended <vmid> [<command> ...]`: this process was a container's supervisor
// (runtime/supervisor.h).
int finish_supervision(const std::vector<std::string>& words, std::FILE* out, std::FILE* err) {
  const auto vmid = words.size() > 1 ? parse_unsigned(words[1]) : std::nullopt;
  if (!vmid) throw Error(formatted("'{}' needs a vmid", kContainerEnded), EINVAL);
  const Sysroot sysroot = Sysroot::from_environment();
  const auto container = static_cast<std::uint32_t>(*vmid);
  const bool rebooting = words.size() > 2;
  // Who starts the container instead of us waits until we have cleaned up.
  const std::int64_t last_start = ConfigStore(sysroot).last_start(container);
  const auto ended = clean_up_as_supervisor(sysroot, container, rebooting);
  if (!rebooting || (ended && !ended->may_restart)) {
    if (ended && ended->to_be_destroyed) {
      destroy_ended(sysroot, container);
    } else {
      apply_pending_as_supervisor(sysroot, container);
    }
    return 0;
  }
  if (ended) {
    // What its first start had from its starter.
    for (const auto& variable : ended->state.copied_environment) {
      const auto equals = variable.find('=');
      ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    }
  }
  sigset_t none;
  ::sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "cannot unblock signals");
  return run_words({words.begin() + 2, words.end()}, out, err, last_start);
}

int unknown_command(std::FILE* err, const std::string& complaint) {
  std::fprintf(err, "ERROR: %s\n%s", complaint.c_str(), usage_overview().c_str());
  return kFailure;
}

// `restart_of`: see CommandContext.
int run_words(const std::vector<std::string>& words, std::FILE* out, std::FILE* err,
              std::optional<std::int64_t> restart_of) {
  if (::geteuid() != 0) {
    std::fputs("please run as root\n", err);
    return kFailure;
  }
  try {
    const GlobalOptions global = take_global_options(words);
    if (global.used == words.size()) return unknown_command(err, "no command specified");
    const std::string& name = words[global.used];
    if (name == kContainerEnded && global.used == 0) return finish_supervision(words, out, err);
    if (name == kSeccompProxy && global.used == 0) return run_seccomp_proxy({words.begin() + 1, words.end()});
    if (name == kConsoleWatch && global.used == 0) return run_console_watch({words.begin() + 1, words.end()});
    const CommandRow* row = find_command(name);
    if (row == nullptr) return unknown_command(err, formatted("unknown command 'pct {}'", name));
    CommandContext context(global.root ? Sysroot(*global.root) : Sysroot::from_environment(), out, err);
    context.set_debug(global.debug);
    context.set_restart_of(restart_of);
    return run_command(*row, {words.begin() + static_cast<std::ptrdiff_t>(global.used) + 1, words.end()},
                       context);
  } catch (const std::exception& error) {
    std::fprintf(err, "%s\n", error.what());
    return kFailure;
  }
}

}  // namespace

int run_command_line(const std::vector<std::string>& words, std::FILE* out, std::FILE* err) {
  return run_words(words, out, err, std::nullopt);
}

}  // namespace hutch::cli
