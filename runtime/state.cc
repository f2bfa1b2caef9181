#include "runtime/state.h"

#include <fcntl.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "base/text.h"

namespace hutch {

namespace {

struct Field {
  std::string_view key;
  void (*print)(std::string_view key, const ContainerState&, std::string&);  // appends whole lines
  bool (*parse)(std::string_view, ContainerState&);                          // false: not understood
  bool rare = false;
};

void line(std::string& text, std::string_view key, std::string_view value) {
  text.append(key).append(" ").append(value).append("\n");
}

template <typename T>
bool number(std::string_view text, T& into) {
  const auto value = parse_unsigned(text);
  if (!value) return false;
  into = static_cast<T>(*value);
  return true;
}

template <auto kMember>
constexpr Field process_field(std::string_view key) {
  return {key,
          [](std::string_view name, const ContainerState& state, std::string& text) {
            line(text, name, formatted("{} {}", (state.*kMember).pid, (state.*kMember).start_time));
          },
          [](std::string_view value, ContainerState& state) {
            const auto words = split_blanks(value);
            return words.size() == 2 && number(words[0], (state.*kMember).pid) &&
                   number(words[1], (state.*kMember).start_time);
          }};
}

template <auto kMember>
constexpr Field number_field(std::string_view key) {
  return {key,
          [](std::string_view name, const ContainerState& state, std::string& text) {
            line(text, name, std::to_string(static_cast<std::uint64_t>(state.*kMember)));
          },
          [](std::string_view value, ContainerState& state) { return number(value, state.*kMember); }};
}

template <auto kMember>
constexpr Field signal_field(std::string_view key) {
  return {key,
          [](std::string_view name, const ContainerState& state, std::string& text) {
            if (state.*kMember) line(text, name, std::to_string(*(state.*kMember)));
          },
          [](std::string_view value, ContainerState& state) {
            int signal = 0;
            if (!number(value, signal)) return false;
            state.*kMember = signal;
            return true;
          }};
}

template <auto kMember>
constexpr Field text_field(std::string_view key) {
  return {key,
          [](std::string_view name, const ContainerState& state, std::string& text) {
            line(text, name, state.*kMember);
          },
          [](std::string_view value, ContainerState& state) {
            state.*kMember = value;
            return true;
          }};
}

template <auto kMember>
constexpr Field list_field(std::string_view key) {
  return {key,
          [](std::string_view name, const ContainerState& state, std::string& text) {
            for (const auto& entry : state.*kMember) line(text, name, entry);
          },
          [](std::string_view value, ContainerState& state) {
            (state.*kMember).emplace_back(value);
            return true;
          }};
}

// Before the alternative names, and not in records of older versions: "is:veth/", "is:/BC:24:11:00:00:01".
// Links of those are taken for hardware without an address of its own.
constexpr std::string_view kIdentity = "is:";

bool parse_identity(std::string_view word, MovedLink& link) {
  if (!word.starts_with(kIdentity)) return false;
  word.remove_prefix(kIdentity.size());
  const auto slash = word.find('/');
  link.kind = word.substr(0, slash);
  if (slash != std::string_view::npos) link.permanent_mac = word.substr(slash + 1);
  return true;
}

constexpr Field moved_links_field() {
  return {"moved-link",
          [](std::string_view name, const ContainerState& state, std::string& text) {
            for (const auto& link : state.moved_links) {
              std::string value = formatted("{} {} {} {} {}", link.name, link.index, link.inside_name,
                                            link.inside_index, link.mtu);
              value += formatted(" {}{}/{}", kIdentity, link.kind, link.permanent_mac);
              for (const auto& other : link.alternative_names) value += " " + other;
              line(text, name, value);
            }
          },
          [](std::string_view value, ContainerState& state) {
            const auto words = split_blanks(value);
            MovedLink link;
            if (words.size() < 5 || !number(words[1], link.index) || !number(words[3], link.inside_index) ||
                !number(words[4], link.mtu)) {
              return false;
            }
            link.name = words[0];
            link.inside_name = words[2];
            const bool identified = words.size() > 5 && parse_identity(words[5], link);
            link.alternative_names.assign(words.begin() + (identified ? 6 : 5), words.end());
            state.moved_links.push_back(std::move(link));
            return true;
          }};
}

// A field that only few containers have: not printed where it says nothing.
constexpr Field rare(Field field) {
  field.rare = true;
  return field;
}

// "<line of the config> <config>\t<command>".
template <auto kMember>
constexpr Field commands_field(std::string_view key) {
  return {key,
          [](std::string_view name, const ContainerState& state, std::string& text) {
            for (const auto& [command, origin] : state.*kMember) {
              const bool plain = origin.source.find_first_of("\t\n") == std::string::npos;
              line(text, name, formatted("{} {}\t{}", origin.line, plain ? origin.source : "", command));
            }
          },
          [](std::string_view value, ContainerState& state) {
            const auto blank = value.find(' ');
            const auto tab = value.find('\t');
            if (tab == std::string_view::npos || blank > tab) return false;
            Located<std::string> command;
            if (!number(value.substr(0, blank), command.origin.line)) return false;
            command.origin.source = value.substr(blank + 1, tab - blank - 1);
            command.value = value.substr(tab + 1);
            (state.*kMember).push_back(std::move(command));
            return true;
          }};
}

constexpr Field down_scripts_field() {
  return {"down-script",
          [](std::string_view name, const ContainerState& state, std::string& text) {
            for (const auto& script : state.down_scripts) line(text, name, print_link_script(script));
          },
          [](std::string_view value, ContainerState& state) {
            auto script = parse_link_script(value);
            if (script) state.down_scripts.push_back(std::move(*script));
            return script.has_value();
          }};
}

constexpr Field proxies_field() {
  return {"neighbour-proxy",
          [](std::string_view name, const ContainerState& state, std::string& text) {
            for (const auto& [link, address] : state.proxies) {
              line(text, name, formatted("{} {}", link, address));
            }
          },
          [](std::string_view value, ContainerState& state) {
            const auto words = split_blanks(value);
            if (words.size() != 2) return false;
            state.proxies.emplace_back(words[0], words[1]);
            return true;
          }};
}

constexpr Field dhcp_clients_field() {
  return {"dhcp-client",
          [](std::string_view name, const ContainerState& state, std::string& text) {
            for (const auto& client : state.dhcp_clients) {
              line(text, name, formatted("{} {}", client.family, client.interface));
            }
          },
          [](std::string_view value, ContainerState& state) {
            const auto words = split_blanks(value);
            DhcpClient client;
            if (words.size() != 2 || !number(words[0], client.family)) return false;
            client.interface = words[1];
            state.dhcp_clients.push_back(std::move(client));
            return true;
          }};
}

constexpr Field log_field() {
  return {"log",
          [](std::string_view name, const ContainerState& state, std::string& text) {
            if (!state.log.on()) return;
            line(text, name,
                 formatted("{} {} {}", state.log.level, state.log.syslog.empty() ? "-" : state.log.syslog,
                           state.log.file.value));
          },
          [](std::string_view value, ContainerState& state) {
            const auto first = value.find(' ');
            const auto second = value.find(' ', first + 1);
            if (first == std::string_view::npos || second == std::string_view::npos) return false;
            state.log.file.value = value.substr(second + 1);
            const auto syslog = value.substr(first + 1, second - first - 1);
            if (syslog != "-") state.log.syslog = syslog;
            return number(value.substr(0, first), state.log.level);
          }};
}

constexpr Field kFields[] = {
    number_field<&ContainerState::vmid>("vmid"),
    process_field<&ContainerState::init>("init"),
    process_field<&ContainerState::supervisor>("supervisor"),
    text_field<&ContainerState::cgroup>("cgroup"),
    list_field<&ContainerState::host_links>("link"),
    moved_links_field(),
    down_scripts_field(),
    list_field<&ContainerState::open_vswitch_ports>("open-vswitch-port"),
    proxies_field(),
    list_field<&ContainerState::loopback_routes>("loopback-route"),
    dhcp_clients_field(),
    number_field<&ContainerState::dropped_capabilities>("dropped-capabilities"),
    number_field<&ContainerState::no_new_privs>("no-new-privs"),
    number_field<&ContainerState::seccomp>("seccomp"),
    text_field<&ContainerState::apparmor_label>("apparmor"),
    number_field<&ContainerState::init_uid>("init-uid"),
    number_field<&ContainerState::init_gid>("init-gid"),
    list_field<&ContainerState::resource_limits>("rlimit"),
    list_field<&ContainerState::environment>("environment"),
    list_field<&ContainerState::hook_environment>("hook-environment"),
    rare(number_field<&ContainerState::hook_version>("hook-version")),
    commands_field<&ContainerState::stop_hooks>("stop-hook"),
    commands_field<&ContainerState::post_stop_hooks>("post-stop-hook"),
    rare(text_field<&ContainerState::hookscript>("hookscript")),
    log_field(),
    rare(process_field<&ContainerState::console_watch>("console-watch")),
    list_field<&ContainerState::copied_environment>("copied-environment"),
    signal_field<&ContainerState::halt_signal>("halt-signal"),
    signal_field<&ContainerState::stop_signal>("stop-signal"),
    rare(text_field<&ContainerState::cgroup_inner>("cgroup-inner")),
    rare(text_field<&ContainerState::cgroup_monitor>("cgroup-monitor")),
    rare(text_field<&ContainerState::cgroup_monitor_pivot>("cgroup-monitor-pivot")),
    rare(text_field<&ContainerState::selinux_context>("selinux")),
    rare(number_field<&ContainerState::shares_keyring>("shares-keyring")),
    rare(number_field<&ContainerState::core_scheduling>("core-scheduling")),
    rare(number_field<&ContainerState::ephemeral>("ephemeral")),
    list_field<&ContainerState::notify_proxies>("notify-proxy"),
    rare(text_field<&ContainerState::notify_cookie>("notify-cookie")),
};

std::string usual_text(const Field& field) {
  static const ContainerState usual;
  std::string text;
  field.print(field.key, usual, text);
  return text;
}

struct ProcessStat {
  std::uint64_t flags = 0;
  std::uint64_t start_time = 0;
};

// Of a process that is no zombie (proc(5), /proc/<pid>/stat).
std::optional<ProcessStat> read_stat(pid_t pid) {
  const auto stat = read_file_if_exists(AT_FDCWD, formatted("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  // The command name (field 2) may hold blanks and parentheses; what follows its last ')' does not.
  const auto end = stat->rfind(')');
  if (end == std::string::npos) return std::nullopt;
  const auto words = split_blanks(std::string_view(*stat).substr(end + 1));  // from field 3 on
  constexpr std::size_t kFlags = 9 - 3;
  constexpr std::size_t kStartTime = 22 - 3;
  if (words.size() <= kStartTime || words[0] == "Z" || words[0] == "X") return std::nullopt;
  const auto flags = parse_unsigned(words[kFlags]);
  const auto start = parse_unsigned(words[kStartTime]);
  if (!flags || !start) return std::nullopt;
  return ProcessStat{*flags, *start};
}

}  // namespace

std::optional<ProcessIdentity> identify_process(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat) return std::nullopt;
  return ProcessIdentity{pid, stat->start_time};
}

bool is_alive(const ProcessIdentity& process) {
  return identify_process(process.pid) == process;
}

bool is_ending(const ProcessIdentity& process) {
  constexpr std::uint64_t kExiting = 4;  // PF_EXITING (include/linux/sched.h)
  const auto stat = read_stat(process.pid);
  return !stat || stat->start_time != process.start_time || (stat->flags & kExiting) != 0;
}

std::optional<UniqueFd> open_process(const ProcessIdentity& process) {
  if (process.pid <= 0) return std::nullopt;  // a record without that process
  UniqueFd fd(sys::pidfd_open(process.pid, 0));
  if (!fd) {
    if (errno == ESRCH) return std::nullopt;
    throw_errno(formatted("cannot open process {}", process.pid));
  }
  // Checked after opening: from here on the descriptor, not the number, names the process.
  if (!is_alive(process)) return std::nullopt;
  return fd;
}

std::string print_state(const ContainerState& state) {
  std::string text;
  for (const auto& field : kFields) {
    const std::size_t before = text.size();
    field.print(field.key, state, text);
    if (field.rare && std::string_view(text).substr(before) == usual_text(field)) text.resize(before);
  }
  return text;
}

ContainerState parse_state(std::string_view text, const std::string& source) {
  ContainerState state;
  int number_of_line = 0;
  for (const auto row : split(text, '\n')) {
    ++number_of_line;
    if (row.empty()) continue;
    const auto blank = row.find(' ');
    const auto key = row.substr(0, blank);
    const auto value = blank == std::string_view::npos ? std::string_view() : row.substr(blank + 1);
    bool understood = false;
    for (const auto& field : kFields) {
      if (field.key == key) understood = field.parse(value, state);
    }
    if (!understood) {
      throw Error(formatted("cannot understand the state record: '{}'", row), 0,
                  "it was written by another version; stop the container with that one",
                  {source, number_of_line});
    }
  }
  return state;
}

std::string state_directory(const Sysroot& sysroot, std::uint32_t vmid) {
  return sysroot.path(formatted("run/hutch/{}", vmid));
}

void remove_state_directory(const Sysroot& sysroot, std::uint32_t vmid) {
  const std::string directory = state_directory(sysroot, vmid);
  // Also of a removal that was killed.
  const std::string removed = sysroot.path(formatted("run/hutch/.{}", vmid));
  for (;;) {
    const int failure = ::rename(directory.c_str(), removed.c_str()) < 0 ? errno : 0;
    const bool in_the_way = failure == ENOTEMPTY || failure == EEXIST;
    if (failure != 0 && failure != ENOENT && !in_the_way) {
      throw Error(formatted("cannot remove '{}'", directory), failure);
    }
    try {
      remove_tree(AT_FDCWD, removed);
      if (!in_the_way) return;
    } catch (const Error& error) {
      if (error.error_number() != ENOTEMPTY) throw;  // the next one has got this name meanwhile
    }
  }
}

void write_unpublished_state(const Sysroot& sysroot, const ContainerState& state) {
  const std::string path = state_directory(sysroot, state.vmid) + "/" + kUnpublishedState;
  const std::string unfinished = path + ".tmp";
  {
    const UniqueFd file = open_file(AT_FDCWD, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    write_fd(file.get(), print_state(state), unfinished);
  }
  check(::rename(unfinished.c_str(), path.c_str()), formatted("cannot replace '{}'", path));
}

void replace_state(const Sysroot& sysroot, const ContainerState& state) {
  const std::string directory = state_directory(sysroot, state.vmid);
  const std::string path = directory + "/state";
  if (!path_exists(AT_FDCWD, path)) throw Error(formatted("CT {} does not run any more", state.vmid), ENOENT);
  write_unpublished_state(sysroot, state);
  publish_state(sysroot, state.vmid);
}

void publish_state(const Sysroot& sysroot, std::uint32_t vmid) {
  const std::string directory = state_directory(sysroot, vmid);
  check(::rename((directory + "/" + kUnpublishedState).c_str(), (directory + "/state").c_str()),
        "cannot publish the state record");
}

std::optional<ContainerState> read_unpublished_state(const Sysroot& sysroot, std::uint32_t vmid) {
  const std::string path = state_directory(sysroot, vmid) + "/" + kUnpublishedState;
  const auto text = read_file_if_exists(AT_FDCWD, path);
  if (!text) return std::nullopt;
  return parse_state(*text, path);
}

std::optional<ContainerState> read_state(const Sysroot& sysroot, std::uint32_t vmid) {
  const std::string path = state_directory(sysroot, vmid) + "/state";
  const auto text = read_file_if_exists(AT_FDCWD, path);
  if (!text) return std::nullopt;
  return parse_state(*text, path);
}

std::optional<ContainerState> find_running(const Sysroot& sysroot, std::uint32_t vmid) {
  auto state = read_state(sysroot, vmid);
  if (!state || !is_alive(state->init)) return std::nullopt;
  return state;
}

}  // namespace hutch
