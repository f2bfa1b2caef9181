#pragma once

#include <string>
#include <vector>

#include "base/sysroot.h"
#include "runtime/container_spec.h"
#include "runtime/hook_command.h"

// A container's hooks as commands (lxc-lifecycle 9).
namespace hutch {

// What all of its hooks are told. `rootfs_mount` is where the rootfs is mounted while it starts.
HookContainer hook_container(const ContainerSpec& spec, const std::string& rootfs_mount);

// One run of a hook on the host; without LXC_PID, LXC_TARGET and namespaces.
HookCommand hook_command(HookPhase phase, const Located<std::string>& command, unsigned version,
                         std::uint32_t vmid, std::vector<std::string> environment);

// Everything that a hook inside the container's namespaces has in its environment. Nothing of it comes from
// the environment of whoever starts the container: the container's own programs run there too.
std::vector<std::string> inner_hook_environment(const ContainerSpec& spec, const HookCommand& hook);

// Whether anything of a start has to wait for hooks that run inside, or need the rootfs at its path.
bool has_staged_hooks(const ContainerSpec& spec);  // pre-mount, mount, autodev
bool has_inner_hooks(const ContainerSpec& spec);   // those and start
// Whether the end of this container has hooks, which only run when somebody has kept what they are.
bool has_end_hooks(const ContainerSpec& spec);

// "lxc.hook.autodev" with /dev left alone never runs.
const HookSpec::List& hooks_that_run(const ContainerSpec& spec, HookPhase phase);

// The program of a start hook, when its presence can be told: the first word, if it is an absolute path
// without a character of the shell's.
std::string hook_program(const std::string& command);

}  // namespace hutch
