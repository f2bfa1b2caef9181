#include "runtime/attach.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/fd_passing.h"
#include "base/files.h"
#include "base/format.h"
#include "base/raw_syscall.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "cgroupv2/group.h"
#include "runtime/apparmor.h"
#include "runtime/capabilities.h"
#include "runtime/rlimit.h"
#include "runtime/seccomp_proxy.h"
#include "runtime/terminal_relay.h"

namespace hutch {

namespace {

constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What the joining processes tell `pct`, one SOCK_SEQPACKET message each; then the socket closes with the
// exec:
//   program    the program's process id
//   listener   that of the program's seccomp filter, by SCM_RIGHTS (only where the policy asks a proxy)
//   terminal   the master of the program's terminal, by SCM_RIGHTS (only where one is wanted)
//   failure    joining failed: errno and text
struct JoinMessage {
  enum class Type { program, listener, terminal, failure };
  Type type{};
  int number = 0;
  char text[240] = {};
};

// Everything that is opened on the host side, before any namespace is entered.
struct Joining {
  const ContainerState& state;
  const AttachRequest& request;
  cgroupv2::Group group;
  UniqueFd init;              // pidfd
  UniqueFd cgroup;            // where CLONE_INTO_CGROUP puts the program
  UniqueFd cgroup_namespace;  // init's, where it is not ours
  UniqueFd proc;              // the host's procfs, for the label
  std::vector<sock_filter> filter;
  std::vector<std::string> environment;
  UniqueFd reports;  // our end, in the joining processes
  bool terminal = false;
  int namespaces = 0;  // to join: CLONE_NEW*, without the cgroup namespace
};

std::vector<sock_filter> read_filter(const Sysroot& sysroot, const ContainerState& state) {
  if (!state.seccomp) return {};
  const std::string path = state_directory(sysroot, state.vmid) + "/seccomp";
  const std::string bytes = read_file(AT_FDCWD, path);
  if (bytes.empty() || bytes.size() % sizeof(sock_filter) != 0) {
    throw Error(formatted("the seccomp filter in '{}' is damaged", path), EINVAL, "restart the container");
  }
  std::vector<sock_filter> filter(bytes.size() / sizeof(sock_filter));
  std::memcpy(filter.data(), bytes.data(), bytes.size());
  return filter;
}

// A cgroup2 group with controllers for its children may hold no processes itself (cgroup-v2.rst: "no internal
// process constraint"), so when the container's init has switched some on, joining happens in a leaf beside
// its own.
UniqueFd open_cgroup(const cgroupv2::Group& group) {
  UniqueFd inner = group.open_inner();
  const std::string enabled = read_file(inner.get(), "cgroup.subtree_control");
  if (trim(enabled).empty()) return inner;
  if (::mkdirat(inner.get(), ".lxc", 0755) < 0 && errno != EEXIST) throw_errno("cannot create cgroup '.lxc'");
  return open_file(inner.get(), ".lxc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

std::vector<std::string> joined_environment(const ContainerState& state, bool keep) {
  std::vector<std::string> environment;
  const auto name_of = [](std::string_view entry) { return entry.substr(0, entry.find('=')); };
  const auto put = [&](const std::string& entry) {
    const auto name = name_of(entry);
    std::erase_if(environment, [&](const auto& other) {
      return other.starts_with(name) && (other.size() == name.size() || other[name.size()] == '=');
    });
    environment.push_back(entry);
  };
  if (keep) {
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
      const auto name = name_of(*entry);
      if (name != "SSL_CERT_FILE" && name != "SSL_CERT_DIR") put(*entry);
    }
  } else {
    put(kPath);
  }
  for (const auto& entry : state.environment) put(entry);
  return environment;
}

// Whether init's namespace of a kind is ours. Of a kind that this kernel does not have, neither has one.
bool shares_namespace(const Joining& joining, const char* kind) {
  const auto inode = [&](const std::string& process) -> ino_t {
    struct stat status {};
    if (::fstatat(joining.proc.get(), formatted("{}/ns/{}", process, kind).c_str(), &status, 0) == 0) {
      return status.st_ino;
    }
    if (errno != ENOENT)
      throw_errno(formatted("cannot look at the {} namespace of process {}", kind, process));
    return 0;
  };
  return inode("self") == inode(std::to_string(joining.state.init.pid));
}

// Joining one's own user namespace, which is what a privileged container's is, is refused (EINVAL, setns(2)),
// and a process that shares its memory joins no time namespace (EUSERS).
int namespaces_to_join(const Joining& joining) {
  int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  if (!shares_namespace(joining, "user")) namespaces |= CLONE_NEWUSER;
  if (!shares_namespace(joining, "time")) namespaces |= CLONE_NEWTIME;
  return namespaces;
}

// From here on: code of the joined process. It is inside the container, so it opens nothing by a path that
// could lead out, and it holds no descriptor of the host but those that are close-on-exec.

std::vector<std::string> login_shell() {
  std::string shell = "/bin/sh";
  const std::string passwd = read_file_if_exists(AT_FDCWD, "/etc/passwd", Resolve::in_root).value_or("");
  for (const auto line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= 7 && fields[2] == "0" && !fields[6].empty()) {
      shell = fields[6];
      break;
    }
  }
  if (::access(shell.c_str(), X_OK) < 0) shell = "/bin/sh";
  return {shell};
}

void send_message(int socket, const JoinMessage& message, int fd = -1) {
  send_with_fd(socket, &message, sizeof message, fd);
}

void load_filter(const Joining& joining) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(joining.filter.size());
  program.filter = const_cast<sock_filter*>(joining.filter.data());
  const bool listens = !joining.state.notify_proxies.empty();
  const unsigned flags = listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const long result = check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program),
                            "cannot load the seccomp filter");
  if (!listens) return;
  const UniqueFd listener(static_cast<int>(result));
  send_message(joining.reports.get(), {JoinMessage::Type::listener}, listener.get());
}

