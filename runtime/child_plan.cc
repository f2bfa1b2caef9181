#include <linux/mount.h>
#include <linux/sched.h>

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "runtime/apparmor.h"
#include "runtime/capabilities.h"
#include "runtime/container_hooks.h"
#include "runtime/planner.h"
#include "runtime/volumes.h"

namespace hutch {

namespace {

constexpr std::uint64_t kNoDevSuidExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr const char* kDefaultPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                        "/usr/bin",        "/sbin",          "/bin"};
constexpr std::uint32_t kTtyGroup = 5;            // devpts(5): the group of terminals on every distribution
constexpr std::uint64_t kPersonality32 = 0x0008;  // PER_LINUX32, personality(2)

class ChildPlanner {
 public:
  ChildPlanner(const ContainerSpec& spec, const ChildPlanInput& input, ChildProgram& program)
      : spec_(spec), input_(input), program_(program) {}

  void plan() {
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
    await(SyncMessage::Type::proceed_limited, "wait for 'limited'");
    for (const auto& [hierarchy, slot] : input_.tasks) {
      add(ChildOp::join_group, formatted("join the group of {}", hierarchy)).slot = slot;
    }
    cgroup();
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

  void keyring() {
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

  // Processes of another container may look at ours, with our ids or as root of our user namespace.
  bool seen_by_others() const {
    return spec_.namespaces.shares(NamespaceKind::user) || !spec_.namespaces.pid;
  }

  void become_root() {
    auto& step = add(ChildOp::become_root, "become the container's root");
    step.number = spec_.root_gid();
    step.number2 = spec_.root_uid();
    if (seen_by_others()) step.flags = ChildStep::kUndumpable;
  }

  // Hooks find the rootfs at its path on the host, and the host's "/" beside it; else nobody needs a path.
  void root() {
    const bool staged = has_staged_hooks(spec_);
    const std::string path = staged ? input_.rootfs_mount : "/";
    auto& step =
        add(ChildOp::attach, formatted("mount the rootfs over {}", path), spec_.rootfs.origin,
            staged ? "the container's root needs the right to search (x) in every directory above" : "");
    step.slot = input_.root;
    step.text = text(path);
  }

  void hooks(HookPhase phase) {
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

  // While a missing one can still be told apart from one that fails.
  void check_start_hook() {
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

  void time_namespace() {
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

  // Opens (and makes) `path` below the rootfs; nothing in there may be a symlink.
  Slot target(const std::string& path, const Origin& origin = {}, bool file = false) {
    const Slot slot = program_.new_slot();
    auto& step = add(ChildOp::make_path, formatted("open /{} in the rootfs", path), origin,
                     "no part of this path in the rootfs may be a symlink");
    step.slot = slot;
    step.dir = input_.root;
    step.text = text(path);
    if (file) step.flags = ChildStep::kFile;
    return slot;
  }

  Slot filesystem(const std::string& type, const std::vector<std::pair<std::string, std::string>>& options,
                  std::uint64_t attributes, const Origin& origin = {}) {
    const Slot slot = program_.new_slot();
    std::string shown;
    for (const auto& [key, value] : options)
      shown += (shown.empty() ? " " : ",") + key + (value.empty() ? "" : "=" + value);
    auto& step = add(ChildOp::new_filesystem, formatted("make {}{}", type, shown), origin);
    step.slot = slot;
    step.text = text(type);
    step.text2 = text(encode_fs_options(options));
    step.number = attributes;
    return slot;
  }

  void attach(Slot mount, Slot dir, std::string_view path, std::string what, const Origin& origin = {}) {
    auto& step = add(ChildOp::attach, std::move(what), origin);
    step.slot = mount;
    step.dir = dir;
    step.text = text(path);
  }

  Slot clone(Slot dir, std::string_view path, std::string what, bool recursive = false) {
    const Slot slot = program_.new_slot();
    auto& step = add(path.empty() ? ChildOp::clone_slot : ChildOp::clone_tree, std::move(what));
    step.slot = slot;
    step.dir = dir;
    step.text = text(path);
    if (recursive) step.flags = ChildStep::kRecursive;
    return slot;
  }

  void attributes(Slot mount, std::uint64_t set, std::uint64_t clear, std::string what) {
    auto& step = add(ChildOp::set_attributes, std::move(what));
    step.slot = mount;
    step.number = set;
    step.number2 = clear;
  }

  void dev() {
    if (!spec_.autodev) return;
    attach(input_.dev, target("dev"), "", "mount the prepared tmpfs on /dev");
  }

  void proc() {
    if (spec_.proc == ProcMount::none) return;
    proc_ = input_.proc != kNoSlot ? input_.proc : filesystem("proc", {}, kNoDevSuidExec);
    attach(proc_, target("proc"), "", "mount proc on /proc");
  }

  void sys() {
    if (spec_.sys == SysMount::none) return;
    const bool writable = spec_.sys == SysMount::read_write;
    const bool mixed = spec_.sys == SysMount::mixed;
    const std::uint64_t read_only = spec_.sys == SysMount::read_only ? MOUNT_ATTR_RDONLY : 0;
    sys_ = input_.sys != kNoSlot ? input_.sys : filesystem("sysfs", {}, kNoDevSuidExec | read_only);
    attach(sys_, target("sys"), "", "mount sysfs on /sys");
    if (writable || !mixed) return;
    // Taken while /sys is writable, put back after it is not.
    const Slot net = clone(sys_, "devices/virtual/net", "keep /sys/devices/virtual/net writable");
    attributes(sys_, MOUNT_ATTR_RDONLY, 0, "make /sys read-only");
    attach(net, sys_, "devices/virtual/net", "mount the writable /sys/devices/virtual/net");
  }

  void sysctls() {
    for (const auto& [name, value] : spec_.sysctls) {
      std::string path = "sys/" + name;
      std::replace(path.begin(), path.end(), '.', '/');
      auto& step = add(ChildOp::write_file, formatted("set sysctl {} = {}", name, value.value), value.origin,
                       "is it one that belongs to a container's own namespaces?");
      step.dir = proc_;
      step.text = text(path);
      step.text2 = text(value.value);
    }
  }

  bool keeps_net_admin() const {
    const auto number = capability_number("net_admin");
    return number && (input_.dropped_capabilities >> *number & 1U) == 0;
  }

  void protect_proc() {
    if (spec_.proc != ProcMount::mixed) return;
    const bool net = keeps_net_admin();
    const Slot kept = net ? clone(proc_, "sys/net", "keep /proc/sys/net writable") : kNoSlot;
    const Slot sysctl = clone(proc_, "sys", "take /proc/sys");
    attributes(sysctl, MOUNT_ATTR_RDONLY, 0, "make it read-only");
    attach(sysctl, proc_, "sys", "mount the read-only /proc/sys");
    if (net) attach(kept, sysctl, "net", "mount the writable /proc/sys/net");
    // Kernels without CONFIG_MAGIC_SYSRQ have no such file to protect.
    const std::size_t first = program_.steps.size();
    const Slot sysrq = clone(proc_, "sysrq-trigger", "take /proc/sysrq-trigger, where this kernel has it");
    attributes(sysrq, MOUNT_ATTR_RDONLY, 0, "make it read-only");
    attach(sysrq, proc_, "sysrq-trigger", "mount the read-only /proc/sysrq-trigger");
    program_.steps[first].flags |= ChildStep::kSkipMissing;
    program_.steps[first].skip_to = static_cast<std::uint32_t>(program_.steps.size());
  }

  // One lxc.mount.entry. With `optional` a failure of any of its steps goes on behind the last one.
  void entry(const MountSpec& mount, Slot source) {
    const std::size_t first = program_.steps.size();
    const Slot place = entry_target(mount);
    if (mount.bind && mount.source_in_root) {
      const Slot opened = program_.new_slot();
      auto& open = add(ChildOp::open_path, formatted("open /{} in the rootfs", mount.source), mount.origin);
      open.slot = opened;
      open.dir = input_.root;
      open.text = text(mount.source);
      source = mount.move ? opened : clone(opened, "", "take it", mount.recursive);
    } else if (!mount.bind && source == kNoSlot) {
      auto options = mount.fs_options;
      if (!mount.source.empty()) options.insert(options.begin(), {"source", mount.source});
      source = filesystem(mount.type, options, mount.attributes_set, mount.origin);
    }
    if (mount.bind && mount.source_in_root) own_attributes(mount, source);
    attach(source, place, "", formatted("mount {} on /{}", mount.source, mount.target), mount.origin);
    if (mount.propagation != MountSpec::Propagation::unchanged) {
      auto& step = add(ChildOp::set_propagation, "set its propagation", mount.origin);
      step.slot = source;
      step.number = propagation_flag(mount.propagation);
      if (mount.propagation_recursive) step.flags |= ChildStep::kRecursive;
    }
    if (mount.receives_mounts) receivers_.push_back(source);
    for (std::size_t at = first; at < program_.steps.size(); ++at) {
      program_.info[at].origin = mount.origin;
      if (!mount.optional) continue;
      program_.steps[at].flags |= ChildStep::kOptional;
      program_.steps[at].skip_to = static_cast<std::uint32_t>(program_.steps.size());
    }
  }

  // The attributes of a mount that the container's root makes itself. What the source has is kept: in a user
  // namespace it may be locked (mount_namespaces(7)), and then clearing it is refused.
  void own_attributes(const MountSpec& mount, Slot source) {
    const std::uint64_t clear =
        spec_.id_map.empty() ? mount.attributes_clear : mount.attributes_clear & MOUNT_ATTR__ATIME;
    if ((mount.attributes_set | clear) == 0) return;
    attributes(source, mount.attributes_set, clear, "set its attributes");
    if (mount.recursive) program_.steps.back().flags |= ChildStep::kRecursive;
  }

  void receive_mounts(Slot mount) {
    auto& step = add(ChildOp::set_propagation, "let mounts of the host arrive, and none go back");
    step.slot = mount;
    step.number = propagation_flag(Propagation::slave);
    step.flags |= ChildStep::kRecursive;
  }

  Slot entry_target(const MountSpec& mount) {
    if (mount.create != MountSpec::Create::no) {
      return target(mount.target, mount.origin, mount.create == MountSpec::Create::file);
    }
    const Slot slot = program_.new_slot();
    auto& step = add(ChildOp::open_path, formatted("open /{} in the rootfs", mount.target), mount.origin,
                     "create the mount point or add create=dir (or create=file); symlinks are not followed");
    step.slot = slot;
    step.dir = input_.root;
    step.text = text(mount.target.empty() ? "." : mount.target);
    return slot;
  }

  void nesting_mounts() {
    attach(filesystem("proc", {}, kNoDevSuidExec), input_.dev, ".lxc/proc", "mount proc on /dev/.lxc/proc");
    attach(filesystem("sysfs", {}, kNoDevSuidExec), input_.dev, ".lxc/sys", "mount sysfs on /dev/.lxc/sys");
  }

  void cgroup() {
    if (input_.unshare_cgroup) add(ChildOp::unshare, "unshare the cgroup namespace").number = CLONE_NEWCGROUP;
    if (spec_.cgroup == CgroupMount::none || sys_ == kNoSlot) return;
    const std::uint64_t read_only = spec_.cgroup == CgroupMount::read_only ? MOUNT_ATTR_RDONLY : 0;
    const Slot tree =
        input_.cgroup != kNoSlot ? input_.cgroup : filesystem("cgroup2", {}, kNoDevSuidExec | read_only);
    attach(tree, sys_, "fs/cgroup", "mount cgroup2 on /sys/fs/cgroup");
  }

  void terminals() {
    const std::uint32_t count = spec_.pty_max + spec_.tty_count;
    if (!spec_.autodev || count == 0) return;
    std::vector<std::pair<std::string, std::string>> options = {{"ptmxmode", "0666"}, {"mode", "0620"}};
    if (spec_.id_map.host_gid(kTtyGroup)) options.emplace_back("gid", std::to_string(kTtyGroup));
    options.emplace_back("max", std::to_string(count));
    const Slot devpts = filesystem("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    attach(devpts, input_.dev, "pts", "mount devpts on /dev/pts");
    if (spec_.console) console_ = terminal(devpts, "console", HandedFd::console_master);
    for (unsigned number = 1; number <= spec_.tty_count; ++number) {
      terminal(devpts, tty_path(spec_, number),
               static_cast<HandedFd>(static_cast<std::uint32_t>(HandedFd::first_tty_master) + number - 1));
    }
  }

  // A pty whose other end appears at /dev/<path>; its master goes to the supervisor.
  Slot terminal(Slot devpts, const std::string& path, HandedFd number) {
    const Slot master = program_.new_slot_pair();
    const auto other = static_cast<Slot>(master + 1);
    auto& open = add(ChildOp::open_pty, formatted("open a pty for /dev/{}", path));
    open.slot = master;
    open.dir = devpts;
    attach(clone(other, "", "take its other end"), input_.dev, path, formatted("mount it on /dev/{}", path));
    auto& step = add(ChildOp::send_slot, "hand its master to the supervisor");
    step.slot = master;
    step.number = static_cast<std::uint64_t>(number);
    return other;
  }

  void boot_id() {
    if (!spec_.autodev || proc_ == kNoSlot) return;
    const Slot id = clone(input_.dev, ".lxc-boot-id", "take the container's boot id");
    attributes(id, MOUNT_ATTR_RDONLY, 0, "make it read-only");
    attach(id, proc_, "sys/kernel/random/boot_id", "mount it on /proc/sys/kernel/random/boot_id");
  }

  void stdio() {
    add(ChildOp::new_session, "start a new session");
    if (console_ != kNoSlot) {
      add(ChildOp::use_as_stdio, "use the console as standard input, output and error").slot = console_;
    } else if (input_.dev != kNoSlot) {
      add(ChildOp::open_null_stdio, "use /dev/null as standard input, output and error").dir = input_.dev;
    }
  }

  void restrict() {
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

  void selinux_context() {
    const auto& selinux = spec_.selinux;
    if (selinux.context.empty()) return;
    auto& step =
        add(ChildOp::write_attribute, formatted("take the SELinux context {} from exec on", selinux.context),
            selinux.origin, "does the policy know it, and allow the transition?");
    step.dir = proc_;
    step.text = text("thread-self/attr/exec");
    step.text2 = text(selinux.context);
  }

  // PATH as init will have it, as execvp(3) reads it.
  std::vector<std::string> search_path() const {
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

  void start_init() {
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
        formatted(
            "'{}' has to be an executable file inside the container's rootfs, and so has its interpreter",
            command));
  }
};

}  // namespace

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
