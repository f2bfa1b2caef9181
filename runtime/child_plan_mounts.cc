// What the first process mounts.
#include <linux/mount.h>
#include <linux/sched.h>

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "runtime/capabilities.h"
#include "runtime/child_planner.h"
#include "runtime/container_hooks.h"
#include "runtime/volumes.h"

namespace hutch {

namespace {

constexpr std::uint64_t kNoDevSuidExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr std::uint32_t kTtyGroup = 5;  // devpts(5): the group of terminals on every distribution

}  // namespace

Slot ChildPlanner::target(const std::string& path, const Origin& origin, bool file) {
  const Slot slot = program_.new_slot();
  auto& step = add(ChildOp::make_path, formatted("open /{} in the rootfs", path), origin,
                   "no part of this path in the rootfs may be a symlink");
  step.slot = slot;
  step.dir = input_.root;
  step.text = text(path);
  if (file) step.flags = ChildStep::kFile;
  return slot;
}

Slot ChildPlanner::filesystem(const std::string& type,
                              const std::vector<std::pair<std::string, std::string>>& options,
                              std::uint64_t attributes, const Origin& origin) {
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

void ChildPlanner::attach(Slot mount, Slot dir, std::string_view path, std::string what,
                          const Origin& origin) {
  auto& step = add(ChildOp::attach, std::move(what), origin);
  step.slot = mount;
  step.dir = dir;
  step.text = text(path);
}

Slot ChildPlanner::clone(Slot dir, std::string_view path, std::string what, bool recursive) {
  const Slot slot = program_.new_slot();
  auto& step = add(path.empty() ? ChildOp::clone_slot : ChildOp::clone_tree, std::move(what));
  step.slot = slot;
  step.dir = dir;
  step.text = text(path);
  if (recursive) step.flags = ChildStep::kRecursive;
  return slot;
}

void ChildPlanner::attributes(Slot mount, std::uint64_t set, std::uint64_t clear, std::string what) {
  auto& step = add(ChildOp::set_attributes, std::move(what));
  step.slot = mount;
  step.number = set;
  step.number2 = clear;
}

void ChildPlanner::root() {
  const bool staged = has_staged_hooks(spec_);
  const std::string path = staged ? input_.rootfs_mount : "/";
  auto& step =
      add(ChildOp::attach, formatted("mount the rootfs over {}", path), spec_.rootfs.origin,
          staged ? "the container's root needs the right to search (x) in every directory above" : "");
  step.slot = input_.root;
  step.text = text(path);
}

void ChildPlanner::dev() {
  if (!spec_.autodev) return;
  attach(input_.dev, target("dev"), "", "mount the prepared tmpfs on /dev");
}

void ChildPlanner::proc() {
  if (spec_.proc == ProcMount::none) return;
  proc_ = input_.proc != kNoSlot ? input_.proc : filesystem("proc", {}, kNoDevSuidExec);
  attach(proc_, target("proc"), "", "mount proc on /proc");
}

void ChildPlanner::sys() {
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

void ChildPlanner::sysctls() {
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

bool ChildPlanner::keeps_net_admin() const {
  const auto number = capability_number("net_admin");
  return number && (input_.dropped_capabilities >> *number & 1U) == 0;
}

void ChildPlanner::protect_proc() {
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

void ChildPlanner::entry(const MountSpec& mount, Slot source) {
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

void ChildPlanner::own_attributes(const MountSpec& mount, Slot source) {
  const std::uint64_t clear =
      spec_.id_map.empty() ? mount.attributes_clear : mount.attributes_clear & MOUNT_ATTR__ATIME;
  if ((mount.attributes_set | clear) == 0) return;
  attributes(source, mount.attributes_set, clear, "set its attributes");
  if (mount.recursive) program_.steps.back().flags |= ChildStep::kRecursive;
}

void ChildPlanner::receive_mounts(Slot mount) {
  auto& step = add(ChildOp::set_propagation, "let mounts of the host arrive, and none go back");
  step.slot = mount;
  step.number = propagation_flag(Propagation::slave);
  step.flags |= ChildStep::kRecursive;
}

Slot ChildPlanner::entry_target(const MountSpec& mount) {
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

void ChildPlanner::nesting_mounts() {
  attach(filesystem("proc", {}, kNoDevSuidExec), input_.dev, ".lxc/proc", "mount proc on /dev/.lxc/proc");
  attach(filesystem("sysfs", {}, kNoDevSuidExec), input_.dev, ".lxc/sys", "mount sysfs on /dev/.lxc/sys");
}

void ChildPlanner::cgroup() {
  if (input_.unshare_cgroup) add(ChildOp::unshare, "unshare the cgroup namespace").number = CLONE_NEWCGROUP;
  if (spec_.cgroup == CgroupMount::none || sys_ == kNoSlot) return;
  const std::uint64_t read_only = spec_.cgroup == CgroupMount::read_only ? MOUNT_ATTR_RDONLY : 0;
  const Slot tree =
      input_.cgroup != kNoSlot ? input_.cgroup : filesystem("cgroup2", {}, kNoDevSuidExec | read_only);
  attach(tree, sys_, "fs/cgroup", "mount cgroup2 on /sys/fs/cgroup");
}

void ChildPlanner::terminals() {
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

Slot ChildPlanner::terminal(Slot devpts, const std::string& path, HandedFd number) {
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

void ChildPlanner::boot_id() {
  if (!spec_.autodev || proc_ == kNoSlot) return;
  const Slot id = clone(input_.dev, ".lxc-boot-id", "take the container's boot id");
  attributes(id, MOUNT_ATTR_RDONLY, 0, "make it read-only");
  attach(id, proc_, "sys/kernel/random/boot_id", "mount it on /proc/sys/kernel/random/boot_id");
}

}  // namespace hutch
