#include "runtime/supervisor_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/raw_message.h"
#include "base/raw_syscall.h"

namespace hutch {

namespace {

using sys::raw;

// The kernel's struct sigaction and signal set (libc's differ).
struct KernelSigaction {
  void* handler = nullptr;
  unsigned long flags = 0;
#if !defined(__riscv)
  void* restorer = nullptr;
#endif
  std::uint64_t mask = 0;
};

constexpr long kKillTimeout = 10;  // seconds
constexpr std::size_t kForerunnerStack = 8192;
constexpr std::size_t kPrefaultPiece = 128UL << 10;  // some ten microseconds

constexpr std::uint64_t bit_of(int signal) {
  return 1ULL << (signal - 1);
}

class SupervisorProcess {
 public:
  explicit SupervisorProcess(SupervisorBirth& birth) : birth_(birth) {}

  [[noreturn]] void run() {
    raw(SYS_close, birth_.starter_end);
    if (const long error = detach(); error != 0) fail(error);
    report_ready();
    prefault();
    for (;;) {
      follow(receive());
    }
  }

 private:
  SupervisorBirth& birth_;
  SupervisorMessage order_{};
  pid_t self_ = -1;
  long forerunner_received_ = 0;  // the size of an order that it leaves to the supervisor
  long namespaces_error_ = 0;     // the errno of a forerunner that could not be made
  int received_[kMaxCommitFds] = {};
  std::size_t received_count_ = 0;
  long init_ = -1;
  int init_pidfd_ = -1;

  // Beside the starter, which would otherwise do it page by page, as long as that has no order. Where the
  // kernel cannot do it, nothing is lost.
  void prefault() const {
    for (std::size_t at = 0; at < birth_.prefault_count; ++at) {
      const auto& [range, advice] = birth_.prefaults[at];
      for (std::size_t done = 0; done < range.size; done += kPrefaultPiece) {
        if (has_order()) return;
        const std::size_t rest = range.size - done;
        raw(SYS_madvise, range.start + done, rest < kPrefaultPiece ? rest : kPrefaultPiece, advice);
      }
    }
  }

  bool has_order() const {
    pollfd order{birth_.control, POLLIN, 0};
    const timespec now{};
    return raw(SYS_ppoll, &order, 1, &now, nullptr, 0) != 0;
  }

  [[noreturn]] static void exit(int status) {
    for (;;) raw(SYS_exit_group, status);
  }

  void tell_failure(long error) {
    SupervisorMessage message{};
    message.type = SupervisorMessage::Type::failed;
    message.error = static_cast<std::int32_t>(error);
    send(message, -1);
  }

  [[noreturn]] void fail(long error) {
    tell_failure(error);
    kill_init();
    exit(1);
  }

  // 0, or an errno.
  static long first_error(long result) { return result < 0 ? -result : 0; }

