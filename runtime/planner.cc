#include "runtime/planner.h"

#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/cpuset.h"
#include "cgroupv2/device_filter.h"
#include "runtime/apparmor.h"
#include "runtime/capabilities.h"
#include "runtime/container_hooks.h"
#include "runtime/host_planner.h"
#include "runtime/id_map.h"
#include "runtime/link_plan.h"
#include "runtime/link_return.h"
#include "runtime/namespaces.h"
#include "runtime/rlimit.h"
#include "runtime/validate.h"

namespace hutch {

namespace {

// When a group has no memory left, the kernel kills a process of it and all that share memory with that
// (mm/oom_kill.c). With so little a start itself may run into it, and the starter must not be among them.
constexpr std::uint64_t kTightMemory = 64U << 20;

// More than most plans have: each that does not fit moves all of them.
constexpr std::size_t kUsualSteps = 64;

bool tight_memory(const cgroupv2::Resources& resources) {
  const auto& limit = resources.memory_max;
  if (limit && limit->value.bytes.value_or(kTightMemory) < kTightMemory) return true;
  return std::any_of(resources.raw.begin(), resources.raw.end(), [](const auto& raw) {
    if (raw.file != "memory.max" || raw.value == "max") return false;
    // What is no plain number (the kernel takes "16M" too) counts as little: it only costs time.
    return parse_unsigned(raw.value).value_or(0) < kTightMemory;
  });
}

}  // namespace

void HostPlanner::ahead() {
  add(host::MakeSupervisor{}, "make the supervisor, in a private mount namespace", "end it");
  if (spec_.autodev) order_dev();
  plan_.shares_memory = may_share_memory();
  order_namespaces();
  plan_.ahead = plan_.host.size();
}

bool HostPlanner::may_share_memory() const {
  const auto& namespaces = spec_.namespaces;
  // Some files of /proc/<pid> are about the memory, which is to be init's alone then (oom_score_adj).
  // And root of the host's user namespace may look into every process that it sees, dumpable or not: a
  // privileged container's programs must not see one that shares our memory.
  const bool visible = spec_.id_map.empty() && (!spec_.hooks.of(HookPhase::start).empty() || !namespaces.pid);
  return !visible && !namespaces.time && !namespaces.shares(NamespaceKind::time) &&
         !tight_memory(spec_.resources) && spec_.process_files.empty();
}

void HostPlanner::first_process() {
  plan_.state = record();
  if (has_end_hooks(spec_)) promise_hooks(HookPhase::post_stop);
  add(host::MakeStateDirectory{}, formatted("make directory {}", state_directory(plan_.sysroot, spec_.vmid)),
      "remove");
  add(host::WriteState{}, "write the state record", "remove");
  const bool hooks_first = !spec_.hooks.of(HookPhase::pre_start).empty();
  if (hooks_first) {
    // What they mount goes with the container.
    enter_mounts();
    run_hooks(HookPhase::pre_start);
  }
  add(host::CreateCgroup{limits_}, formatted("create cgroup {} and {}", group_, inner_), "remove",
      spec_.cgroup_paths.origin);
  if (!spec_.cgroup_paths.container.empty()) {
    add(host::WriteState{}, "add the cgroup to the state record", "", spec_.cgroup_paths.origin);
  }
  if (!spec_.hooks.of(HookPhase::stop).empty()) promise_hooks(HookPhase::stop);
  if (!spec_.cgroup_paths.monitor.empty()) {
    add(host::MoveSupervisor{}, formatted("move the supervisor into cgroup {}", spec_.cgroup_paths.monitor),
        "remove", spec_.cgroup_paths.origin);
  }
  open_namespaces();
  spawn();
  if (!hooks_first) enter_mounts();
}

void HostPlanner::rest(const HostFacts& facts) {
  facts_ = &facts;
  decide();
  first_process();
  complete(plan_.state);
  if (has_links_to_return(plan_.state)) {
    add(host::WriteState{}, "add to the state record what the host gets back");
  }
  if (notifies()) {
    add(host::ConnectSeccompProxy{},
        formatted("connect to the seccomp proxy {}", join(spec_.seccomp.notify_proxies, ", else ")), "",
        spec_.seccomp.notify_origin);
  }
  if (watches_console()) {
    const auto& path = spec_.console_output.path;
    add(host::OpenConsoleFiles{}, "open what the console is shown on and logged to", "",
        path.value.empty() ? spec_.console_output.log_file.origin : path.origin);
  }
  const std::size_t mapped = side_lane();
  // Hooks inside look at what is mounted there: a first process that is made just now could have a copy of
  // the host's mount of the rootfs, or not.
  const bool staged = has_staged_hooks(spec_);
  if (staged) add(host::AwaitSide{mapped}, "wait for the id maps");
  // What the child needs for its mounts goes first, so that both sides have something to do.
  mounts();
  v1_cgroups();
  hook_output();
  limits(true);
  if (staged) {
    send(SyncMessage::Type::proceed_mapped, "send 'mapped'");
  } else {
    send(SyncMessage::Type::proceed_mapped, "send 'mapped' once the ids are mapped", mapped);
  }
  load_profile();
  limits(false);
  // From here on each of the two has a CPU of its own; what is above is short enough to be shared.
  add(host::IdentifyInit{}, "identify the first process");
  device_filter();
  delegate();
  rlimits();
  process_files();
  // A child that may only use the CPU we run on would stop us in the middle: the links come first.
  const std::size_t links = last_link_for_init();
  send(SyncMessage::Type::proceed_limited, "send 'limited' once the links are made", links);
  // Beside the child's last steps. Nobody reads it before it is published.
  add(host::CompleteState{}, "complete the state record");
  execute();
  beside_init();
  if (links != last_side_) add(host::AwaitSide{last_side_}, "wait for the links' settings");
  add(host::PublishState{}, "publish the state record");
  add(host::CommitSupervisor{}, "leave the container to its supervisor");
}

void HostPlanner::decide() {
  choose_limits();
  choose_profile();
  child_.dropped_capabilities = bounding_set_to_drop(spec_.capabilities, facts_->last_capability);
  child_.sched_core = spec_.core_scheduling && facts_->smt;
  child_.rootfs_mount = rootfs_mount_path(plan_.sysroot, spec_);
  child_.waits_before_exec = has_inner_hooks(spec_) || !spec_.hooks.of(HookPhase::start_host).empty();
}

void HostPlanner::mounts() {
  volumes();
  child_.root = plan_.child.new_slot();
  const bool locked = needs_locked_attributes();
  add(host::OpenRoot{child_.root, locked},
      formatted("open the rootfs as a detached tree{}", locked ? ", its mounts' attributes locked" : ""));
  if (spec_.autodev) complete_dev();
  sources();
  namespace_filesystems();
}

void HostPlanner::execute() {
  if (notifies()) {
    add(host::StartSeccompProxy{}, "start a process that passes seccomp notifications on", "end it",
        spec_.seccomp.notify_origin);
  }
  if (child_.waits_before_exec) {
    add(host::AwaitReady{}, "wait for 'ready'");
    run_hooks(HookPhase::start_host);
    send(SyncMessage::Type::proceed_exec, "send 'execute'");
  }
  add(host::AwaitExec{}, "wait for init to be executed");
}

void HostPlanner::beside_init() {
  for (const auto& client : plan_.state.dhcp_clients) {
    add(host::StartDhcpClient{client},
        formatted("start a DHCP client for {} (IPv{})", client.interface, client.family == AF_INET ? 4 : 6),
        "end it");
  }
  if (watches_console()) {
    add(host::StartConsoleWatch{}, "start the process that watches the console", "end it",
        spec_.console_output.log_file.origin);
  }
}

HostStep& HostPlanner::add(HostAction action, std::string text, std::string undo, Origin origin) {
  if (lane_ == HostLane::side) last_side_ = plan_.host.size();
  plan_.host.push_back({std::move(action), lane_, std::move(text), std::move(undo), std::move(origin), {}});
  return plan_.host.back();
}

void HostPlanner::promise_hooks(HookPhase phase) {
  std::size_t count = spec_.hooks.of(phase).size();
  if (phase == HookPhase::post_stop) {
    count += spec_.hooks.of(HookPhase::stop).size() + (spec_.hookscript.value.empty() ? 0 : 1);
  }
  add(host::PromiseHooks{phase},
      formatted("promise the {} hooks", phase == HookPhase::stop ? "stop" : "stop and post-stop"),
      formatted("run {} hook{}", count, count == 1 ? "" : "s"));
}

void HostPlanner::run_hooks(HookPhase phase) {
  for (const auto& command : spec_.hooks.of(phase)) {
    add(host::RunHook{phase, command}, formatted("run the {} hook '{}'", hook_name(phase), command.value), "",
        command.origin);
  }
}

void HostPlanner::hook_output() {
  if (!has_inner_hooks(spec_)) return;
  child_.hook_log = plan_.child.new_slot();
  child_.hook_errors = plan_.child.new_slot();
  add(host::OpenHookOutput{child_.hook_log, child_.hook_errors}, "open what the hooks inside write to");
}

void HostPlanner::process_files() {
  for (const auto& [name, value] : spec_.process_files) {
    add(host::WriteProcessFile{name, value.value},
        formatted("write {} into /proc/<init>/{}", value.value, name), "", value.origin);
  }
}

std::size_t HostPlanner::side_lane() {
  lane_ = HostLane::side;
  add(host::AwaitSpawned{}, "wait for the first process");
  if (spec_.namespaces.shares(NamespaceKind::cgroup)) {
    add(host::MoveIntoCgroup{}, formatted("move it into cgroup {}", inner_));
  }
  if (spec_.namespaces.shares(NamespaceKind::user)) {
    add(host::CheckIdMaps{}, "compare the id maps:" + id_map_text(), "",
        spec_.id_map.uids.empty() ? Origin{} : spec_.id_map.uids.front().origin);
  }
  if (spec_.namespaces.user) {
    add(host::WriteIdMaps{}, "write the id maps:" + id_map_text(), "",
        spec_.id_map.uids.empty() ? Origin{} : spec_.id_map.uids.front().origin);
  }
  const std::size_t mapped = last_side_;
  links();
  lane_ = HostLane::main;
  return mapped;
}

ContainerState HostPlanner::record() const {
  ContainerState state;
  state.vmid = spec_.vmid;
  state.cgroup = group_;
  if (spec_.cgroup_paths.inner != CgroupPaths().inner) state.cgroup_inner = spec_.cgroup_paths.inner;
  state.cgroup_monitor = spec_.cgroup_paths.monitor;
  state.cgroup_monitor_pivot = spec_.cgroup_paths.monitor_pivot;
  for (const auto& link : spec_.links) {
    if (link.kind == LinkSpec::Kind::veth) state.host_links.push_back(link.host_name);
  }
  if (has_end_hooks(spec_)) {
    const std::string rootfs = rootfs_mount_path(plan_.sysroot, spec_);
    state.hook_environment = common_hook_environment(hook_container(spec_, rootfs));
    state.hook_version = spec_.hook_version;
    state.stop_hooks = spec_.hooks.of(HookPhase::stop);
    state.post_stop_hooks = spec_.hooks.of(HookPhase::post_stop);
    state.hookscript = spec_.hookscript.value;
  }
  state.log = spec_.log;
  state.copied_environment = spec_.copied_environment;
  return state;
}

void HostPlanner::complete(ContainerState& state) const {
  state.dropped_capabilities = child_.dropped_capabilities;
  state.no_new_privs = spec_.no_new_privs;
  state.seccomp = !spec_.seccomp.policy.empty();
  state.apparmor_label = child_.label;
  state.init_uid = spec_.init.uid;
  state.init_gid = spec_.init.gid;
  for (const auto& limit : spec_.rlimits) {
    state.resource_limits.push_back(print_rlimit(resolve_rlimit(limit)));
  }
  state.environment.emplace_back("container=lxc");
  for (const auto& entry : spec_.init.environment) state.environment.push_back(entry.value);
  const LinkPlanContext links = link_plan_context(spec_, plan_.sysroot);
  for (const auto& link : spec_.links) record_link(link, *facts_, links, state);
  state.halt_signal = spec_.signals.halt;
  state.stop_signal = spec_.signals.stop;
  state.selinux_context = spec_.selinux.context;
  state.shares_keyring = !spec_.new_keyring;
  state.core_scheduling = child_.sched_core;
  state.ephemeral = spec_.ephemeral;
  if (!notifies()) return;
  state.notify_proxies = spec_.seccomp.notify_proxies;
  state.notify_cookie = spec_.seccomp.notify_cookie;
}

void HostPlanner::v1_cgroups() {
  const bool any = std::any_of(limits_.begin(), limits_.end(),
                               [&](auto& write) { return write.hierarchy != plan_.cgroups.unified; });
  if (!any) return;
  add(host::CreateV1Cgroups{limits_}, formatted("create cgroup {} on the v1 hierarchies", group_));
  open_tasks();
}

void HostPlanner::delegate() {
  const Owner owner = inner_root(spec_);
  add(host::DelegateCgroup{owner.gid}, formatted("delegate cgroup {} to group {}", inner_, owner.gid));
}

void HostPlanner::choose_limits() {
  std::string cpus;
  if (spec_.resources.cpu_count) {
    cpus = cgroupv2::print_cpu_list(
        cgroupv2::choose_cpus(facts_->cpus, spec_.resources.cpu_count->value, facts_->seed));
  }
  limits_ = cgroupv2::for_fresh_group(
      cgroupv2::place(cgroupv2::resource_writes(spec_.resources, cpus), plan_.cgroups));
}

void HostPlanner::choose_profile() {
  const auto& wanted = spec_.apparmor;
  if (!facts_->apparmor || wanted.profile == "unchanged") return;
  child_.label = wanted.profile == "generated" ? apparmor_label(profile_input()) : wanted.profile;
}

AppArmorInput HostPlanner::profile_input() const {
  AppArmorInput input;
  input.container = std::to_string(spec_.vmid);
  input.unprivileged = spec_.unprivileged;
  input.allow_nesting = spec_.apparmor.allow_nesting;
  input.cgroup_namespace = spec_.namespaces.cgroup;
  input.features = *facts_->apparmor;
  // A policy namespace of the container's own is not set up here, so the plain profile is the label.
  input.features.stacking = false;
  input.raw_rules = spec_.apparmor.raw_rules;
  return input;
}

void HostPlanner::load_profile() {
  if (!facts_->apparmor || spec_.apparmor.profile != "generated") return;
  const AppArmorInput input = profile_input();
  const std::string name = apparmor_profile_name(input);
  add(host::LoadAppArmorProfile{name, generated_profile(input)}, formatted("load AppArmor profile {}", name),
      "unload", spec_.apparmor.origin);
}

void HostPlanner::open_tasks() {
  for (const auto& hierarchy : plan_.cgroups.v1_hierarchies()) {
    const bool used = std::any_of(limits_.begin(), limits_.end(),
                                  [&](auto& write) { return write.hierarchy == hierarchy; });
    if (!used) continue;
    const Slot slot = plan_.child.new_slot();
    child_.tasks.emplace_back(hierarchy, slot);
    add(host::OpenTasks{slot, hierarchy}, formatted("open {}/{}/tasks", hierarchy, group_));
  }
}

// User and network namespace: the latter takes most of the time that all of them take, and neither needs more
// than the spec. A process is in them from then on, in our memory: nobody in the container may see it.
std::uint64_t HostPlanner::early_namespaces() const {
  const auto& wanted = spec_.namespaces;
  if (!plan_.shares_memory || !wanted.net || !wanted.pid || !wanted.shared.empty()) return 0;
  return CLONE_NEWNET | (wanted.user ? std::uint64_t{CLONE_NEWUSER} : 0);
}

void HostPlanner::order_namespaces() {
  const std::uint64_t flags = early_namespaces();
  if (flags == 0) return;
  add(host::OrderNamespaces{flags},
      formatted("let the supervisor make the namespaces:{} net", (flags & CLONE_NEWUSER) != 0 ? " user" : ""),
      "", spec_.namespaces.origin);
}

void HostPlanner::spawn() {
  const auto& wanted = spec_.namespaces;
  // On a hybrid host the child unshares its cgroup namespace once it is in the v1 groups, so that all of
  // them become its roots.
  child_.unshare_cgroup = wanted.cgroup && plan_.cgroups.hybrid();
  const std::pair<bool, std::pair<std::uint64_t, const char*>> flags[] = {
      {wanted.mount, {CLONE_NEWNS, "mount"}},
      {wanted.pid, {CLONE_NEWPID, "pid"}},
      {wanted.net, {CLONE_NEWNET, "net"}},
      {wanted.ipc, {CLONE_NEWIPC, "ipc"}},
      {wanted.uts, {CLONE_NEWUTS, "uts"}},
      {wanted.user, {CLONE_NEWUSER, "user"}},
      {wanted.cgroup && !child_.unshare_cgroup, {CLONE_NEWCGROUP, "cgroup"}},
  };
  const std::uint64_t early = early_namespaces();
  host::Spawn step;
  std::string names;
  for (const auto& [on, flag] : flags) {
    if (!on || (early & flag.first) != 0) continue;
    step.clone_flags |= flag.first;
    names += formatted(" {}", flag.second);
  }
  // The kernel may let nobody across the border of his own cgroup namespace (cgroup-v2.rst, "Delegation
  // Containment").
  const bool into_cgroup = !wanted.shares(NamespaceKind::cgroup);
  if (into_cgroup) step.clone_flags |= CLONE_INTO_CGROUP;
  if (!wanted.shared.empty()) names += "; joined:";
  for (const auto& space : wanted.shared) names += formatted(" {}", namespace_file(space.kind));
  add(step, formatted("clone{} with new namespaces:{}", into_cgroup ? " into cgroup " + inner_ : "", names),
      "kill", wanted.origin);
}

std::string HostPlanner::id_map_text() const {
  std::string text;
  for (const auto& range : spec_.id_map.uids)
    text += formatted(" u {} {} {}", range.inside, range.host, range.count);
  for (const auto& range : spec_.id_map.gids)
    text += formatted(" g {} {} {}", range.inside, range.host, range.count);
  return text;
}

void HostPlanner::limits(bool before_joining) {
  for (const auto& write : limits_) {
    const bool cpuset = write.hierarchy != plan_.cgroups.unified && write.file.starts_with("cpuset.");
    if (cpuset != before_joining) continue;
    add(host::ApplyLimits{{write}},
        formatted("limit {}/{}/{} = {}", write.hierarchy, group_, write.file, write.value), "", write.origin);
  }
}

void HostPlanner::device_filter() {
  if (cgroupv2::needs_device_filter(spec_.devices)) {
    // Staged hooks make device nodes that the container may not. Start hooks are the guest's programs.
    child_.report_prepared = has_staged_hooks(spec_) || refuses_own_devices();
    if (child_.report_prepared) add(host::AwaitPrepared{}, "wait until the child has opened its devices");
    add(host::AttachDeviceFilter{cgroupv2::device_program(spec_.devices)},
        formatted("attach the device filter: {} rules, else {}", spec_.devices.rules.size(),
                  spec_.devices.allow_by_default ? "allow" : "deny"));
  }
}

bool HostPlanner::refuses_own_devices() const {
  constexpr std::pair<unsigned, unsigned> kOwn[] = {{1, 3}, {5, 2}, {136, 0}};
  return std::any_of(std::begin(kOwn), std::end(kOwn), [&](const auto& device) {
    return !cgroupv2::allows_read_and_write(spec_.devices, 'c', device.first, device.second);
  });
}

void HostPlanner::rlimits() {
  for (const auto& limit : spec_.rlimits) {
    resolve_rlimit(limit);
    const auto side = [](const std::optional<std::uint64_t>& value) {
      return value ? std::to_string(*value) : "unlimited";
    };
    add(host::SetRlimit{limit},
        formatted("set resource limit {} = {}:{}", limit.name, side(limit.soft), side(limit.hard)), "",
        limit.origin);
  }
}

void HostPlanner::links() {
  const LinkPlanContext context = link_plan_context(spec_, plan_.sysroot);
  for (const auto& link : spec_.links) {
    for (auto& step : plan_link(link, *facts_, context)) {
      last_side_ = plan_.host.size();
      plan_.host.push_back(std::move(step));
    }
  }
}

// What comes last for the host's end of a link may take a moment longer than init's beginning: without a
// carrier, which it has when the container brings up its end, that end gets no address, and loses any.
std::size_t HostPlanner::last_link_for_init() const {
  const bool later = std::holds_alternative<host::DisableIpv6>(plan_.host[last_side_].action);
  return later ? last_side_ - 1 : last_side_;
}

std::string group_path(const ContainerSpec& spec) {
  return spec.cgroup_paths.container.empty() ? formatted("lxc/{}", spec.vmid) : spec.cgroup_paths.container;
}

Owner inner_root(const ContainerSpec& spec) {
  return {spec.id_map.host_uid(spec.root_uid()).value_or(0),
          spec.id_map.host_gid(spec.root_gid()).value_or(0)};
}

std::string tty_path(const ContainerSpec& spec, unsigned number) {
  const std::string name = formatted("tty{}", number);
  return spec.tty_directory.empty() ? name : spec.tty_directory + "/" + name;
}

StartPlan begin_plan(ContainerSpec spec, const Sysroot& sysroot) {
  refuse_terminals(spec);
  StartPlan plan;
  plan.spec = std::move(spec);
  plan.sysroot = sysroot;
  plan.host.reserve(kUsualSteps);
  HostPlanner(plan.spec, plan).ahead();
  return plan;
}

void complete_plan(StartPlan& plan, const HostFacts& facts, std::vector<sock_filter> filter) {
  validate(plan.spec, facts);
  plan.cgroups = facts.cgroups;
  plan.child.filter = std::move(filter);
  HostPlanner planner(plan.spec, plan);
  planner.rest(facts);
  plan_child(plan.spec, planner.child(), plan.child);
}

StartPlan make_plan(const ContainerSpec& spec, const HostFacts& facts, std::vector<sock_filter> filter,
                    const Sysroot& sysroot) {
  StartPlan plan = begin_plan(spec, sysroot);
  complete_plan(plan, facts, std::move(filter));
  return plan;
}

}  // namespace hutch