void give_up_capabilities(std::uint64_t mask) {
  if (mask == 0) return;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  check(::syscall(SYS_capget, &header, sets), "cannot look at our capabilities");
  for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
    const auto kept = static_cast<std::uint32_t>(~(mask >> (32 * half)));
    sets[half].effective &= kept;
    sets[half].permitted &= kept;
    sets[half].inheritable &= kept;
  }
  check(::syscall(SYS_capset, &header, sets), "cannot give up capabilities");
}

void restrict_like_init(const Joining& joining) {
  const auto& state = joining.state;
  for (unsigned capability = 0; capability < 64; ++capability) {
    if ((state.dropped_capabilities >> capability & 1U) == 0) continue;
    check(::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), formatted("cannot drop capability {}", capability));
  }
  if (!state.apparmor_label.empty()) {
    std::string file = "thread-self/attr/apparmor/current";
    if (!path_exists(joining.proc.get(), file)) file = "thread-self/attr/current";
    write_kernel_file(joining.proc.get(), file, label_change_command(state.apparmor_label));
  }
  if (state.no_new_privs) check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "cannot set no_new_privs");
  if (!state.selinux_context.empty()) {
    write_kernel_file(joining.proc.get(), "thread-self/attr/exec", state.selinux_context);
  }
  if (!joining.filter.empty()) load_filter(joining);
}

// As ContainerSpec::root_uid: EINVAL says that the map has no id 0.
void become_inner_root(const ContainerState& state) {
  check(::setgroups(0, nullptr), "cannot drop groups");
  if (::setresgid(0, 0, 0) < 0) {
    const gid_t gid = errno == EINVAL ? state.init_gid : 0;
    check(::setresgid(gid, gid, gid), formatted("cannot become group {}", gid));
  }
  if (::setresuid(0, 0, 0) < 0) {
    const uid_t uid = errno == EINVAL ? state.init_uid : 0;
    check(::setresuid(uid, uid, uid), formatted("cannot become user {}", uid));
  }
}

// The program's terminal takes the place of those of our standard descriptors that are terminals: a terminal
// of the host's must not get inside (TIOCSTI). Files and pipes stay.
void use_terminal(int slave) {
  check(::ioctl(slave, TIOCSCTTY, 0), "cannot take the terminal");
  for (int number = 0; number < 3; ++number) {
    if (::isatty(number) == 1) check(::dup2(slave, number), "cannot use the terminal");
  }
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

void join_keyring() {
  // Ours must not be visible inside. ENOSYS: a kernel without keyrings, or a container whose policy hides
  // them.
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS) {
    throw_errno("cannot join a session keyring");
  }
}

void send_failure(int socket, const Error& error) {
  JoinMessage message;
  message.type = JoinMessage::Type::failure;
  message.number = error.error_number();
  error.action().copy(message.text, sizeof message.text - 1);
  send_message(socket, message);
}

