// What each step of a plan does on the host, and its undo (StartExecutor::perform).
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/fd_passing.h"
#include "base/files.h"
#include "base/format.h"
#include "base/syscalls.h"
#include "cgroupv2/cpuset.h"
#include "cgroupv2/device_filter.h"
#include "cgroupv2/freezer.h"
#include "runtime/apparmor.h"
#include "runtime/child_interpreter.h"
#include "runtime/container_hooks.h"
#include "runtime/executor.h"
#include "runtime/id_map.h"
#include "runtime/link_return.h"
#include "runtime/namespaces.h"
#include "runtime/planner.h"
#include "runtime/rlimit.h"
#include "runtime/seccomp_proxy.h"

namespace hutch {

namespace {

// After a kill the processes are gone as soon as the kernel gets to them; a process stuck in the kernel
// (a dead network file system, say) must not hang the tear-down for ever.
constexpr std::chrono::milliseconds kKillTimeout{10000};

void fill_image(const ChildProgram& program, ImageStorage& storage, ChildImage& image) {
  const auto words = [&](const std::vector<std::uint32_t>& offsets) {
    std::vector<char*> pointers;
    for (const auto offset : offsets) pointers.push_back(const_cast<char*>(program.arena.data() + offset));
    pointers.push_back(nullptr);
    return pointers;
  };
  storage.argv = words(program.argv);
  storage.envp = words(program.envp);
  for (const auto offset : program.candidates) storage.candidates.push_back(program.arena.data() + offset);
  storage.candidates.push_back(nullptr);
  for (const auto& hook : program.hooks) {
    HookImage pointers;
    pointers.argv = storage.hook_words.emplace_back(words(hook.argv)).data();
    pointers.envp = storage.hook_words.emplace_back(words(hook.envp)).data();
    storage.hooks.push_back(pointers);
  }
  image.steps = program.steps.data();
  image.step_count = program.steps.size();
  image.arena = program.arena.data();
  image.candidates = storage.candidates.data();
  image.argv = storage.argv.data();
  image.envp = storage.envp.data();
  image.hooks = storage.hooks.data();
  image.groups = program.groups.data();
  image.group_count = program.groups.size();
  image.filter = program.filter.data();
  image.filter_length = program.filter.size();
}

}  // namespace

void StartExecutor::perform(const host::MakeStateDirectory&) {
  const std::string path = state_directory(plan_->sysroot, plan_->spec.vmid);
  make_directories(plan_->sysroot.path("run/hutch"));
  check(::mkdir(path.c_str(), 0700), formatted("cannot create '{}'", path));
  push_undo("remove " + path,
            [sysroot = plan_->sysroot, vmid = plan_->spec.vmid] { remove_state_directory(sysroot, vmid); });
  if (options_.state_directory_made) options_.state_directory_made();
}

void StartExecutor::perform(const host::CreateCgroup& step) {
  group_.emplace(plan_->cgroups, plan_->state.cgroup, plan_->spec.cgroup_paths.inner);
  group_->create_unified(step.writes);
  group_made_ = true;
  push_undo("remove cgroup " + group_->path(), [this] {
    cgroupv2::kill_all(group_->directory());
    group_->remove(kKillTimeout);
  });
}

// Removed together with the cgroup2 group.
void StartExecutor::perform(const host::CreateV1Cgroups& step) {
  group_->create_v1(step.writes);
}

void StartExecutor::make_supervisor(std::uint32_t vmid) {
  int ends[2];
  check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "cannot create a socket pair");
  sync_.reset(ends[0]);
  SupervisorSetup setup;
  setup.vmid = vmid;
  setup.restart_command = options_.restart_command;
  setup.environment = options_.supervisor_environment;
  setup.host_mounts = options_.host_mounts;
  supervisor_.emplace(setup, UniqueFd(ends[1]), placement_);
  push_undo("end the supervisor", [this] { supervisor_->dismiss(); });
}

void StartExecutor::perform(const host::MakeSupervisor&) {
  if (!supervisor_) make_supervisor(plan_->spec.vmid);
}

