#include "runtime/start_plan.h"

#include "base/format.h"

namespace hutch {

namespace {

std::string step_line(std::string_view side, std::size_t number, const std::string& text,
                      const Origin& origin, const std::string& undo) {
  std::string line = formatted("{:<5} {:>3}  {}", side, number, text);
  if (!origin.empty()) line += formatted("  [{}]", origin.text());
  if (!undo.empty()) line += formatted("  (undo: {})", undo);
  return line + "\n";
}

}  // namespace

std::string rootfs_mount_path(const Sysroot& sysroot, std::uint32_t vmid) {
  return sysroot.path(formatted("var/lib/lxc/{}/rootfs", vmid));
}

std::string rootfs_mount_path(const Sysroot& sysroot, const ContainerSpec& spec) {
  return spec.rootfs_mount.empty() ? rootfs_mount_path(sysroot, spec.vmid) : spec.rootfs_mount;
}

std::string print_plan(const StartPlan& plan) {
  std::string text = formatted(
      "# start of CT {}: the host's steps, then the child's; those of 'side' run beside the others of\n"
      "# the host; the child's begin with 'mapped' ('send' and 'wait for' are where they meet)\n",
      plan.spec.vmid);
  for (std::size_t at = 0; at < plan.host.size(); ++at) {
    const auto& step = plan.host[at];
    text +=
        step_line(step.lane == HostLane::side ? "side" : "host", at + 1, step.text, step.origin, step.undo);
  }
  for (std::size_t at = 0; at < plan.child.steps.size(); ++at) {
    const auto& info = plan.child.info[at];
    text += step_line("child", at + 1, info.text, info.origin, "");
  }
  return text;
}

}  // namespace hutch