  // Cuts this process loose from the terminal, the directory and the descriptors of whoever starts the
  // container. What the caller's shell ignored or blocked must not reach init.
  long detach() {
    if (const long error = first_error(raw(SYS_setsid))) return error;
    if (const long error = first_error(raw(SYS_chdir, "/"))) return error;
    raw(SYS_umask, 022);
    raw(SYS_prctl, PR_SET_NAME, birth_.name);
    const KernelSigaction fresh{};
    for (int signal = 1; signal <= 64; ++signal) {
      // EINVAL: SIGKILL and SIGSTOP.
      raw(SYS_rt_sigaction, signal, &fresh, nullptr, sizeof fresh.mask);
    }
    // Faults of our own must still kill us.
    const std::uint64_t blocked = ~(bit_of(SIGBUS) | bit_of(SIGILL) | bit_of(SIGSEGV) | bit_of(SIGFPE));
    raw(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, nullptr, sizeof blocked);
    if (const long error = close_all_but_kept()) return error;
    const long null = raw(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -null;
    for (int number = 0; number < 3; ++number) {
      if (null == number) continue;
      if (const long error = first_error(raw(SYS_dup3, null, number, 0))) return error;
    }
    if (null > 2) raw(SYS_close, null);
    // Where the volumes are mounted, out of the host's sight.
    if (const long error = first_error(raw(SYS_unshare, CLONE_NEWNS))) return error;
    return first_error(raw(SYS_mount, nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr));
  }

  void report_ready() {
    SupervisorMessage message{};
    message.type = SupervisorMessage::Type::ready;
    send(message, -1);
  }

  long close_all_but_kept() {
    unsigned from = 3;
    for (std::size_t at = 0; at < birth_.keep_count; ++at) {
      const auto kept = static_cast<unsigned>(birth_.keep[at]);
      if (kept > from) {
        if (const long error = first_error(raw(SYS_close_range, from, kept - 1, 0))) return error;
      }
      if (kept >= from) from = kept + 1;
    }
    return first_error(raw(SYS_close_range, from, ~0U, 0));
  }

  // The size of the message, which is in order_, its descriptors in received_.
  long receive() {
    order_ = {};
    iovec parts[] = {{&order_, sizeof order_}};
    return sys::raw_receive(birth_.control, parts, received_, received_count_);
  }

  // When nobody reads it, end-of-file is what we read next.
  void send(const SupervisorMessage& message, int passed_fd) {
    sys::raw_send(birth_.control, &message, sizeof message, passed_fd);
  }

  void make_tree() {
    SupervisorMessage answer{};
    answer.type = SupervisorMessage::Type::tree;
    const long umask = raw(SYS_umask, 0);
    const int mount = hutch::make_tree(*birth_.tree, answer.tree_failure);
    raw(SYS_umask, umask);
    send(answer, mount);
    if (mount >= 0) raw(SYS_close, mount);
  }

  void follow(long size) {
    if (size != sizeof order_) clean_up();  // end-of-file: the starter died
    switch (order_.type) {
      case SupervisorMessage::Type::make_tree: return make_tree();
      case SupervisorMessage::Type::make_namespaces: return make_namespaces();
      case SupervisorMessage::Type::spawn: return spawn(0);
      case SupervisorMessage::Type::reap: return reap();
      case SupervisorMessage::Type::commit: commit();
      case SupervisorMessage::Type::dismiss: kill_init(); exit(0);
      default: fail(EPROTO);
    }
  }

  // How a forerunner ends.
  enum : int { kHasFollowed = 0, kFailed = 1, kLeavesOrder = 2 };

  // In the new namespaces, with the supervisor's descriptors and memory: takes the next order in its place.
  // Dies with it, so that the starter sees the end of both.
  [[noreturn]] static void run_forerunner(void* argument) {
    auto& supervisor = *static_cast<SupervisorProcess*>(argument);
    raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (raw(SYS_getppid) != supervisor.self_) exit(kFailed);  // it was killed before
    const long size = supervisor.receive();
    if (size == sizeof order_ && supervisor.order_.type == SupervisorMessage::Type::spawn) {
      supervisor.spawn(CLONE_PARENT);
      exit(kHasFollowed);
    }
    supervisor.forerunner_received_ = size;
    exit(kLeavesOrder);
  }

  // The forerunner's stack is a part of ours, which waits meanwhile.
  void make_namespaces() {
    alignas(16) char stack[kForerunnerStack];
    self_ = static_cast<pid_t>(raw(SYS_getpid));
    clone_args args{};
    args.flags = order_.clone_flags | CLONE_VM | CLONE_FILES;
    args.exit_signal = SIGCHLD;
    args.stack = reinterpret_cast<std::uintptr_t>(stack);
    args.stack_size = sizeof stack;
    const long pid = sys::raw_clone3(args, &run_forerunner, this);
    if (pid < 0) {
      namespaces_error_ = -pid;  // told when the first process is asked for
      return;
    }
    int status = 0;
    while (raw(SYS_wait4, pid, &status, 0, nullptr) == -EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kHasFollowed) return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == kLeavesOrder) return follow(forerunner_received_);
    kill_init();
    exit(kFailed);
  }