void StartExecutor::perform(const host::LoadAppArmorProfile& step) {
  load_profile(step.text, step.name, plan_->sysroot.path("var/cache/hutch/apparmor"));
  push_undo("unload AppArmor profile " + step.name, [name = step.name] { unload_profile(name); });
}

void StartExecutor::perform(const host::OpenNamespace& step) {
  joined_namespaces_.emplace_back(step.shared.kind, open_namespace(step.shared, plan_->sysroot));
}

void StartExecutor::perform(const host::OrderNamespaces& step) {
  supervisor_->make_namespaces(step.clone_flags);
}

void StartExecutor::perform(const host::Spawn& step) {
  supervisor_->image().shares_memory = plan_->shares_memory;
  prepare_image();
  const UniqueFd cgroup = group_->open_inner();
  std::vector<Supervisor::Join> joins;
  for (const auto& [kind, fd] : joined_namespaces_) joins.push_back({clone_flag(kind), fd.get()});
  supervisor_->spawn(step.clone_flags, cgroup.get(), joins);
  // Before the group goes: not all of its processes may be killable by it (an older kernel's cgroup.kill).
  push_undo("kill the container", [this] {
    hold_namespaces();
    // ESRCH: it is dead and only has to be collected.
    if (init_pidfd_ && sys::pidfd_send_signal(init_pidfd_.get(), SIGKILL) < 0 && errno != ESRCH) {
      throw_errno("cannot kill init");
    }
    supervisor_->dismiss();
  });
}

void StartExecutor::prepare_image() {
  ChildImage& image = supervisor_->image();
  fill_image(plan_->child, image_storage_, image);
  for (int& slot : image.slots) slot = -1;
  if (!trace_.on()) return;
  child_times_.emplace(image.step_count + 1);
  image.times = child_times_->cells();
}

void StartExecutor::perform(const host::AwaitSpawned&) {
  try {
    Supervisor::FirstProcess first = supervisor_->await_spawned();
    init_pid_ = first.pid;
    init_pidfd_ = std::move(first.pidfd);
    links_.set_container(init_pid_);
  } catch (const Error& error) {
    throw error.with_context("cannot create the container's first process")
        .with_hint(error.error_number() == ENOSPC ? "a limit of /proc/sys/user/max_*_namespaces is reached"
                                                  : "");
  }
}

void StartExecutor::perform(const host::MoveIntoCgroup&) {
  write_kernel_file(group_->open_inner().get(), "cgroup.procs", std::to_string(init_pid_));
}

void StartExecutor::perform(const host::MoveSupervisor&) {
  const std::string& monitor = plan_->spec.cgroup_paths.monitor;
  const std::string path = plan_->cgroups.unified + "/" + monitor;
  make_directories(path);
  push_undo("remove cgroup " + path, [this, monitor] {
    // With a first process it has ended by now; init is taken back before this.
    supervisor_->dismiss();
    cgroupv2::remove_empty_group(plan_->cgroups.unified, monitor);
  });
  write_kernel_file(AT_FDCWD, path + "/cgroup.procs", std::to_string(supervisor_->pid()));
}

void StartExecutor::perform(const host::CheckIdMaps&) {
  check_id_maps(init_pid_, plan_->spec.id_map);
}

void StartExecutor::perform(const host::ConnectSeccompProxy&) {
  proxy_socket_ = connect_seccomp_proxy(plan_->spec.seccomp.notify_proxies);
}

void StartExecutor::perform(const host::StartSeccompProxy&) {
  while (!seccomp_listener_) {
    if (!receive()) throw_child_death();
  }
  SeccompProxySetup setup;
  setup.listener = seccomp_listener_.get();
  setup.socket = proxy_socket_.get();
  setup.init_pidfd = init_pidfd_.get();
  setup.mounts = options_.host_mounts;
  setup.supervisor = supervisor_->pid();
  setup.init = init_pid_;
  setup.cookie = plan_->spec.seccomp.notify_cookie;
  setup.addresses = plan_->spec.seccomp.notify_proxies;
  seccomp_proxy_ = start_seccomp_proxy(setup);
  push_undo("end the seccomp proxy's process", [this] {
    // ESRCH: it has ended with the container.
    if (sys::pidfd_send_signal(seccomp_proxy_.get(), SIGKILL) < 0 && errno != ESRCH) {
      throw_errno("cannot end the seccomp proxy's process");
    }
    siginfo_t ended{};
    ::waitid(P_PIDFD, static_cast<id_t>(seccomp_proxy_.get()), &ended, WEXITED);
  });
  seccomp_listener_.reset();
}

