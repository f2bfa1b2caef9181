#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/held_signals.h"
#include "base/trace.h"
#include "base/undo.h"
#include "base/unique_fd.h"
#include "cgroupv2/group.h"
#include "runtime/child_times.h"
#include "runtime/console_watch.h"
#include "runtime/container_log.h"
#include "runtime/cpu_placement.h"
#include "runtime/dev_tree.h"
#include "runtime/link_work.h"
#include "runtime/side_lane.h"
#include "runtime/start_plan.h"
#include "runtime/stop_hooks.h"
#include "runtime/supervisor.h"
#include "runtime/volumes.h"

namespace hutch {

struct ExecutorOptions {
  // Edits the guest's files; gets the mounted rootfs and the ids that its root has in this view of it. Unset:
  // nothing is edited.
  std::function<void(int rootfs_fd, Owner root)> set_up_guest;
  // See StartOptions.
  std::function<void()> state_directory_made;
  // See SupervisorSetup.
  std::vector<std::string> restart_command;
  std::vector<std::string> supervisor_environment;
  int host_mounts = -1;
  // Told about each host step before it runs, and about the child's steps once they are done (`--debug`).
  std::function<void(const std::string& line)> log;
  // Gets a span for each step of both sides; unset or switched off: nothing is measured.
  Trace* trace = nullptr;
  // Called before host step `index`, in the thread that runs it, and once with the number of steps after the
  // last one; what it throws is that step's failure. For fault injection by tests.
  std::function<void(std::size_t index)> before_step;
};

// A child's program with real pointers, and what they point to.
struct ImageStorage {
  std::vector<const char*> candidates;
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::vector<std::vector<char*>> hook_words;
  std::vector<HookImage> hooks;
};

// Runs the host's steps of a StartPlan, in the calling thread and one beside it. Every step registers its
// undo right after it; when a step fails, everything done so far is taken back in reverse order and the
// failure is thrown, with the step, the config line and the hint. After a success nothing is taken back: the
// container's tear-down goes by its state record (runtime/stop.h).
class StartExecutor {
 public:
  explicit StartExecutor(ExecutorOptions options);

  // Everything may change before the first step but the supervisor's part and the trace.
  void set_options(ExecutorOptions options) { options_ = std::move(options); }
  // What host::MakeSupervisor does, before there is a plan: it needs nothing but the vmid. May be left out.
  void make_supervisor(std::uint32_t vmid);
  // Runs the first StartPlan::ahead steps of a plan that need not have more (begin_plan). When it throws,
  // everything has been taken back. At most once.
  void run_ahead(const StartPlan& plan);
  // Runs the plan, which is the same object, without the steps that run_ahead has run. Returns when init has
  // been executed. The caller is in a private mount namespace afterwards, if it got that far
  // (host::EnterMounts). The plan has to live as long as this object. At most once.
  void run(const StartPlan& plan);
  // Takes back what run_ahead has done: nothing will be run.
  void give_up() noexcept;

  // Failures of single undos, after run() has thrown.
  const std::vector<std::string>& undo_failures() const { return undo_failures_; }

 private:
  const StartPlan* plan_ = nullptr;
  ExecutorOptions options_;
  std::size_t next_step_ = 0;
  Trace trace_;
  Trace side_trace_;
  std::vector<std::string> undo_failures_;
  std::optional<cgroupv2::Group> group_;
  std::array<UniqueFd, kMaxSlots> slots_;
  std::vector<std::pair<IdMap, UniqueFd>> id_map_namespaces_;
  std::vector<std::string> quota_devices_;  // of the mounted volumes
  std::optional<DevTree> dev_orders_;       // while the supervisor may look at them
  UniqueFd dev_;                            // what it has made of them
  UniqueFd plain_rootfs_;                   // of an id-mapped rootfs, until the guest is set up
  UniqueFd rootfs_pin_;                     // held as long as the container lives
  std::vector<std::pair<NamespaceKind, UniqueFd>> joined_namespaces_;
  UniqueFd proxy_socket_;      // to the seccomp proxy
  UniqueFd seccomp_listener_;  // until its process has it
  UniqueFd seccomp_proxy_;     // pidfd of that process
  UniqueFd sync_;
  std::size_t child_steps_logged_ = 0;
  std::optional<ChildTimes> child_times_;
  ImageStorage image_storage_;
  CpuPlacement placement_;
  std::optional<Supervisor> supervisor_;
  pid_t init_pid_ = -1;
  ProcessIdentity init_identity_;
  ProcessIdentity supervisor_identity_;
  UniqueFd init_pidfd_;
  LinkWork links_{
      [this](std::string name, UndoStack::Action action) { push_undo(std::move(name), std::move(action)); }};
  ContainerLog log_;
  std::optional<HeldSignals> signals_;  // only where hooks may take their time
  std::optional<StopHooks> stop_hooks_;
  UniqueFd hook_log_;     // what hooks inside have printed
  UniqueFd hook_errors_;  // on standard error
  ConsoleFiles console_files_;
  bool group_made_ = false;
  ContainerState record_;            // as it was written last
  std::vector<UniqueFd> terminals_;  // masters of the container's ptys, by HandedFd
  std::mutex undo_mutex_;            // both lanes register undos
  UndoStack undo_;                   // its actions use the members above
  std::size_t side_begin_ = 0;       // index of the side lane's first step
  SideLane side_;                    // last: it is waited for before anything else goes

