#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/apparmor.h"
#include "runtime/planner.h"

// The host's side of a plan while it is made; only for runtime/planner*.cc.
namespace hutch {

// Collects the host's steps; keeps the order readable in make_plan.
class HostPlanner {
 public:
  HostPlanner(const ContainerSpec& spec, StartPlan& plan)
      : spec_(spec), plan_(plan), group_(group_path(spec)), inner_(group_ + "/" + spec.cgroup_paths.inner) {}

  // What needs nothing but the spec: it can begin while the host is looked at.
  void ahead();
  void rest(const HostFacts& facts);
  const ChildPlanInput& child() const { return child_; }

 private:
  const ContainerSpec& spec_;
  const HostFacts* facts_ = nullptr;  // not known ahead
  StartPlan& plan_;
  std::string group_;
  std::string inner_;
  std::vector<cgroupv2::PlacedWrite> limits_;
  ChildPlanInput child_;
  HostLane lane_ = HostLane::main;
  std::size_t last_side_ = 0;

  HostStep& add(HostAction action, std::string text, std::string undo = {}, Origin origin = {});
  void enter_mounts() { add(host::EnterMounts{}, "enter the supervisor's mount namespace"); }
  void promise_hooks(HookPhase phase);
  void run_hooks(HookPhase phase);
  void hook_output();
  void process_files();
  bool watches_console() const { return spec_.console && spec_.autodev && spec_.console_output.watched(); }

  bool may_share_memory() const;
  // From the state record to the order for the first process.
  void first_process();
  // What needs no step: what the child gets, the limits, the label.
  void decide();
  // What the child takes over, opened.
  void mounts();
  // From the last things that happen before init is executed until it is.
  void execute();
  // The processes that stay beside init.
  void beside_init();

  // What needs the first process and nothing else. Gives the step after which the id maps are written.
  std::size_t side_lane();

  // Enough to clean up with.
  ContainerState record() const;
  void complete(ContainerState& state) const;
  bool notifies() const { return !spec_.seccomp.policy.empty() && !spec_.seccomp.notify_proxies.empty(); }

  // The user namespace last: with it go the rights to join the others.
  void open_namespaces();
  Origin namespace_origin(NamespaceKind kind) const;

  // Whoever is root of a user namespace may mount what shows a namespace of it, and nothing that shows
  // others'.
  void namespace_filesystems();
  void v1_cgroups();
  void delegate();
  void send(SyncMessage::Type message, std::string text, std::optional<std::size_t> after = {}) {
    add(host::Proceed{message, after}, std::move(text));
  }
  void choose_limits();
  void choose_profile();
  AppArmorInput profile_input() const;
  void load_profile();
  bool needs_id_mapped_mount(const VolumeSpec& volume) const;
  void volumes();
  void mount(const VolumeSpec& volume);

  // One namespace for each map.
  void id_map_namespaces(const std::vector<const VolumeSpec*>& volumes);
  static std::string disk_ids_text(const VolumeSpec& volume);

  // A container's root could take read-only and other attributes off again, and bring to light what the
  // mounts in a host's directory cover. What lies on a storage has no attributes but those that the config
  // gives, and a rootfs is the container's own.
  bool needs_locked_attributes() const;
  void order_dev();
  void complete_dev();
  void sources();
  static std::string source_text(const MountSpec& mount);

  // The v1 hierarchies that have limits: the child joins them itself.
  void open_tasks();
  // Those that are made before anything is known of the host: CLONE_NEW*.
  std::uint64_t early_namespaces() const;
  void order_namespaces();
  void spawn();
  std::string id_map_text() const;
  // The first process can join a v1 cpuset only when that has its CPUs; the others while they are limited.
  void limits(bool before_joining);
  void device_filter();

  // The child opens these itself while it prepares: null, ptmx and ends of ptys.
  bool refuses_own_devices() const;
  void rlimits();
  void links();
  std::size_t last_link_for_init() const;
};

}  // namespace hutch