void StartExecutor::perform(const host::WriteIdMaps&) {
  write_id_maps(init_pid_, plan_->spec.id_map);
}

void StartExecutor::perform(const host::Proceed& step) {
  if (step.after) {
    side_.wait_for(*step.after - side_begin_ + 1, [this, &step] { send_proceed(step.message); });
  } else {
    send_proceed(step.message);
  }
  // Nobody has as much left to do as the first process. With the lanes on the only two CPUs it would be
  // queued until one of them is done (docs/performance.md).
  if (step.message == SyncMessage::Type::proceed_mapped) ::sched_yield();
}

void StartExecutor::send_proceed(SyncMessage::Type type) {
  SyncMessage message{};
  message.type = type;
  std::vector<std::byte> bytes(sizeof message);
  std::memcpy(bytes.data(), &message, sizeof message);
  std::vector<int> descriptors;
  for (std::size_t at = 0; at < kMaxSlots; ++at) {
    if (!slots_[at]) continue;
    descriptors.push_back(slots_[at].get());
    const auto slot = static_cast<Slot>(at);
    const auto name = std::as_bytes(std::span(&slot, 1));
    bytes.insert(bytes.end(), name.begin(), name.end());
  }
  try {
    send_with_fds(sync_.get(), bytes.data(), bytes.size(), descriptors);
  } catch (const Error& error) {
    if (error.error_number() != EPIPE && error.error_number() != ECONNRESET) throw;
    // The child is gone; it has said why, or died.
    while (receive()) {
    }
    throw_child_death();
  }
  for (auto& slot : slots_) slot.reset();
}

void StartExecutor::perform(const host::StartDhcpClient& step) {
  const auto& plan = *plan_;
  push_undo("end the DHCP client of " + step.client.interface,
            [&plan, client = step.client] { kill_dhcp_client(plan.sysroot, plan.spec.vmid, client); });
  try {
    start_dhcp_client(plan.sysroot, plan.spec.vmid, init_identity_, step.client);
  } catch (const Error&) {
    // An init that has ended took the network along.
    if (!is_ending(init_identity_)) throw;
  }
}

void StartExecutor::perform(const host::AwaitSide& step) {
  side_.wait_for(step.step - side_begin_ + 1);
}

void StartExecutor::perform(const host::OpenTasks& step) {
  slots_[step.slot] = group_->open_tasks(step.hierarchy);
}

void StartExecutor::perform(const host::ApplyLimits& step) {
  group_->apply(step.writes);
}

void StartExecutor::perform(const host::AwaitPrepared&) {
  while (const auto message = receive()) {
    if (message->type == SyncMessage::Type::prepared) return;
  }
  throw_child_death();
}

void StartExecutor::perform(const host::AttachDeviceFilter& step) {
  const UniqueFd program = cgroupv2::load_device_program(step.program);
  cgroupv2::attach_device_program(group_->open_limits().get(), program.get());
}

void StartExecutor::perform(const host::DelegateCgroup& step) {
  group_->delegate(step.gid);
}

void StartExecutor::perform(const host::SetRlimit& step) {
  const Rlimit limit = resolve_rlimit(step.limit);
  check(::prlimit(init_pid_, static_cast<__rlimit_resource>(limit.resource), &limit.limit, nullptr),
        formatted("cannot set resource limit {}", step.limit.name));
}

