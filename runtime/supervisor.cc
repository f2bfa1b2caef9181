#include "runtime/supervisor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>

#include "base/error.h"
#include "base/fd_passing.h"
#include "base/files.h"
#include "base/format.h"
#include "base/raw_syscall.h"
#include "runtime/supervisor_process.h"
#include "runtime/waiter_memory.h"

namespace hutch {

namespace {

// The supervisor's own needs are small; the child's program is a flat loop.
constexpr std::size_t kSupervisorStack = 32UL << 10;
constexpr std::size_t kChildStack = 64UL << 10;
constexpr std::size_t kGuard = 64UL << 10;  // a page, however large pages are
constexpr std::size_t kAllStacks = 2 * kGuard + kSupervisorStack + kChildStack;

// Memory for two stacks, never touched but where they grow.
class Stacks {
 public:
  Stacks() {
    start_ = ::mmap(nullptr, kAllStacks, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (start_ == MAP_FAILED) throw_errno("cannot allocate the supervisor's stack");
    // Below each of them, where a stack would grow into something else.
    for (void* guard : {supervisor_guard(), child_guard()}) {
      check(::mprotect(guard, kGuard, PROT_NONE), "cannot protect the supervisor's stack");
    }
  }
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;
  ~Stacks() { ::munmap(start_, kAllStacks); }

  void* supervisor() const { return static_cast<char*>(start_) + kGuard; }
  void* child() const { return static_cast<char*>(child_guard()) + kGuard; }

 private:
  void* start_ = nullptr;

  void* supervisor_guard() const { return start_; }
  void* child_guard() const { return static_cast<char*>(start_) + kGuard + kSupervisorStack; }
};

UniqueFd open_signals() {
  sigset_t all;
  ::sigfillset(&all);
  return UniqueFd(
      check(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), "cannot create a signal descriptor"));
}

std::vector<std::string> clean_up_command(const SupervisorSetup& setup) {
  return {"pct", kContainerEnded, std::to_string(setup.vmid)};
}

std::vector<std::string> restart_command(const SupervisorSetup& setup) {
  auto command = clean_up_command(setup);
  command.insert(command.end(), setup.restart_command.begin(), setup.restart_command.end());
  return command;
}

struct UnmapJoinRequest {
  void operator()(JoinRequest* request) const { ::munmap(request, sizeof *request); }
};

std::unique_ptr<JoinRequest, UnmapJoinRequest> map_join_request() {
  void* memory =
      ::mmap(nullptr, sizeof(JoinRequest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw_errno("cannot allocate memory for joining namespaces");
  return std::unique_ptr<JoinRequest, UnmapJoinRequest>(new (memory) JoinRequest);
}

[[noreturn]] void throw_killed() {
  throw Error("the supervisor was killed", 0, "did somebody end it, or is the host out of memory?");
}

}  // namespace

struct Supervisor::Memory {
  explicit Memory(const SupervisorSetup& setup)
      : name(formatted("hutch:{}", setup.vmid)),
        waiter(clean_up_command(setup), restart_command(setup), setup.environment) {}

  Stacks stacks;
  std::string name;
  WaiterMemory waiter;
  ChildImage image{};
  std::unique_ptr<JoinRequest, UnmapJoinRequest> join;
  std::array<int, 5> keep{};
  std::vector<Prefault> prefaults;
  SupervisorBirth birth{};
};

struct Supervisor::SupervisorAnswer {
  SupervisorMessage message;
  UniqueFd fd;
};

Supervisor::Supervisor(const SupervisorSetup& setup, UniqueFd child_end, const CpuPlacement& placement)
    : memory_(std::make_unique<Memory>(setup)) {
  int ends[2];
  check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "cannot create a socket pair");
  control_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  const UniqueFd program = open_file(AT_FDCWD, "/proc/self/exe", O_PATH);
  const UniqueFd signals = open_signals();
  Memory& memory = *memory_;
  memory.image.sync_fd = child_end.get();
  memory.keep = {theirs.get(), program.get(), signals.get(), setup.host_mounts, child_end.get()};
  std::sort(memory.keep.begin(), memory.keep.end());
  WaiterOrders& orders = memory.waiter.orders();
  orders.program = program.get();
  orders.signals = signals.get();
  orders.host_mounts = setup.host_mounts;
  if (placement.has_other_cpus()) memory.prefaults = prefaults();
  memory.birth = {memory.name.c_str(),
                  theirs.get(),
                  control_.get(),
                  memory.keep.data(),
                  memory.keep.size(),
                  &memory.image,
                  memory.stacks.child(),
                  kChildStack,
                  &orders,
                  memory.waiter.stack_end(),
                  nullptr,
                  nullptr,
                  memory.prefaults.data(),
                  memory.prefaults.size()};
  clone_args args{};
  args.flags = CLONE_VM;
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(memory.stacks.supervisor());
  args.stack_size = kSupervisorStack;
  const long pid = sys::raw_clone3(args, &run_supervisor_process, &memory.birth);
  if (pid < 0) {
    memory.waiter.free();
    throw Error("cannot create the supervisor", static_cast<int>(-pid));
  }
  pid_ = static_cast<pid_t>(pid);
  placement.move_process_away(pid_);
}

Supervisor::~Supervisor() {
  if (!committed_) {
    dismiss();
    return;
  }
  // Both stay until this process ends: the supervisor works with the memory, and takes the end of the
  // descriptor for our end.
  static auto& kept = *new std::vector<std::pair<UniqueFd, std::unique_ptr<Memory>>>;
  kept.emplace_back(std::move(control_), std::move(memory_));
}

ChildImage& Supervisor::image() {
  return memory_->image;
}

Supervisor::SupervisorAnswer Supervisor::receive(int wanted) {
  SupervisorAnswer answer{};
  ReceivedMessage received = receive_with_fd(control_.get(), &answer.message, sizeof answer.message);
  if (received.size != sizeof answer.message) {
    throw_killed();
  }
  answer.fd = std::move(received.fd);
  if (answer.message.type == SupervisorMessage::Type::failed) {
    throw Error("the supervisor failed", answer.message.error);
  }
  if (static_cast<int>(answer.message.type) != wanted) throw Error("the supervisor failed", EPROTO);
  return answer;
}

void Supervisor::spawn(std::uint64_t clone_flags, int cgroup, std::span<const Join> joins) {
  std::vector<int> fds = {cgroup};
  if (!joins.empty()) {
    if (joins.size() > JoinRequest::kMax) throw Error("cannot join so many namespaces", E2BIG);
    memory_->join = map_join_request();
    for (const auto& [flag, fd] : joins) {
      memory_->join->flags[memory_->join->count++] = static_cast<std::uint32_t>(flag);
      if (flag == CLONE_NEWTIME) memory_->join->own_memory = true;
      fds.push_back(fd);
    }
    memory_->birth.join = memory_->join.get();
  }
  SupervisorMessage order{};
  order.type = SupervisorMessage::Type::spawn;
  order.clone_flags = clone_flags | (memory_->image.shares_memory ? std::uint64_t{CLONE_VM} : 0);
  send(&order, sizeof order, fds);
}

void Supervisor::make_namespaces(std::uint64_t clone_flags) {
  SupervisorMessage order{};
  order.type = SupervisorMessage::Type::make_namespaces;
  order.clone_flags = clone_flags;
  send(&order, sizeof order, {});
}

void Supervisor::make_tree(const TreeOrders& orders) {
  memory_->birth.tree = &orders;
  SupervisorMessage order{};
  order.type = SupervisorMessage::Type::make_tree;
  send(&order, sizeof order, {});
}

Supervisor::Tree Supervisor::await_tree() {
  SupervisorAnswer answer = receive(static_cast<int>(SupervisorMessage::Type::tree));
  return {std::move(answer.fd), answer.message.tree_failure};
}

void Supervisor::never_restart() {
  WaiterOrders& orders = memory_->waiter.orders();
  orders.restart_argv = orders.clean_up_argv;
}

Supervisor::FirstProcess Supervisor::await_spawned() {
  SupervisorAnswer answer = receive(static_cast<int>(SupervisorMessage::Type::spawned));
  return {answer.message.pid, std::move(answer.fd)};
}

void Supervisor::send(const void* order, std::size_t size, std::span<const int> fds) {
  try {
    send_with_fds(control_.get(), order, size, fds);
  } catch (const Error& error) {
    if (error.error_number() == EPIPE || error.error_number() == ECONNRESET) throw_killed();
    throw;
  }
}

UniqueFd Supervisor::await_ready() {
  receive(static_cast<int>(SupervisorMessage::Type::ready));
  return open_file(AT_FDCWD, formatted("/proc/{}/ns/mnt", pid_), O_RDONLY);
}

int Supervisor::reap() {
  SupervisorMessage order{};
  order.type = SupervisorMessage::Type::reap;
  send(&order, sizeof order, {});
  return receive(static_cast<int>(SupervisorMessage::Type::reaped)).message.wait_status;
}

void Supervisor::commit(std::span<const int> fds, bool has_console, std::size_t inherited) {
  if (fds.size() > kMaxCommitFds) throw Error("cannot hand over the container's terminals", E2BIG);
  SupervisorMessage order{};
  order.type = SupervisorMessage::Type::commit;
  order.has_console = has_console ? 1 : 0;
  order.inherited = static_cast<std::uint32_t>(inherited);
  send(&order, sizeof order, fds);
  committed_ = true;
}

void Supervisor::dismiss() noexcept {
  if (pid_ < 0) return;
  if (committed_) return wait_for_end();
  SupervisorMessage order{};
  order.type = SupervisorMessage::Type::dismiss;
  // When it is gone already there is nobody to tell.
  ::send(control_.get(), &order, sizeof order, MSG_NOSIGNAL);
  wait_for_end();
  control_.reset();
  memory_->waiter.free();
}

void Supervisor::wait_for_end() noexcept {
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace hutch
