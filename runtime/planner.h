#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/files.h"
#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/host_facts.h"
#include "runtime/start_plan.h"

namespace hutch {

// Compiles a container into the plan of its start. Pure: same arguments, same plan. `filter` is the compiled
// form of spec.seccomp (empty when that has no policy).
// Validates first; throws Error with the config line for what cannot be planned on this host.
StartPlan make_plan(const ContainerSpec& spec, const HostFacts& facts, std::vector<sock_filter> filter,
                    const Sysroot& sysroot);

// Its two halves. The first has the steps that need nothing but the spec (StartPlan::ahead of them): they can
// be run while the host is looked at and the rest is planned. Only the terminals are validated.
StartPlan begin_plan(ContainerSpec spec, const Sysroot& sysroot);
void complete_plan(StartPlan& plan, const HostFacts& facts, std::vector<sock_filter> filter);

// The child's side of it (runtime/child_plan.cc).
struct ChildPlanInput {
  Slot root = kNoSlot;
  Slot dev = kNoSlot;
  std::vector<std::pair<MountSpec, Slot>> sources;  // every entry of spec.mounts; slot of a bind's source
  std::vector<std::pair<std::string, Slot>> tasks;  // v1 hierarchies to join, and their open `tasks` files
  // File systems that the host has made, because they show namespaces of others.
  Slot proc = kNoSlot;
  Slot sys = kNoSlot;
  Slot cgroup = kNoSlot;
  bool report_prepared = false;  // tell the host when no more devices have to be opened
  bool unshare_cgroup = false;   // the cgroup namespace is made after joining the v1 hierarchies
  bool sched_core = false;       // a core-scheduling cookie makes a difference on this host
  // Where the rootfs is on the host, and where the first process has it for hooks.
  std::string rootfs_mount;
  bool waits_before_exec = false;  // for what the host does then
  Slot hook_log = kNoSlot;         // for the output of hooks
  Slot hook_errors = kNoSlot;
  std::string label;  // AppArmor label to take; empty: none
  std::uint64_t dropped_capabilities = 0;
};
void plan_child(const ContainerSpec& spec, const ChildPlanInput& input, ChildProgram& program);

// Environment of init: container=, container_ttys=, then the spec's.
std::vector<std::string> init_environment(const ContainerSpec& spec);

// Host user id that files of the container's root have; 0 for a privileged one.
Owner inner_root(const ContainerSpec& spec);

// "lxc/100", or where the config wants it.
std::string group_path(const ContainerSpec& spec);

// Below /dev: "tty1" or "lxc/tty1".
std::string tty_path(const ContainerSpec& spec, unsigned number);

}  // namespace hutch
