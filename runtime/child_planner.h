#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/planner.h"

// The program of the first process while it is planned; only for runtime/child_plan*.cc.
namespace hutch {

// Collects the child's steps; the order is in plan().
class ChildPlanner {
 public:
  ChildPlanner(const ContainerSpec& spec, const ChildPlanInput& input, ChildProgram& program)
      : spec_(spec), input_(input), program_(program) {}

  void plan();

 private:
  const ContainerSpec& spec_;
  const ChildPlanInput& input_;
  ChildProgram& program_;
  Slot proc_ = kNoSlot;
  Slot sys_ = kNoSlot;
  Slot console_ = kNoSlot;
  std::vector<Slot> receivers_;  // mounts with MountSpec::receives_mounts

  ChildStep& add(ChildOp op, std::string what, const Origin& origin = {}, std::string hint = {}) {
    return program_.add(op, std::move(what), origin, std::move(hint));
  }
  std::uint32_t text(std::string_view value) { return program_.intern(value); }
  void await(SyncMessage::Type message, std::string what) {
    add(ChildOp::await, std::move(what)).number = static_cast<std::uint64_t>(message);
  }

  // Processes of another container may look at ours, with our ids or as root of our user namespace.
  bool seen_by_others() const {
    return spec_.namespaces.shares(NamespaceKind::user) || !spec_.namespaces.pid;
  }
  void keyring();
  void become_root();

  // Of a first process that processes of a privileged container see before it has executed init.
  void give_up_capabilities();
  void hooks(HookPhase phase);

  // While a missing one can still be told apart from one that fails.
  void check_start_hook();
  void time_namespace();
  void stdio();
  void restrict();
  void selinux_context();

  // PATH as init will have it, as execvp(3) reads it.
  std::vector<std::string> search_path() const;
  void start_init();

  // runtime/child_plan_mounts.cc

  // Opens (and makes) `path` below the rootfs; nothing in there may be a symlink.
  Slot target(const std::string& path, const Origin& origin = {}, bool file = false);
  Slot filesystem(const std::string& type, const std::vector<std::pair<std::string, std::string>>& options,
                  std::uint64_t attributes, const Origin& origin = {});
  void attach(Slot mount, Slot dir, std::string_view path, std::string what, const Origin& origin = {});
  Slot clone(Slot dir, std::string_view path, std::string what, bool recursive = false);
  void attributes(Slot mount, std::uint64_t set, std::uint64_t clear, std::string what);

  // Hooks find the rootfs at its path on the host, and the host's "/" beside it; else nobody needs a path.
  void root();
  void dev();
  void proc();
  void sys();
  void sysctls();
  bool keeps_net_admin() const;
  void protect_proc();

  // One lxc.mount.entry. With `optional` a failure of any of its steps goes on behind the last one.
  void entry(const MountSpec& mount, Slot source);

  // The attributes of a mount that the container's root makes itself. What the source has is kept: in a user
  // namespace it may be locked (mount_namespaces(7)), and then clearing it is refused.
  void own_attributes(const MountSpec& mount, Slot source);
  void receive_mounts(Slot mount);
  Slot entry_target(const MountSpec& mount);
  void nesting_mounts();
  void cgroup();
  void terminals();

  // A pty whose other end appears at /dev/<path>; its master goes to the supervisor.
  Slot terminal(Slot devpts, const std::string& path, HandedFd number);
  void boot_id();
};

}  // namespace hutch
