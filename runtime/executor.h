#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/undo.h"
#include "base/unique_fd.h"
#include "cgroupv2/group.h"
#include "netlink/socket.h"
#include "runtime/start_plan.h"

namespace hutch {

struct ExecutorOptions {
  // Edits the guest's files; gets the mounted rootfs and the ids that its root has in this view of it. Unset:
  // nothing is edited.
  std::function<void(int rootfs_fd, Owner root)> set_up_guest;
  // Told about each host step before it runs, and about the child's steps once they are done (`--debug`).
  std::function<void(const std::string& line)> log;
  // Called before host step `index`, and once with the number of steps after the last one; what it throws is
  // that step's failure. For fault injection by tests.
  std::function<void(std::size_t index)> before_step;
};

// Runs the host's side of a StartPlan in the supervisor. Every step registers its undo right after it; when a
// step fails, everything done so far is taken back in reverse order and the failure is thrown, with the step,
// the config line and the hint. After a success the same undo stack is the container's tear-down.
class StartExecutor {
 public:
  StartExecutor(const StartPlan& plan, ExecutorOptions options);

  // Returns when init has been executed. The calling process must have no other thread (checked).
  void run();

  // Takes everything back: kills what still runs, removes links, cgroups, mounts and the state directory.
  // Failures of single undos are collected in `undo_failures`.
  void tear_down() noexcept { undo_.run(); }
  const std::vector<std::string>& undo_failures() const { return undo_failures_; }

  pid_t init_pid() const { return init_pid_; }
  int init_pidfd() const { return init_pidfd_.get(); }
  // True once init's status has been collected (by reap_init or by tear_down).
  bool init_reaped() const { return init_reaped_; }
  // Waits for init to end and gives its wait status.
  int reap_init();
  // Master of the console's pty; -1 when the container has no console.
  int console() const { return terminals_.empty() ? -1 : terminals_.front().get(); }

 private:
  const StartPlan& plan_;
  ExecutorOptions options_;
  std::vector<std::string> undo_failures_;
  cgroupv2::Group group_;
  std::array<UniqueFd, kMaxSlots> slots_;
  UniqueFd id_map_namespace_;
  UniqueFd plain_rootfs_;  // of an id-mapped rootfs, until the guest is set up
  UniqueFd rootfs_pin_;    // held as long as the container lives
  UniqueFd sync_;
  std::size_t child_steps_logged_ = 0;
  pid_t init_pid_ = -1;
  UniqueFd init_pidfd_;
  bool init_reaped_ = true;
  int init_status_ = 0;
  std::optional<netlink::Socket> socket_;
  std::optional<UniqueFd> net_namespace_;
  std::vector<UniqueFd> terminals_;  // masters of the container's ptys, by HandedFd
  UndoStack undo_;                   // last: its actions use the members above

  void run_step(const HostStep& step);
  void perform(const host::MakeStateDirectory& step);
  void perform(const host::CreateCgroup& step);
  void perform(const host::LoadAppArmorProfile& step);
  void perform(const host::UnshareMounts& step);
  void perform(const host::OpenIdMapNamespace& step);
  void perform(const host::MountVolume& step);
  void perform(const host::PinRootfs& step);
  void perform(const host::SetUpGuest& step);
  void perform(const host::OpenRoot& step);
  void perform(const host::BuildDev& step);
  void perform(const host::OpenSource& step);
  void perform(const host::Spawn& step);
  void perform(const host::WriteIdMaps& step);
  void perform(const host::Proceed& step);
  void perform(const host::OpenTasks& step);
  void perform(const host::ApplyLimits& step);
  void perform(const host::AttachDeviceFilter& step);
  void perform(const host::DelegateCgroup& step);
  void perform(const host::SetRlimit& step);
  void perform(const host::CreateLink& step);
  void perform(const host::ConfigureLink& step);
  void perform(const host::AwaitReady& step);
  void perform(const host::WriteState& step);
  void perform(const host::PublishState& step);
  void perform(const host::AwaitExec& step);

  void log_child_steps(ChildOp last);
  netlink::Socket& socket();
  int net_namespace();
  std::string rootfs_path() const { return rootfs_mount_path(plan_.sysroot, plan_.spec.vmid); }
  // One message of the child; nothing at end-of-file. A passed descriptor lands in terminals_. A `failed`
  // is thrown.
  std::optional<SyncMessage> receive();
  // Throws the child's own failure if it has reported one: what the host stumbled over is then only its echo.
  void prefer_child_failure();
  [[noreturn]] void throw_child_failure(const SyncMessage& message) const;
  [[noreturn]] void throw_child_death();
};

}  // namespace hutch
