#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/boxed.h"
#include "base/origin.h"
#include "base/sysroot.h"
#include "cgroupv2/writes.h"
#include "runtime/child_program.h"
#include "runtime/container_spec.h"
#include "runtime/host_facts.h"
#include "runtime/link_plug.h"
#include "runtime/link_script.h"
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
// A user namespace with this map (the container's, or that of one volume's disk) that lives only for the
// id-mapped mounts.
struct OpenIdMapNamespace {
  IdMap map;
};
struct MountVolume {
  Boxed<VolumeSpec> volume;
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
  bool locked = false;  // read-only and other attributes of its mounts stay (runtime/locked_mount.h)
};
// Has the supervisor make /dev, which is there once its mount namespace is entered (EnterMounts).
struct OrderDev {};
// What is known of it only after the volumes are mounted.
struct CompleteDev {
  Slot slot = kNoSlot;
};
struct OpenSource {
  Slot slot = kNoSlot;
  Boxed<MountSpec> mount;
};
// A namespace that the first process will join (runtime/namespaces.h).
struct OpenNamespace {
  SharedNamespace shared;
};
// Has the supervisor make namespaces, and goes on meanwhile; the first process is cloned in them.
struct OrderNamespaces {
  std::uint64_t clone_flags = 0;
};
// Asks the supervisor for the first process, and goes on meanwhile.
struct Spawn {
  std::uint64_t clone_flags = 0;
};
struct AwaitSpawned {};
// The first process could not be cloned into its group.
struct MoveIntoCgroup {};
// In place of the supervisor's staying where the starter is.
struct MoveSupervisor {};
// In place of writing id maps: those of a shared user namespace are compared.
struct CheckIdMaps {};
// A file system that shows a namespace of somebody else's: the container's root has no right to mount it.
struct MakeNamespaceFilesystem {
  Slot slot = kNoSlot;
  std::string type;
  std::uint64_t attributes = 0;
  NamespaceKind kind = NamespaceKind::net;
};
// To whom `notify` actions go, connected before anything depends on it.
struct ConnectSeccompProxy {};
// Waits for the filter's listener, and leaves it to a process of its own (runtime/seccomp_proxy.h).
struct StartSeccompProxy {};
struct WriteIdMaps {};
// Sent as soon as the side lane is done with everything up to `after` (an index into StartPlan::host), where
// there is one: by the lane, if it comes last.
struct Proceed {
  SyncMessage::Type message{};
  std::optional<std::size_t> after{};
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
// Until the child has opened all devices that its own preparations need.
struct AwaitPrepared {};
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
  Boxed<LinkSpec> link;
  int bridge_index = 0;
  std::uint32_t mtu = 0;  // 0: the lower link's
  int lower_index = 0;    // macvlan, ipvlan, vlan
  bool plugged = false;   // veth: PlugLink follows, until then the host end stays down
};
// The host's end of a veth in a bridge needs no addresses of its own.
struct DisableIpv6 {
  std::string link;
};
// Connects a veth's host end where the bridge or the traffic needs more than becoming a port.
struct PlugLink {
  Boxed<LinkPlug> plug;
};
// What the host has to know to reach a veth without a bridge, and the subnets behind any veth.
struct RouteLink {
  Boxed<LinkSpec> link;
};
// Lets a link of the host answer for the container's addresses.
struct ProxyLink {
  std::string answering;
  Boxed<LinkSpec> link;
};
// Gives a link of the host to the container.
struct MoveLink {
  Boxed<LinkSpec> link;
  MovedLink moved;  // inside_index is found out
};
struct RunLinkScripts {
  std::optional<Boxed<LinkScript>> up;    // run now
  std::optional<Boxed<LinkScript>> down;  // run as the undo
  std::string container;
  std::vector<std::string> environment;
};
// Gateways are addresses or "dev".
struct ConfigureLink {
  Boxed<LinkSpec> link;
};
struct StartDhcpClient {
  DhcpClient client;
};
// Until the side lane is done with everything up to `step` (an index into StartPlan::host).
struct AwaitSide {
  std::size_t step = 0;
};
// Under another name until the container runs, for whoever has to clean up after a start that died; then
// PublishState gives it the name that others look for. Not before: they would join a container that still
// has the host's root.
struct WriteState {};
// Notes who the first process is, while it cannot end yet by itself, and leaves it the CPUs it is limited to.
struct IdentifyInit {};
struct CompleteState {};
struct AwaitExec {};
struct PublishState {};
// The supervisor watches over the container from here on.
struct CommitSupervisor {};

}  // namespace host

// Large specs are boxed: a plan has some fifty steps, and every page that it fills costs a start a page
// fault.
using HostAction = std::variant<
    host::MakeStateDirectory, host::CreateCgroup, host::CreateV1Cgroups, host::MakeSupervisor,
    host::LoadAppArmorProfile, host::EnterMounts, host::OpenIdMapNamespace, host::MountVolume,
    host::PinRootfs, host::SetUpGuest, host::OpenRoot, host::OrderDev, host::CompleteDev, host::OpenSource,
    host::OpenNamespace, host::OrderNamespaces, host::Spawn, host::AwaitSpawned, host::MoveIntoCgroup,
    host::MoveSupervisor, host::CheckIdMaps, host::MakeNamespaceFilesystem, host::ConnectSeccompProxy,
    host::StartSeccompProxy, host::WriteIdMaps, host::Proceed, host::OpenTasks, host::ApplyLimits,
    host::AttachDeviceFilter, host::DelegateCgroup, host::SetRlimit, host::CreateLink, host::DisableIpv6,
    host::PlugLink, host::RouteLink, host::ProxyLink, host::MoveLink, host::RunLinkScripts,
    host::ConfigureLink, host::AwaitSide, host::AwaitPrepared, host::WriteState, host::IdentifyInit,
    host::StartDhcpClient, host::CompleteState, host::AwaitExec, host::PublishState, host::CommitSupervisor,
    host::PromiseHooks, host::RunHook, host::OpenHookOutput, host::AwaitReady, host::WriteProcessFile,
    host::OpenConsoleFiles, host::StartConsoleWatch>;

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
  std::size_t ahead = 0;  // how many of the host's steps need no more than the spec
  ChildProgram child;
  ContainerState state;  // the record to write, without the processes' identities
};

// Where a container's rootfs is mounted in the supervisor's private mount namespace, unless its spec says
// otherwise (lxc.rootfs.mount).
std::string rootfs_mount_path(const Sysroot& sysroot, std::uint32_t vmid);
std::string rootfs_mount_path(const Sysroot& sysroot, const ContainerSpec& spec);

// The plan as people read it: one line a step, with its config line and its undo.
std::string print_plan(const StartPlan& plan);

}  // namespace hutch