[[noreturn]] void exec_program(const Joining& joining) {
  const auto argv = joining.request.argv.empty() ? login_shell() : joining.request.argv;
  restrict_like_init(joining);
  const auto words = pointers(argv);
  auto environment = pointers(joining.environment);
  ::environ = environment.data();
  ::execvp(words[0], words.data());
  const int error = errno;
  const std::string message =
      formatted("cannot run '{}' in CT {}: {}\n", argv[0], joining.state.vmid, errno_text(error));
  const ssize_t written = ::write(2, message.data(), message.size());
  ::_exit(written >= 0 && (error == ENOENT || error == ENOTDIR) ? kNotFound : kNotExecutable);
}

struct Pty {
  UniqueFd master;
  UniqueFd slave;
};

// A pty of the container's own devpts, opened after joining its mount namespace.
Pty open_container_pty() {
  Pty pty;
  pty.master = open_file(AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
  int unlocked = 0;
  // Both fail on anything that is not a pty master, such as a file that the guest put in its place.
  check(::ioctl(pty.master.get(), TIOCSPTLCK, &unlocked), "cannot unlock a pty of the container");
  pty.slave.reset(check(::ioctl(pty.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC),
                        "cannot open a pty of the container"));
  check(::fchmod(pty.slave.get(), 0620), "cannot set the pty's mode");
  return pty;
}

// The program's process: in the container's cgroups and in every namespace but the cgroup namespace. That one
// comes last, because on a tree mounted with `nsdelegate` (systemd's) nobody moves across the border of his
// own cgroup namespace (cgroup-v2.rst, "Delegation Containment"): the joiner, from there, could not have put
// the program into the container's group (ENOENT).
[[noreturn]] void run_program(const Joining& joining) {
  try {
    if (joining.cgroup_namespace) {
      check(::setns(joining.cgroup_namespace.get(), CLONE_NEWCGROUP),
            "cannot enter the container's cgroup namespace");
    }
    if (!joining.state.shares_keyring) join_keyring();
    become_inner_root(joining.state);
    if (joining.terminal) {
      // Opened as the container's root, whose the terminal then is.
      const Pty pty = open_container_pty();
      // Here, because the program may ask before anybody relays.
      copy_terminal_size(pty.master.get());
      send_message(joining.reports.get(), {JoinMessage::Type::terminal}, pty.master.get());
      check(::setsid(), "cannot start a session");
      use_terminal(pty.slave.get());
    }
    check(::chdir("/"), "cannot change to /");
    exec_program(joining);
  } catch (const Error& error) {
    send_failure(joining.reports.get(), error);
  }
  ::_exit(kNotExecutable);
}

// Joins, in a process of its own: setns(2) for a pid namespace takes effect on children only, so the program
// is its child in the kernel's eyes and, by CLONE_PARENT, ours in waitpid's.
void join_and_spawn(const Joining& joining) {
  joining.group.join_existing();
  if (joining.state.core_scheduling) {
    check(::prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, joining.state.init.pid, PR_SCHED_CORE_SCOPE_THREAD,
                  0),
          "cannot take the container's core-scheduling cookie");
  }
  // Before the user namespace is entered: only the host's root may raise a hard limit.
  for (const auto& text : joining.state.resource_limits) {
    const Rlimit limit = parse_rlimit(text);
    check(::setrlimit(static_cast<__rlimit_resource>(limit.resource), &limit.limit),
          "cannot set the container's resource limits");
  }
  // A guest process must not be able to trace us or look at our memory while we are half inside.
  check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "cannot become undumpable");
  check(::setns(joining.init.get(), joining.namespaces), "cannot enter the container's namespaces");
  give_up_capabilities(joining.state.dropped_capabilities & ~needed_on_the_way_in());
  clone_args args{};
  args.flags = CLONE_PARENT | CLONE_INTO_CGROUP;
  args.cgroup = static_cast<__u64>(joining.cgroup.get());
  const pid_t pid = check(sys::clone3(args), "cannot create the program's process");
  if (pid == 0) run_program(joining);
  send_message(joining.reports.get(), {JoinMessage::Type::program, pid});
}

[[noreturn]] void run_joiner(void* argument) {
  const auto& joining = *static_cast<const Joining*>(argument);
  int status = 0;
  try {
    join_and_spawn(joining);
  } catch (const Error& error) {
    send_failure(joining.reports.get(), error);
    status = 1;
  }
  ::_exit(status);
}

