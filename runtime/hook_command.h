#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/origin.h"
#include "base/sysroot.h"
#include "runtime/container_spec.h"

namespace hutch {

// One run of a hook or network script on the host (lxc-keys 2.9, 2.10): what the config says, and what the
// runtime adds to it.
struct HookCommand {
  std::string command;  // the key's value: a shell command line with words of its own
  std::string key;      // "lxc.net.0.script.up", for messages
  // Version 0: `container`, `section` and `type` become the first three arguments. Version 1: the first is
  // left to LXC_NAME, the others become LXC_HOOK_SECTION and LXC_HOOK_TYPE.
  unsigned version = 0;
  std::string container;  // "100"
  std::string section;    // "lxc", "net"
  std::string type;       // "pre-start", "up"
  // Further arguments. They stand on the line without quotes, so an empty one disappears: scripts count on
  // it (a veth without a bridge has one argument less).
  std::vector<std::string> extras;
  // "NAME=value", on top of this process's environment; LXC_HOOK_SECTION and LXC_HOOK_TYPE come by
  // themselves.
  std::vector<std::string> environment;
  int mounts = -1;   // a mount namespace to run in; -1: the calling thread's
  int signals = -1;  // see ProgramOptions; when one was passed on, the hook has failed
  Origin origin;
};

// What /bin/sh -c gets: "exec /bin/plug '100' 'net' 'up' veth vmbr0 veth100i0".
std::string hook_command_line(const HookCommand& hook);
// `environment` with what the version adds.
std::vector<std::string> hook_environment(const HookCommand& hook);

// Runs it in the calling thread's namespaces (but `mounts`), in "/", with no signal blocked, standard input
// and error as ours, and waits until it has ended; a process that it leaves in the background may go on, also
// with its outputs. Gives what it wrote to standard output (at most kHookOutputLimit bytes, the rest is read
// and dropped), for a debug log. Throws Error with the key, the exit status or signal and the config line
// when it does not end with 0.
inline constexpr std::size_t kHookOutputLimit = 64U << 10;
std::string run_hook(const HookCommand& hook);

// What every hook of a container finds in its environment (lxc-lifecycle 9.4); empty members are left out.
struct HookContainer {
  std::string name;             // LXC_NAME: "100"
  std::string config_path;      // LXC_CONFIG_FILE
  std::string rootfs_mount;     // LXC_ROOTFS_MOUNT: where the rootfs is mounted on the host
  std::string rootfs_path;      // LXC_ROOTFS_PATH: where it comes from
  std::string console;          // LXC_CONSOLE
  std::string console_logpath;  // LXC_CONSOLE_LOGPATH
  std::string log_level;        // LXC_LOG_LEVEL: "ERROR"
  unsigned hook_version = 0;    // LXC_HOOK_VERSION
};
// "NAME=value" entries; LXC_CGNS_AWARE=1 among them.
std::vector<std::string> common_hook_environment(const HookContainer& container);

}  // namespace hutch