  [[noreturn]] static void run_first_process(void* self) {
    auto& supervisor = *static_cast<SupervisorProcess*>(self);
    // With it open here nobody would see the supervisor's death.
    raw(SYS_close, supervisor.birth_.control);
    const std::uint64_t none = 0;
    raw(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
    run_child(*supervisor.birth_.image);
  }

  // With descriptors of the supervisor's, so that the pidfd gets there.
  [[noreturn]] static void run_joining_process(void* self) {
    auto& supervisor = *static_cast<SupervisorProcess*>(self);
    JoinRequest& join = *supervisor.birth_.join;
    // Whoever is root of the namespaces may trace a process in them that is dumpable, and this is the memory
    // of one with the host's rights.
    long result = raw(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (std::uint32_t at = 0; at < join.count && result == 0; ++at) {
      result = raw(SYS_setns, supervisor.received_[at + 1], join.flags[at]);
    }
    join.result = result == 0 ? sys::raw_clone3(join.first, &run_first_process, self) : result;
    exit(0);
  }

  // The pid of the first process, or -errno.
  long spawn_joined(const clone_args& first) {
    JoinRequest& join = *birth_.join;
    if (received_count_ != 1 + join.count) return -EPROTO;
    join.first = first;
    join.first.flags |= CLONE_PARENT;
    join.first.exit_signal = 0;  // the joining process's (clone(2), CLONE_PARENT)
    join.first.pidfd = reinterpret_cast<std::uintptr_t>(&join.pidfd);
    join.result = -ESRCH;  // of a joining process that is killed
    clone_args args{};
    args.flags = CLONE_FILES | (join.own_memory ? 0UL : static_cast<unsigned long>(CLONE_VM));
    args.exit_signal = SIGCHLD;
    args.stack = reinterpret_cast<std::uintptr_t>(join.stack);
    args.stack_size = sizeof join.stack;
    const long pid = sys::raw_clone3(args, &run_joining_process, this);
    if (pid < 0) return pid;
    while (raw(SYS_wait4, pid, nullptr, 0, nullptr) == -EINTR) {
    }
    init_pidfd_ = join.pidfd;
    for (std::uint32_t at = 0; at < join.count; ++at) raw(SYS_close, received_[at + 1]);
    return join.result;
  }

  // `parent`: CLONE_PARENT where the caller is not the supervisor itself. Does not end with a failure: the
  // starter may be about to look at the supervisor's namespaces.
  void spawn(std::uint64_t parent) {
    if (namespaces_error_ != 0) return tell_failure(namespaces_error_);
    if (received_count_ < 1) fail(EPROTO);
    clone_args args{};
    args.flags = order_.clone_flags | CLONE_PIDFD | parent;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&init_pidfd_);
    args.exit_signal = parent == 0 ? SIGCHLD : 0;  // else the caller's (clone(2), CLONE_PARENT)
    if ((args.flags & CLONE_INTO_CGROUP) != 0) args.cgroup = static_cast<__u64>(received_[0]);
    args.stack = reinterpret_cast<std::uintptr_t>(birth_.child_stack);
    args.stack_size = birth_.child_stack_size;
    init_ = birth_.join != nullptr ? spawn_joined(args) : sys::raw_clone3(args, &run_first_process, this);
    raw(SYS_close, received_[0]);
    if (init_ < 0) {
      const long error = -init_;
      init_ = -1;
      return tell_failure(error);
    }
    // Its end of their socket pair is the child's alone now.
    raw(SYS_close, birth_.image->sync_fd);
    SupervisorMessage answer{};
    answer.type = SupervisorMessage::Type::spawned;
    answer.pid = static_cast<std::int32_t>(init_);
    send(answer, init_pidfd_);
  }

  void reap() {
    if (init_ < 0) fail(ECHILD);
    SupervisorMessage answer{};
    answer.type = SupervisorMessage::Type::reaped;
    while (raw(SYS_wait4, init_, &answer.wait_status, 0, nullptr) == -EINTR) {
    }
    init_ = -1;
    send(answer, -1);
  }

  [[noreturn]] void commit() {
    WaiterOrders& orders = *birth_.orders;
    orders.init = static_cast<pid_t>(init_);
    orders.init_pidfd = init_pidfd_;
    orders.starter = birth_.control;
    orders.console = order_.has_console != 0 && received_count_ > 0 ? received_[0] : -1;
    // They stay open when it is executed.
    for (std::size_t at = 0; at < order_.inherited && at < received_count_; ++at) {
      raw(SYS_fcntl, received_[received_count_ - 1 - at], F_SETFD, 0);
    }
    become_waiter(orders, birth_.waiter_stack_end);
  }

  void kill_init() {
    if (init_ < 0) return;
    raw(SYS_pidfd_send_signal, init_pidfd_, SIGKILL, nullptr, 0);
    // A process that is stuck in the kernel (a dead network file system, say) is left to the next command.
    pollfd end{init_pidfd_, POLLIN, 0};
    timespec timeout{kKillTimeout, 0};
    if (raw(SYS_ppoll, &end, 1, &timeout, nullptr, 0) == 0) return;
    while (raw(SYS_wait4, init_, nullptr, 0, nullptr) == -EINTR) {
    }
  }

  [[noreturn]] void clean_up() {
    kill_init();
    const WaiterOrders& orders = *birth_.orders;
    if (raw(SYS_setns, orders.host_mounts, CLONE_NEWNS) == 0) {
      raw(SYS_execveat, orders.program, "", orders.clean_up_argv, orders.envp, AT_EMPTY_PATH);
    }
    exit(1);
  }
};

}  // namespace

void run_supervisor_process(void* birth) {
  SupervisorProcess(*static_cast<SupervisorBirth*>(birth)).run();
}

}  // namespace hutch