  void run_guarded(const StartPlan& plan, std::size_t end);
  void run_main_lane(std::size_t end);
  void run_step(std::size_t at, Trace& trace);
  void begin_side_lane(std::size_t at);
  void push_undo(std::string name, UndoStack::Action action);
  void perform(const host::MakeStateDirectory& step);
  void perform(const host::CreateCgroup& step);
  void perform(const host::CreateV1Cgroups& step);
  void perform(const host::MakeSupervisor& step);
  void perform(const host::LoadAppArmorProfile& step);
  void perform(const host::EnterMounts& step);
  void perform(const host::OpenIdMapNamespace& step);
  void perform(const host::MountVolume& step);
  void perform(const host::PinRootfs& step);
  void perform(const host::SetUpGuest& step);
  void perform(const host::OpenRoot& step);
  void perform(const host::OrderDev& step);
  void perform(const host::CompleteDev& step);
  void perform(const host::OpenSource& step);
  void perform(const host::OpenNamespace& step);
  void perform(const host::OrderNamespaces& step);
  void perform(const host::Spawn& step);
  void perform(const host::AwaitSpawned& step);
  void perform(const host::MoveIntoCgroup& step);
  void perform(const host::MoveSupervisor& step);
  void perform(const host::CheckIdMaps& step);
  void perform(const host::MakeNamespaceFilesystem& step);
  void perform(const host::ConnectSeccompProxy& step);
  void perform(const host::StartSeccompProxy& step);
  void perform(const host::WriteIdMaps& step);
  void perform(const host::Proceed& step);
  void perform(const host::OpenTasks& step);
  void perform(const host::ApplyLimits& step);
  void perform(const host::AwaitPrepared& step);
  void perform(const host::AttachDeviceFilter& step);
  void perform(const host::DelegateCgroup& step);
  void perform(const host::SetRlimit& step);
  void perform(const host::CreateLink& step) { links_.perform(step); }
  void perform(const host::DisableIpv6& step) { links_.perform(step); }
  void perform(const host::PlugLink& step) { links_.perform(step); }
  void perform(const host::RouteLink& step) { links_.perform(step); }
  void perform(const host::ProxyLink& step) { links_.perform(step); }
  void perform(const host::MoveLink& step) { links_.perform(step); }
  void perform(const host::RunLinkScripts& step) { links_.perform(step); }
  void perform(const host::ConfigureLink& step) { links_.perform(step); }
  void perform(const host::StartDhcpClient& step);
  void perform(const host::AwaitSide& step);
  void perform(const host::WriteState& step);
  void perform(const host::IdentifyInit& step);
  void perform(const host::CompleteState& step);
  void perform(const host::PublishState& step);
  void perform(const host::AwaitExec& step);
  void perform(const host::CommitSupervisor& step);
  void perform(const host::PromiseHooks& step);
  void perform(const host::RunHook& step);
  void perform(const host::OpenHookOutput& step);
  void perform(const host::AwaitReady& step);
  void perform(const host::WriteProcessFile& step);
  void perform(const host::OpenConsoleFiles& step);
  void perform(const host::StartConsoleWatch& step);

  int id_map_namespace(const IdMap& map) const;
  std::string lock_stage(int mount) const;
  OpenedVolume mount(const host::MountVolume& step, int id_map);
  void prepare_for(const StartPlan& plan);
  bool wants_debug() const;
  void debug(const std::string& line);
  void log_hook_output();
  void hold_namespaces();
  void wait_for_child();
  void log_child_steps(ChildOp last);
  void trace_child_steps();
  void prepare_image();
  // To the first process, with the descriptors of all slots.
  void send_proceed(SyncMessage::Type type);
  void collect_trace();
  std::vector<unsigned> container_cpus() const;
  std::string rootfs_path() const { return rootfs_mount_path(plan_->sysroot, plan_->spec); }
  // One message of the child; nothing at end-of-file. A passed descriptor lands in terminals_. A `failed`
  // is thrown.
  std::optional<SyncMessage> receive();
  // What the user has to be told when the host's side failed with `failure`: what the child has reported, if
  // it has; the host's failure is then only the echo.
  Error real_failure(const Error& failure);
  [[noreturn]] void throw_child_failure(const SyncMessage& message) const;
  [[noreturn]] void throw_child_death();
};

}  // namespace hutch