void StartExecutor::perform(const host::WriteState&) {
  ContainerState state = plan_->state;
  // A group that the config names may be somebody else's until it is made.
  if (!group_made_ && !plan_->spec.cgroup_paths.container.empty()) state.cgroup.clear();
  const auto supervisor = identify_process(supervisor_->pid());
  if (!supervisor) throw Error("the supervisor was killed");
  supervisor_identity_ = *supervisor;
  state.supervisor = supervisor_identity_;
  write_unpublished_state(plan_->sysroot, state);
  record_ = std::move(state);
}

void StartExecutor::perform(const host::IdentifyInit&) {
  const auto init = identify_process(init_pid_);
  if (!init) throw_child_death();
  init_identity_ = *init;
  placement_.wait_apart_from(init_pid_, container_cpus());
}

void StartExecutor::perform(const host::CompleteState&) {
  ContainerState state = plan_->state;
  state.init = init_identity_;
  state.supervisor = supervisor_identity_;
  if (!state.moved_links.empty()) state.moved_links = links_.moved_links();
  write_unpublished_state(plan_->sysroot, state);
  record_ = std::move(state);
  // For whoever joins the container later.
  const auto& filter = plan_->child.filter;
  if (filter.empty()) return;
  const std::string path = state_directory(plan_->sysroot, plan_->spec.vmid) + "/seccomp";
  const UniqueFd file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  write_fd(file.get(), {reinterpret_cast<const char*>(filter.data()), filter.size() * sizeof(sock_filter)},
           path);
}

// The CPUs that the limits leave to the container; empty: all.
std::vector<unsigned> StartExecutor::container_cpus() const {
  for (const auto& step : plan_->host) {
    const auto* limits = std::get_if<host::ApplyLimits>(&step.action);
    if (limits == nullptr) continue;
    for (const auto& write : limits->writes) {
      if (write.file == "cpuset.cpus") return cgroupv2::parse_cpu_list(write.value);
    }
  }
  return {};
}

void StartExecutor::perform(const host::PublishState&) {
  publish_state(plan_->sysroot, plan_->spec.vmid);
}

void StartExecutor::perform(const host::AwaitExec&) {
  bool executing = false;
  while (const auto message = receive()) {
    if (message->type == SyncMessage::Type::executing) executing = true;
  }
  placement_.go_anywhere();
  if (!executing) throw_child_death();
  sync_.reset();
  log_hook_output();
  log_child_steps(ChildOp::exec);
}

void StartExecutor::perform(const host::CommitSupervisor&) {
  std::vector<int> kept;
  if (record_.console_watch.pid > 0) terminals_.front().reset();  // it is drained there
  for (const auto& terminal : terminals_) {
    if (terminal) kept.push_back(terminal.get());
  }
  const bool has_console = !terminals_.empty() && terminals_.front();
  if (rootfs_pin_) kept.push_back(rootfs_pin_.get());
  UniqueFd console_end;
  if (has_console) {
    const int console = terminals_.front().get();
    const int flags = check(::fcntl(console, F_GETFL), "cannot read the console's flags");
    check(::fcntl(console, F_SETFL, flags | O_NONBLOCK), "cannot set the console's flags");
    // With its other end open somewhere a console never hangs up, whatever the container closes and opens
    // again.
    console_end.reset(
        check(::ioctl(console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "cannot open the console's end"));
    kept.push_back(console_end.get());
  }
  if (!plan_->spec.namespaces.pid) supervisor_->never_restart();
  // For the clean-up command (HeldNamespaces::inherited).
  HeldNamespaces namespaces;
  UniqueFd mounts;
  if (has_end_hooks(plan_->spec)) {
    namespaces = HeldNamespaces::of_process(init_pid_);
    mounts = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
  } else if (has_links_to_return(plan_->state)) {
    namespaces = HeldNamespaces::network_of(init_pid_);
  }
  for (const int held : namespaces.descriptors()) kept.push_back(held);
  if (mounts) kept.push_back(mounts.get());
  supervisor_->commit(kept, has_console, namespaces.all().size() + (mounts ? 1U : 0U));
  stop_hooks_.reset();  // its own now
  log_.write(LogLevel::info, "start", "the container is running");
}

}  // namespace hutch
