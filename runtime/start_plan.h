#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/origin.h"
#include "base/sysroot.h"
#include "cgroupv2/writes.h"
#include "runtime/child_program.h"
#include "runtime/container_spec.h"
#include "runtime/host_facts.h"
#include "runtime/state.h"
#include "runtime/sync_protocol.h"

// A container start as a program: what the host does, in order, and what the child does beside it. It is
// printed (`pct plan`), run (runtime/executor.h), and failed at every step by the tests.
namespace hutch {

namespace host {

struct MakeStateDirectory {};
struct CreateCgroup {
  std::vector<cgroupv2::PlacedWrite> writes;  // decides which hierarchies are needed
};
struct LoadAppArmorProfile {
  std::string name;
  std::string text;
};
struct UnshareMounts {};
// A user namespace with the container's id map that lives only for the id-mapped mounts.
struct OpenIdMapNamespace {};
struct MountVolume {
  VolumeSpec volume;
  bool id_mapped = false;
  std::optional<uid_t> expected_owner;  // rootfs: who has to own its top, as the host sees it
};
// Keeps a file open for writing: a privileged container that remounts "/" read-only when it shuts down would
// otherwise do so to the host's whole file system.
struct PinRootfs {};
struct SetUpGuest {};
struct OpenRoot {
  Slot slot = kNoSlot;
};
struct BuildDev {
  Slot slot = kNoSlot;
};
struct OpenSource {
  Slot slot = kNoSlot;
  MountSpec mount;
};
struct Spawn {
  std::uint64_t clone_flags = 0;
};
struct WriteIdMaps {};
struct Proceed {
  SyncMessage::Type message{};
};
// `tasks` of the container's group on a v1 hierarchy: a process that moves itself by it, unlike one that is
// moved by its pid, does not wait for an RCU grace period (7 to 14 ms) under the kernel's lock for thread
// groups.
struct OpenTasks {
  Slot slot = kNoSlot;
  std::string hierarchy;
};
struct ApplyLimits {
  std::vector<cgroupv2::PlacedWrite> writes;
};
struct AttachDeviceFilter {
  std::vector<bpf_insn> program;
};
struct DelegateCgroup {
  gid_t gid = 0;
};
struct SetRlimit {
  RlimitSpec limit;
};
struct CreateLink {
  LinkSpec link;
  int bridge_index = 0;
  std::uint32_t mtu = 0;
};
struct ConfigureLink {
  LinkSpec link;
};
struct AwaitReady {};
// Under another name until the container runs; then PublishState gives it the one that others look for.
struct WriteState {};
struct PublishState {};
struct AwaitExec {};

}  // namespace host

using HostAction =
    std::variant<host::MakeStateDirectory, host::CreateCgroup, host::LoadAppArmorProfile, host::UnshareMounts,
                 host::OpenIdMapNamespace, host::MountVolume, host::PinRootfs, host::SetUpGuest,
                 host::OpenRoot, host::BuildDev, host::OpenSource, host::Spawn, host::WriteIdMaps,
                 host::Proceed, host::OpenTasks, host::ApplyLimits, host::AttachDeviceFilter,
                 host::DelegateCgroup, host::SetRlimit, host::CreateLink, host::ConfigureLink,
                 host::WriteState, host::AwaitReady, host::PublishState, host::AwaitExec>;

struct HostStep {
  HostAction action;
  std::string text;  // "create cgroup lxc/100"
  std::string undo;  // what taking it back means; empty: nothing to take back
  Origin origin;
  std::string hint;  // what the user can do when it fails
};

struct StartPlan {
  ContainerSpec spec;
  Sysroot sysroot;
  cgroupv2::Layout cgroups;
  std::vector<HostStep> host;
  ChildProgram child;
  ContainerState state;  // the record to write, without the processes' identities
};

// Where a container's rootfs is mounted in the supervisor's private mount namespace.
std::string rootfs_mount_path(const Sysroot& sysroot, std::uint32_t vmid);

// The plan as people read it: one line a step, with its config line and its undo.
std::string print_plan(const StartPlan& plan);

}  // namespace hutch
