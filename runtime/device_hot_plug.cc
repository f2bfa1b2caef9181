#include "runtime/device_hot_plug.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/ignoring.h"
#include "base/mount.h"
#include "cgroupv2/device_filter.h"
#include "cgroupv2/group.h"
#include "runtime/passed_device.h"

namespace hutch {

namespace {

const DeviceSpec* find_passed(const ContainerSpec& spec, const std::string& key) {
  const auto found = std::find_if(spec.passed_devices.begin(), spec.passed_devices.end(),
                                  [&](const auto& other) { return other.key == key; });
  return found == spec.passed_devices.end() ? nullptr : &*found;
}

// Whether another of the container's devices is the same one: the rules of both are one in a lowered config.
bool is_passed_twice(const ContainerSpec& spec, const DeviceSpec& device, const DeviceNumber& number) {
  return std::any_of(spec.passed_devices.begin(), spec.passed_devices.end(), [&](const auto& other) {
    if (other.key == device.key || other.deny_write != device.deny_write) return false;
    bool same = false;
    ignoring(ENOENT, [&] { same = find_device(other) == number; });
    return same;
  });
}

cgroupv2::DevicePolicy policy_without(const ContainerSpec& spec, const DeviceSpec& device,
                                      const DeviceNumber& number) {
  cgroupv2::DevicePolicy policy = spec.devices;
  const DeviceSpec* known = find_passed(spec, device.key);
  if (known == nullptr || is_passed_twice(spec, device, number)) return policy;
  auto& rules = policy.rules;
  for (const auto& rule : device_rules(*known, number)) {
    // The last one is ours, and only one: a line of the config may have the same.
    const auto found = std::find(rules.rbegin(), rules.rend(), rule);
    if (found != rules.rend()) rules.erase(std::next(found).base());
  }
  return policy;
}

cgroupv2::DevicePolicy policy_with(const ContainerSpec& spec, const DeviceSpec& device,
                                   const std::vector<cgroupv2::DeviceRule>& rules) {
  cgroupv2::DevicePolicy policy = spec.devices;
  if (find_passed(spec, device.key) == nullptr) {
    policy.rules.insert(policy.rules.end(), rules.begin(), rules.end());
  }
  return policy;
}

void enforce(const ContainerState& state, const cgroupv2::DevicePolicy& policy) {
  const cgroupv2::Group group(cgroupv2::detect_layout(), state.cgroup);
  const UniqueFd directory = group.open_limits();
  if (!cgroupv2::needs_device_filter(policy)) return cgroupv2::detach_device_programs(directory.get());
  const UniqueFd program = cgroupv2::load_device_program(cgroupv2::device_program(policy));
  cgroupv2::replace_device_program(directory.get(), program.get());
}

UniqueFd open_init(const ContainerState& state) {
  auto init = open_process(state.init);
  if (!init) throw Error(formatted("CT {} is not running", state.vmid), ESRCH);
  return std::move(*init);
}

class DevicePlug {
 public:
  DevicePlug(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
             const DeviceSpec& device, const HotPlugTest& test)
      : sysroot_(sysroot), spec_(spec), state_(state), device_(device), test_(test) {}

  void add() {
    const DeviceNumber number = find_device(device_);
    const auto rules = device_rules(device_, number);
    const UniqueFd init = open_init(state_);
    // What somebody left who was killed in the middle of this. Its rules go when the filter is replaced.
    take_away(init.get());
    all_or_nothing([&](UndoStack& undo) {
      step();
      make_directories(plug_directory(sysroot_, state_.vmid), 0700);
      step();
      undo.push("device filter", [&] { enforce(state_, policy_without(spec_, device_, number)); });
      enforce(state_, policy_with(spec_, device_, rules));
      step();
      undo.push("node", [&] { take_away(init.get()); });
      const UniqueFd notes = open_notes(sysroot_, state_.vmid);
      run_apart([&] { return show(init.get(), notes.get(), number); });
      step_ = kHelperSteps;
      step();
    });
  }

  void remove() {
    const auto note = read_note(sysroot_, state_.vmid, device_.key);
    if (!note) throw Error(formatted("{} was not plugged in while the container ran", device_.key), ENOENT);
    const DeviceNumber number = parse_device_number(note->device);
    const UniqueFd init = open_init(state_);
    // The note last: until then this can be done again.
    hide(init.get(), *note);
    enforce(state_, policy_without(spec_, device_, number));
    remove_note(sysroot_, state_.vmid, device_.key);
  }

 private:
  // Steps are numbered through, those of the process apart, too.
  static constexpr unsigned kHelperSteps = 7;

  const Sysroot& sysroot_;
  const ContainerSpec& spec_;
  const ContainerState& state_;
  const DeviceSpec& device_;
  const HotPlugTest& test_;
  unsigned step_ = 0;

  void step() {
    if (test_.before_step) test_.before_step(step_);
    ++step_;
  }

  // Apart: the node's mount. The node lies alone on a tmpfs of the initial user namespace's, on which nobody
  // inside can make others.
  UniqueFd make_node(const DeviceNumber& number) {
    const UniqueFd tree = new_filesystem("tmpfs", {{"size", "4096"}, {"mode", "0700"}}, MOUNT_ATTR_NOSUID);
    make_device_node(tree.get(), "node", device_, number, spec_.id_map);
    // Kernels before 6.15 clone only what is mounted in the caller's own namespace.
    check(::unshare(CLONE_NEWNS), "cannot create a private mount namespace");
    check(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr),
          "cannot make the private mounts private");
    attach_mount(tree.get(), AT_FDCWD, plug_directory(sysroot_, state_.vmid));
    return clone_mount(tree.get(), "node", false);
  }

  // The note comes before the mount, as with volumes.
  std::string show(int init, int notes, const DeviceNumber& number) {
    PlugNote note;
    note.key = device_.key;
    note.device = print_device_number(number);
    note.target = device_.path;
    const UniqueFd node = make_node(number);
    step();
    enter_mounts(init);
    all_or_nothing([&](UndoStack& undo) {
      const PlugPlace place = make_place(device_.path, true, spec_);
      note.made = place.made;
      undo.push("file", [&] { remove_place(note.made); });
      step();
      note.mount_id = mount_id_of(node.get());
      write_note(notes, note);
      step();
      undo.push("node", [&] { unmount_place(note.target, note.mount_id); });
      attach_mount(node.get(), place.target.get(), "");
      step();
    });
    return {};
  }

  void take_away(int init) {
    const auto note = read_note(sysroot_, state_.vmid, device_.key);
    if (!note) return;
    hide(init, *note);
    remove_note(sysroot_, state_.vmid, device_.key);
  }

  void hide(int init, const PlugNote& note) {
    run_apart([&] {
      enter_mounts(init);
      unmount_place(note.target, note.mount_id);
      remove_place(note.made);
      return std::string();
    });
  }
};

}  // namespace

void add_device(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                const DeviceSpec& device, const HotPlugTest& test) {
  try {
    DevicePlug(sysroot, spec, state, device, test).add();
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot add {} to CT {}", device.key, state.vmid))
        .with_origin(device.origin);
  }
}

void remove_device(const Sysroot& sysroot, const ContainerSpec& spec, const ContainerState& state,
                   const DeviceSpec& device) {
  try {
    DevicePlug(sysroot, spec, state, device, {}).remove();
  } catch (const Error& error) {
    throw error.with_context(formatted("cannot remove {} from CT {}", device.key, state.vmid))
        .with_origin(device.origin);
  }
}

}  // namespace hutch
