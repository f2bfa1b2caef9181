#include <linux/mount.h>
#include <linux/sched.h>

#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "runtime/apparmor.h"
#include "runtime/capabilities.h"
#include "runtime/child_planner.h"
#include "runtime/container_hooks.h"

namespace hutch {

namespace {

constexpr const char* kDefaultPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                        "/usr/bin",        "/sbin",          "/bin"};
constexpr std::uint64_t kPersonality32 = 0x0008;  // PER_LINUX32, personality(2)

}  // namespace

void ChildPlanner::plan() {
  keyring();
  if (input_.sched_core) {
    add(ChildOp::sched_core, "take a core-scheduling cookie of its own", spec_.core_scheduling_origin);
  }
  if (spec_.namespaces.uts && !spec_.hostname.empty())
    add(ChildOp::set_hostname, formatted("set the host name to {}", spec_.hostname)).text =
        text(spec_.hostname);
  // While /proc/self is writable: below, it is the host's.
  if (spec_.namespaces.time && seen_by_others()) time_namespace();
  if (!spec_.id_map.empty()) become_root();
  if (spec_.namespaces.time && !seen_by_others()) time_namespace();
  hooks(HookPhase::pre_mount);
  root();
  dev();
  proc();
  sys();
  sysctls();
  give_up_capabilities();
  protect_proc();
  for (const auto& [mount, slot] : input_.sources) entry(mount, slot);
  // Without an id map and without AppArmor nothing would keep the container from the host's sysctls in
  // there.
  if (spec_.nesting_mounts && (!spec_.id_map.empty() || !input_.label.empty())) nesting_mounts();
  hooks(HookPhase::mount);
  hooks(HookPhase::autodev);
  check_start_hook();
  terminals();
  boot_id();
  stdio();
  add(ChildOp::pivot, "pivot_root, detach the host's root").slot = input_.root;
  for (const Slot mount : receivers_) receive_mounts(mount);
  if (input_.report_prepared) {
    add(ChildOp::report, "tell the host that everything is mounted").number =
        static_cast<std::uint64_t>(SyncMessage::Type::prepared);
  }
  for (const auto& [hierarchy, slot] : input_.tasks) {
    add(ChildOp::join_group, formatted("join the group of {}", hierarchy)).slot = slot;
  }
  cgroup();
  await(SyncMessage::Type::proceed_limited, "wait for 'limited'");
  restrict();
  // What is executed from here on is the guest's.
  selinux_context();
  hooks(HookPhase::start);
  if (input_.waits_before_exec) {
    add(ChildOp::report, "send 'ready'").number = static_cast<std::uint64_t>(SyncMessage::Type::ready);
    await(SyncMessage::Type::proceed_exec, "wait for 'execute'");
  }
  start_init();
}

void ChildPlanner::keyring() {
  const auto& selinux = spec_.selinux;
  const std::string& context = selinux.keyring_context.empty() ? selinux.context : selinux.keyring_context;
  if (!context.empty()) {
    auto& step = add(ChildOp::write_attribute, formatted("make keys with the SELinux context {}", context),
                     selinux.origin);
    step.text = text("/proc/thread-self/attr/keycreate");
    step.text2 = text(context);
  }
  // As the host's root: the keyring then counts against nobody's quota (keyrings(7)).
  if (spec_.new_keyring) add(ChildOp::join_keyring, "join a new session keyring");
}

void ChildPlanner::become_root() {
  auto& step = add(ChildOp::become_root, "become the container's root");
  step.number = spec_.root_gid();
  step.number2 = spec_.root_uid();
  if (seen_by_others()) step.flags = ChildStep::kUndumpable;
}

void ChildPlanner::give_up_capabilities() {
  const bool seen = !spec_.hooks.of(HookPhase::start).empty() || !spec_.namespaces.pid;
  const std::uint64_t mask = input_.dropped_capabilities & ~needed_on_the_way_in();
  if (!spec_.id_map.empty() || !seen || mask == 0) return;
  add(ChildOp::give_up_capabilities, "give up what programs of the container's could take over").number =
      mask;
}

void ChildPlanner::hooks(HookPhase phase) {
  for (const auto& command : hooks_that_run(spec_, phase)) {
    const HookCommand hook =
        hook_command(phase, command, spec_.hook_version, spec_.vmid,
                     common_hook_environment(hook_container(spec_, input_.rootfs_mount)));
    auto& step = add(ChildOp::run_hook, formatted("run the {} hook '{}'", hook_name(phase), command.value),
                     command.origin, "a hook is run by /bin/sh");
    step.number = program_.hooks.size();
    step.slot = input_.hook_log;
    step.dir = input_.hook_errors;
    ChildHook run;
    run.key = hook.key;
    for (const auto& word : {std::string("/bin/sh"), std::string("-c"), hook_command_line(hook)})
      run.argv.push_back(text(word));
    for (const auto& variable : inner_hook_environment(spec_, hook)) run.envp.push_back(text(variable));
    program_.hooks.push_back(std::move(run));
  }
}

void ChildPlanner::check_start_hook() {
  const auto& list = spec_.hooks.of(HookPhase::start);
  if (list.empty()) return;
  const std::string path = hook_program(list.front().value);
  if (path.empty()) return;
  auto& step =
      add(ChildOp::check_program, formatted("find the start hook's program '{}' in the rootfs", path),
          list.front().origin, "start hooks are programs of the container's");
  step.dir = input_.root;
  step.text = text(path);
}

