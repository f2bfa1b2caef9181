#include "runtime/container_hooks.h"

#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "runtime/container_log.h"

namespace hutch {

HookContainer hook_container(const ContainerSpec& spec, const std::string& rootfs_mount) {
  HookContainer container;
  container.name = std::to_string(spec.vmid);
  container.config_path = spec.config_path;
  container.rootfs_mount = rootfs_mount;
  container.rootfs_path = spec.rootfs.source;
  container.console = spec.console_output.path.value;
  container.console_logpath = spec.console_output.log_file.value;
  container.log_level = log_level_name(spec.log.level);
  container.hook_version = spec.hook_version;
  return container;
}

HookCommand hook_command(HookPhase phase, const Located<std::string>& command, unsigned version,
                         std::uint32_t vmid, std::vector<std::string> environment) {
  HookCommand hook;
  hook.command = command.value;
  hook.key = formatted("lxc.hook.{}", hook_name(phase));
  hook.version = version;
  hook.container = std::to_string(vmid);
  hook.section = "lxc";
  hook.type = hook_name(phase);
  hook.environment = std::move(environment);
  hook.origin = command.origin;
  return hook;
}

std::vector<std::string> inner_hook_environment(const ContainerSpec& spec, const HookCommand& hook) {
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  const auto add = [&](const std::string& variable) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(environment, [&](const std::string& earlier) { return earlier.starts_with(name); });
    environment.push_back(variable);
  };
  for (const auto& variable : spec.hooks.environment) add(variable.value);
  for (const auto& variable : hook_environment(hook)) add(variable);
  return environment;
}

const HookSpec::List& hooks_that_run(const ContainerSpec& spec, HookPhase phase) {
  static const HookSpec::List kNone;
  return phase == HookPhase::autodev && !spec.autodev ? kNone : spec.hooks.of(phase);
}

bool has_staged_hooks(const ContainerSpec& spec) {
  for (const auto phase : {HookPhase::pre_mount, HookPhase::mount, HookPhase::autodev}) {
    if (!hooks_that_run(spec, phase).empty()) return true;
  }
  return false;
}

bool has_inner_hooks(const ContainerSpec& spec) {
  return has_staged_hooks(spec) || !spec.hooks.of(HookPhase::start).empty();
}

bool has_end_hooks(const ContainerSpec& spec) {
  return !spec.hooks.of(HookPhase::stop).empty() || !spec.hooks.of(HookPhase::post_stop).empty() ||
         !spec.hookscript.value.empty();
}

std::string hook_program(const std::string& command) {
  const auto words = split_blanks(command);
  if (words.empty() || !words.front().starts_with('/')) return {};
  if (words.front().find_first_of("\"'\\$`;&|<>()*?[]~#!{}=%") != std::string_view::npos) return {};
  return std::string(words.front());
}

}  // namespace hutch
