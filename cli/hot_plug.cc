#include "cli/hot_plug.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "cgroupv2/limit_change.h"
#include "cli/hot_plug_link.h"
#include "cli/lowering_context.h"
#include "config/lower.h"
#include "config/options.h"
#include "config/pending.h"
#include "config/property_formats.h"
#include "runtime/device_hot_plug.h"
#include "runtime/volume_hot_plug.h"

namespace hutch::cli {

namespace {

using config::LiveEffect;
using config::PendingChange;

// Changes that have to be made together.
using Batch = std::vector<PendingChange>;

constexpr LiveEffect kOrder[] = {LiveEffect::config_only, LiveEffect::free_volume, LiveEffect::cpus,
                                 LiveEffect::limits,      LiveEffect::device,      LiveEffect::volume,
                                 LiveEffect::link};

bool is_memory(const PendingChange& change) {
  return change.key == "memory" || change.key == "swap";
}

// v1 has one limit for memory and swap together: in two steps one of them might not fit.
std::vector<Batch> batches_of(const std::vector<PendingChange>& changes, LiveEffect effect) {
  std::vector<Batch> batches;
  for (const auto& change : changes) {
    if (config::live_effect(change) != effect) continue;
    const auto memory = std::find_if(batches.begin(), batches.end(),
                                     [](const Batch& batch) { return is_memory(batch.front()); });
    if (is_memory(change) && memory != batches.end()) {
      memory->push_back(change);
    } else {
      batches.push_back({change});
    }
  }
  return batches;
}

// The kernel's own directories of a container that runs.
constexpr std::string_view kKernelDirectories[] = {"dev", "proc", "sys"};

void refuse_kernel_directory(const PendingChange& change) {
  const std::string path = config::parse_mount_point(*change.to).mp;
  for (const auto component : split(path, '/')) {
    if (component.empty() || component == ".") continue;
    if (std::ranges::find(kKernelDirectories, component) == std::end(kKernelDirectories)) return;
    throw Error(formatted("'{}' would cover the running container's own", path), 0,
                "set it while the container is stopped");
  }
}

// What lowering has made of an option. Nothing of one that it has warned of.
template <typename Spec>
const Spec& made_of(const PendingChange& entry, const std::vector<Spec>& specs) {
  const auto found = std::ranges::find(specs, entry.key, &Spec::key);
  if (found == specs.end()) throw Error(formatted("'{}' cannot be given to a container", *entry.to));
  return *found;
}

class HotPlug {
 public:
  HotPlug(CommandContext& context, const ContainerState& state, config::ContainerConfig& config,
          ContainerVolumes& volumes, UndoStack& undo)
      : context_(context), state_(state), config_(config), volumes_(volumes), undo_(undo) {}

  PendingResult run(const std::function<void()>& check_interruption) {
    const auto changes = config::pending_changes(config_);
    for (const LiveEffect effect : kOrder) {
      for (auto& batch : batches_of(changes, effect)) {
        check_interruption();
        leave_out_mistakes(batch);
        if (!batch.empty()) apply(batch, effect);
      }
    }
    return std::move(result_);
  }

 private:
  void leave_out_mistakes(Batch& batch) {
    std::erase_if(batch, [this](const PendingChange& entry) {
      try {
        check_stored_value(config_, entry);
        return false;
      } catch (const Error& error) {
        result_.failed.push_back(failed_change(config_, entry.key, error));
        return true;
      }
    });
  }

  void apply(Batch& batch, LiveEffect effect) {
    const config::ContainerConfig before = config_;
    const std::size_t done = undo_.size();
    try {
      change(batch, effect);
      for (const auto& entry : batch) take_over(config_, entry, result_.released);
    } catch (const Error& error) {
      undo_.run_back_to(done);
      config_ = before;
      for (const auto& entry : batch) result_.failed.push_back(failed_change(config_, entry.key, error));
    }
  }

  void change(Batch& batch, LiveEffect effect) {
    switch (effect) {
      case LiveEffect::limits: return change_limits(batch);
      case LiveEffect::cpus: return change_cpus(batch);
      case LiveEffect::device: return plug_device(batch.front());
      case LiveEffect::volume: return plug_volume(batch.front());
      case LiveEffect::link:
        return change_link(context_, state_, config_, changed(batch), batch.front(), undo_);
      case LiveEffect::none:
      case LiveEffect::config_only:
      case LiveEffect::free_volume: return;
    }
  }

  config::ContainerConfig changed(const Batch& batch) const {
    config::ContainerConfig after = config_;
    for (const auto& entry : batch) config::apply_change(after, entry);
    return after;
  }

  cgroupv2::Group group() const { return {cgroupv2::detect_layout(), state_.cgroup, state_.inner_group()}; }

  cgroupv2::Resources limits_of(const config::ContainerConfig& config) const {
    return config::lower_limits(config, make_lowering_context(context_.sysroot(), config.vmid));
  }

  void change_limits(const Batch& batch) {
    const auto group = this->group();
    const auto from = limits_of(config_);
    const auto to = limits_of(changed(batch));
    cgroupv2::change_limits(group, cgroupv2::changed_writes(from, to, group.layout()), undo_);
  }

  void change_cpus(const Batch& batch) {
    const auto to = limits_of(changed(batch));
    const bool chosen_by_user = std::any_of(to.raw.begin(), to.raw.end(),
                                            [](const auto& write) { return write.file == "cpuset.cpus"; });
    if (chosen_by_user) return;
    std::optional<std::uint32_t> count;
    if (to.cpu_count) count = to.cpu_count->value;
    cgroupv2::change_cpu_count(group(), count, undo_);
  }

  ContainerSpec spec_with(const PendingChange& entry) {
    const auto after = changed({entry});
    return lower_for_change(context_, after, after.main.origin_of(entry.key));
  }

  void plug_volume(PendingChange& entry) {
    refuse_kernel_directory(entry);
    prepare_change(config_, entry, volumes_, undo_);
    const auto spec = spec_with(entry);
    const VolumeSpec& volume = made_of(entry, spec.mount_points);
    add_volume(context_.sysroot(), spec, state_, volume);
    undo_.push(formatted("unmount {}", entry.key), [sysroot = context_.sysroot(), state = state_, spec,
                                                    volume] { remove_volume(sysroot, spec, state, volume); });
  }

  void plug_device(const PendingChange& entry) {
    const auto spec = spec_with(entry);
    const DeviceSpec& device = made_of(entry, spec.passed_devices);
    add_device(context_.sysroot(), spec, state_, device);
    undo_.push(formatted("remove {}", entry.key), [sysroot = context_.sysroot(), state = state_, spec,
                                                   device] { remove_device(sysroot, spec, state, device); });
  }

  CommandContext& context_;
  const ContainerState& state_;
  config::ContainerConfig& config_;
  ContainerVolumes& volumes_;
  UndoStack& undo_;
  PendingResult result_;
};

}  // namespace

PendingResult hot_plug(CommandContext& context, const ContainerState& state, config::ContainerConfig& config,
                       ContainerVolumes& volumes, UndoStack& undo,
                       const std::function<void()>& check_interruption) {
  return HotPlug(context, state, config, volumes, undo).run(check_interruption);
}

}  // namespace hutch::cli
