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
// The group on the cgroup2 tree, which the first process is cloned into.
struct CreateCgroup {
  std::vector<cgroupv2::PlacedWrite> writes;  // decides which controllers are enabled
};
// The same group on the v1 hierarchies that have limits.
struct CreateV1Cgroups {
  std::vector<cgroupv2::PlacedWrite> writes;
};
// The process that init will be a child of (runtime/supervisor.h).
struct MakeSupervisor {};
struct LoadAppArmorProfile {
  std::string name;
  std::string text;
};
// The supervisor's private mount namespace, where the volumes are mounted.
struct EnterMounts {};
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
// Makes sure that the hooks at the container's end run also when the start fails from here on.
struct PromiseHooks {
  HookPhase phase{};  // stop or post_stop
};
// Hooks on the host: pre_start, start_host.
struct RunHook {
  HookPhase phase{};
  Located<std::string> command;
};
// Where the hooks inside write to: the log of this start, and the user's standard error.
struct OpenHookOutput {
  Slot log = kNoSlot;
  Slot errors = kNoSlot;
};
// Until the first process has only init to execute.
struct AwaitReady {};
// A file below /proc/<init>/.
struct WriteProcessFile {
  std::string name;
  std::string value;
};
struct OpenConsoleFiles {};
struct StartConsoleWatch {};
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
// Asks the supervisor for the first process, and goes on meanwhile.
struct Spawn {
  std::uint64_t clone_flags = 0;
};
struct AwaitSpawned {};
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
// Until the side lane is done with everything up to `step` (an index into StartPlan::host).
struct AwaitSide {
  std::size_t step = 0;
};
// Under another name until the container runs, for whoever has to clean up after a start that died; then
// PublishState gives it the name that others look for. Not before: they would join a container that still
// has the host's root.
struct WriteState {};
struct CompleteState {};
struct AwaitExec {};
struct PublishState {};
// The supervisor watches over the container from here on.
struct CommitSupervisor {};

}  // namespace host

using HostAction =
    std::variant<host::MakeStateDirectory, host::CreateCgroup, host::CreateV1Cgroups, host::MakeSupervisor,
                 host::LoadAppArmorProfile, host::EnterMounts, host::OpenIdMapNamespace, host::MountVolume,
                 host::PinRootfs, host::SetUpGuest, host::OpenRoot, host::BuildDev, host::OpenSource,
                 host::Spawn, host::AwaitSpawned, host::WriteIdMaps, host::Proceed, host::OpenTasks,
                 host::ApplyLimits, host::AttachDeviceFilter, host::DelegateCgroup, host::SetRlimit,
                 host::CreateLink, host::ConfigureLink, host::AwaitSide, host::WriteState,
                 host::CompleteState, host::AwaitExec, host::PublishState, host::CommitSupervisor,
                 host::PromiseHooks, host::RunHook, host::OpenHookOutput, host::AwaitReady,
                 host::WriteProcessFile, host::OpenConsoleFiles, host::StartConsoleWatch>;

// Which thread of the starting process runs a step. The side lane's steps stand one after the other in the
// plan; the lane begins when the main lane comes to the first of them.
enum class HostLane : std::uint8_t { main, side };

struct HostStep {
  HostAction action;
  HostLane lane = HostLane::main;
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
  // Whether the first process works in the memory of its starter until it executes init.
  bool shares_memory = true;
  std::size_t ahead = 0;  // how many of them need no more than the spec: the rest may not be planned yet
  ChildProgram child;
  ContainerState state;  // the record to write, without the processes' identities
};

// Where a container's rootfs is mounted in the supervisor's private mount namespace.
std::string rootfs_mount_path(const Sysroot& sysroot, std::uint32_t vmid);

// The plan as people read it: one line a step, with its config line and its undo.
std::string print_plan(const StartPlan& plan);

}  // namespace hutch