// Whether the joiner may work in our memory while we stand still, as after vfork(2): copying page tables, and
// then pages, takes 0.1 ms. It is safe, because nothing inside can name the joiner: it stays in our pid
// namespace. The program, which is in init's, has a copy of its own. But we must be there to answer what a
// seccomp filter asks about the program's way to its exec.
bool shares_memory(const Joining& joining) {
  return (joining.namespaces & CLONE_NEWTIME) == 0 && joining.state.notify_proxies.empty();
}

constexpr std::size_t kJoinerStack = 128UL << 10;

pid_t start_joiner(Joining& joining) {
  alignas(16) char stack[kJoinerStack];
  clone_args args{};
  if (shares_memory(joining)) args.flags = CLONE_VM | CLONE_VFORK;
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack);
  args.stack_size = sizeof stack;
  const long pid = sys::raw_clone3(args, &run_joiner, &joining);
  if (pid >= 0) return static_cast<pid_t>(pid);
  errno = static_cast<int>(-pid);
  throw_errno("cannot create the process that joins the container");
}

struct Joined {
  pid_t program = -1;
  UniqueFd terminal;
  UniqueFd seccomp_proxy;  // pidfd
  std::optional<Error> failure;
};

// The filter of a joined program is one of its own, so there is another process beside init's that asks.
UniqueFd answer_notifications(const ContainerState& state, int init, int listener) {
  UniqueFd socket;
  try {
    socket = connect_seccomp_proxy(state.notify_proxies);
  } catch (const Error&) {
    // Tried again at each request; else those system calls fail, which is not for us to fail for.
  }
  SeccompProxySetup setup;
  setup.listener = listener;
  setup.socket = socket.get();
  setup.init_pidfd = init;
  setup.supervisor = state.supervisor.pid;
  setup.init = state.init.pid;
  setup.cookie = state.notify_cookie;
  setup.addresses = state.notify_proxies;
  return start_seccomp_proxy(setup);
}

// Collects the reports until the program has been executed or has failed.
Joined follow_joining(int reports, const ContainerState& state, int init) {
  Joined joined;
  for (;;) {
    JoinMessage message;
    ReceivedMessage received = receive_with_fd(reports, &message, sizeof message);
    if (received.size != sizeof message) return joined;
    if (message.type == JoinMessage::Type::listener) {
      joined.seccomp_proxy = answer_notifications(state, init, received.fd.get());
    } else if (received.fd) {
      joined.terminal = std::move(received.fd);
    }
    if (message.type == JoinMessage::Type::program) joined.program = message.number;
    if (message.type == JoinMessage::Type::failure) joined.failure = Error(message.text, message.number);
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for the program");
  }
  return status;
}

int shell_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

int attach(const Sysroot& sysroot, const ContainerState& state, const AttachRequest& request) {
  auto init = open_process(state.init);
  if (!init) throw Error(formatted("container '{}' not running!", state.vmid));
  int ends[2];
  check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "cannot create a socket pair");
  UniqueFd reports(ends[0]);
  Joining joining{state,
                  request,
                  cgroupv2::Group(cgroupv2::detect_layout(), state.cgroup, state.inner_group()),
                  std::move(*init),
                  {},
                  {},
                  open_file(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY),
                  read_filter(sysroot, state),
                  joined_environment(state, request.keep_environment),
                  UniqueFd(ends[1]),
                  has_terminal()};
  joining.cgroup = open_cgroup(joining.group);
  if (!shares_namespace(joining, "cgroup")) {
    joining.cgroup_namespace =
        open_file(joining.proc.get(), formatted("{}/ns/cgroup", state.init.pid), O_RDONLY);
  }
  joining.namespaces = namespaces_to_join(joining);
  // Descriptors of whoever called us must not get inside.
  check(::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "cannot mark descriptors close-on-exec");
  std::fflush(nullptr);
  const pid_t joiner = start_joiner(joining);
  joining.reports.reset();
  Joined joined = follow_joining(reports.get(), state, joining.init.get());
  wait_for(joiner);
  if (joined.program < 0 || joined.failure) {
    if (joined.program >= 0) wait_for(joined.program);
    throw joined.failure.value_or(Error("joining the container ended without a word"))
        .with_context(formatted("cannot join CT {}", state.vmid));
  }
  if (joined.terminal) {
    const UniqueFd program(check(sys::pidfd_open(joined.program, 0), "cannot open the program's process"));
    relay_terminal(joined.terminal.get(), program.get());
  }
  return shell_status(wait_for(joined.program));
}

}  // namespace hutch