void ChildPlanner::time_namespace() {
  const auto line = [](const char* clock, std::int64_t offset) {
    // timens_offsets wants seconds and 0..999999999 nanoseconds (time_namespaces(7)).
    constexpr std::int64_t kSecond = 1000000000;
    const std::int64_t nanoseconds = ((offset % kSecond) + kSecond) % kSecond;
    return formatted("{} {} {}\n", clock, (offset - nanoseconds) / kSecond, nanoseconds);
  };
  auto& step = add(ChildOp::enter_time_namespace,
                   formatted("enter a new time namespace, boottime {} ns, monotonic {} ns",
                             spec_.namespaces.boottime_offset_ns, spec_.namespaces.monotonic_offset_ns),
                   spec_.namespaces.time_origin);
  step.text = text(line("boottime", spec_.namespaces.boottime_offset_ns) +
                   line("monotonic", spec_.namespaces.monotonic_offset_ns));
}

void ChildPlanner::stdio() {
  add(ChildOp::new_session, "start a new session");
  if (console_ != kNoSlot) {
    add(ChildOp::use_as_stdio, "use the console as standard input, output and error").slot = console_;
  } else if (input_.dev != kNoSlot) {
    add(ChildOp::open_null_stdio, "use /dev/null as standard input, output and error").dir = input_.dev;
  }
}

void ChildPlanner::restrict() {
  if (spec_.personality_32bit)
    add(ChildOp::personality, "set the 32-bit personality").number = kPersonality32;
  if (input_.dropped_capabilities != 0) {
    std::string names;
    for (unsigned number = 0; number < 64; ++number) {
      if ((input_.dropped_capabilities >> number & 1U) != 0) names += " " + capability_name(number);
    }
    add(ChildOp::drop_bounding, "drop capabilities:" + names).number = input_.dropped_capabilities;
  }
  if (!input_.label.empty()) {
    auto& step = add(ChildOp::set_label, formatted("take the AppArmor label {}", input_.label),
                     spec_.apparmor.origin, "is the profile loaded (aa-status)?");
    step.dir = proc_;
    step.text = text(label_change_command(input_.label));
  }
  if (spec_.no_new_privs) add(ChildOp::no_new_privs, "set no_new_privs");
  if (!program_.filter.empty()) {
    auto& step = add(ChildOp::seccomp, "load the seccomp filter", spec_.seccomp.origin);
    if (!spec_.seccomp.notify_proxies.empty()) step.flags = ChildStep::kListener;
  }
}

void ChildPlanner::selinux_context() {
  const auto& selinux = spec_.selinux;
  if (selinux.context.empty()) return;
  auto& step =
      add(ChildOp::write_attribute, formatted("take the SELinux context {} from exec on", selinux.context),
          selinux.origin, "does the policy know it, and allow the transition?");
  step.dir = proc_;
  step.text = text("thread-self/attr/exec");
  step.text2 = text(selinux.context);
}

std::vector<std::string> ChildPlanner::search_path() const {
  constexpr std::string_view kName = "PATH=";
  std::vector<std::string> directories(std::begin(kDefaultPath), std::end(kDefaultPath));
  for (const auto& entry : spec_.init.environment) {
    if (!entry.value.starts_with(kName)) continue;
    directories.clear();
    for (const auto part : split(std::string_view(entry.value).substr(kName.size()), ':')) {
      directories.emplace_back(part.empty() ? "." : part);
    }
  }
  return directories;
}

void ChildPlanner::start_init() {
  auto& cwd = add(ChildOp::change_directory, formatted("change to {}", spec_.init.cwd), spec_.init.origin);
  cwd.text = text(spec_.init.cwd);
  auto& ids = add(ChildOp::set_ids, formatted("become user {}, group {}", spec_.init.uid, spec_.init.gid),
                  spec_.init.origin);
  ids.number = spec_.init.gid;
  ids.number2 = spec_.init.uid;
  program_.groups = spec_.init.groups;
  // Changing ids clears it (prctl(2)).
  if (const auto& signal = spec_.parent_death_signal) {
    add(ChildOp::parent_death, formatted("get signal {} when the supervisor dies", signal->value),
        signal->origin)
        .number = static_cast<std::uint64_t>(signal->value);
  }
  for (const auto& word : spec_.init.argv) program_.argv.push_back(text(word));
  for (const auto& entry : init_environment(spec_)) program_.envp.push_back(text(entry));
  const std::string& command = spec_.init.argv.front();
  if (command.find('/') != std::string::npos) {
    program_.candidates.push_back(text(command));
  } else {
    for (const auto& directory : search_path()) {
      program_.candidates.push_back(text(formatted("{}/{}", directory, command)));
    }
  }
  add(ChildOp::exec, formatted("exec {}", join(spec_.init.argv, " ")), spec_.init.origin,
      formatted("'{}' has to be an executable file inside the container's rootfs, and so has its interpreter",
                command));
}

std::vector<std::string> init_environment(const ContainerSpec& spec) {
  std::vector<std::string> environment;
  for (const auto& entry : spec.init.environment) environment.push_back(entry.value);
  environment.emplace_back("container=lxc");
  std::vector<std::string> ttys;
  for (unsigned number = 1; number <= spec.tty_count; ++number) {
    // The console, when there is one, is the first pty of the container's devpts.
    ttys.push_back(formatted("pts/{}", number - 1 + (spec.console ? 1U : 0U)));
  }
  if (!ttys.empty()) environment.push_back("container_ttys=" + join(ttys, " "));
  return environment;
}

void plan_child(const ContainerSpec& spec, const ChildPlanInput& input, ChildProgram& program) {
  ChildPlanner(spec, input, program).plan();
}

}  // namespace hutch
