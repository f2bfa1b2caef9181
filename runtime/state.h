#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/origin.h"
#include "base/sysroot.h"
#include "base/unique_fd.h"
#include "runtime/container_spec.h"
#include "runtime/dhcp_client.h"
#include "runtime/link_script.h"

// What a running container leaves in run/hutch/<vmid>/: enough for every other command to find its
// processes, join it and clean up after it. The record is only a pointer; whether the container runs is
// asked of the kernel each time (does the process with that pid and start time exist?).
namespace hutch {

// A process that cannot be mistaken for a later one with the same pid: `start_time` is field 22 of
// /proc/<pid>/stat (proc(5)), in clock ticks since boot.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;

  bool operator==(const ProcessIdentity&) const = default;
};

// Reads the identity of a living process; nothing when there is none or it is a zombie.
std::optional<ProcessIdentity> identify_process(pid_t pid);
bool is_alive(const ProcessIdentity& process);
// Also of one whose directory, memory and namespaces are gone already, while the kernel still counts it as
// alive.
bool is_ending(const ProcessIdentity& process);
// A pidfd of exactly this process; nothing when it is gone.
std::optional<UniqueFd> open_process(const ProcessIdentity& process);

// A link of the host that the container has for its time (`phys`), with what it has to get back.
struct MovedLink {
  std::string name;         // on the host
  int index = 0;            // on the host
  std::string inside_name;  // as it was called when it was moved in
  int inside_index = 0;     // 0: not known
  std::uint32_t mtu = 0;    // bytes, on the host
  std::vector<std::string> alternative_names;
  // By what it is known again among links that the container's root can make, rename and number as he likes:
  // hardware has no kind, and an address that nobody can change.
  std::string kind;           // netlink::Link
  std::string permanent_mac;  // netlink::Link

  bool operator==(const MovedLink&) const = default;
};

// The content of run/hutch/<vmid>/state.
struct ContainerState {
  std::uint32_t vmid = 0;
  ProcessIdentity init;
  ProcessIdentity supervisor;
  // "lxc/100", relative to each hierarchy; empty in the record of a start that has made none.
  std::string cgroup;
  std::vector<std::string> host_links;  // "veth100i0"
  // What else a stop has to do about links (runtime/link_return.h).
  std::vector<MovedLink> moved_links;
  std::vector<LinkScript> down_scripts;
  std::vector<std::string> open_vswitch_ports;
  std::vector<std::pair<std::string, std::string>> proxies;  // link and the address that it answers for
  std::vector<std::string> loopback_routes;                  // CIDR
  std::vector<DhcpClient> dhcp_clients;
  // What a process that joins the container has to give up as init did (runtime/attach.h).
  std::uint64_t dropped_capabilities = 0;
  bool no_new_privs = false;
  bool seccomp = false;        // the program is in run/hutch/<vmid>/seccomp
  std::string apparmor_label;  // empty: unchanged
  // setrlimit(2): "<RLIMIT_* number> <soft> <hard>", RLIM_INFINITY as its number.
  std::vector<std::string> resource_limits;
  std::uint32_t init_uid = 0;
  std::uint32_t init_gid = 0;
  std::vector<std::string> environment;  // "NAME=value"
  // What hooks and scripts that run at stop find in their environment, "NAME=value"; empty when there are
  // none.
  std::vector<std::string> hook_environment;
  // What runs at its end (runtime/stop_hooks.h).
  unsigned hook_version = 0;
  std::vector<Located<std::string>> stop_hooks;
  std::vector<Located<std::string>> post_stop_hooks;
  std::string hookscript;
  LogSpec log;
  ProcessIdentity console_watch;                // runtime/console_watch.h; pid 0: none
  std::vector<std::string> copied_environment;  // ContainerSpec
  std::optional<int> halt_signal;
  std::optional<int> stop_signal;
  // What is not as in most containers; printed only where it is so.
  std::string cgroup_inner;          // the group below `cgroup` with the processes; empty: ns
  std::string cgroup_monitor;        // the supervisor's own; empty: none
  std::string cgroup_monitor_pivot;  // where the supervisor goes before its own is removed
  std::string selinux_context;
  bool shares_keyring = false;              // has the session keyring of its starter
  bool core_scheduling = false;             // has a core-scheduling cookie
  bool ephemeral = false;                   // to be destroyed when it has stopped
  std::vector<std::string> notify_proxies;  // SeccompSpec
  std::string notify_cookie;

  // The name of the group below `cgroup` that holds the processes.
  std::string inner_group() const { return cgroup_inner.empty() ? "ns" : cgroup_inner; }

  bool operator==(const ContainerState&) const = default;
};

// Text form, one "key value" line each; parse throws Error on a record of another format.
std::string print_state(const ContainerState& state);
ContainerState parse_state(std::string_view text, const std::string& source);

// "<root>/run/hutch/100"
std::string state_directory(const Sysroot& sysroot, std::uint32_t vmid);
// Removes it with everything in it, if there is one: at once for whoever looks for it, who would take one
// without a record for that of a start that has died. Others may do the same meanwhile.
void remove_state_directory(const Sysroot& sysroot, std::uint32_t vmid);

// The name of the record as long as the container has not started: only for cleaning up after a start that
// died.
inline constexpr const char* kUnpublishedState = "state.new";
// Writes it, whole or not at all for whoever reads meanwhile. It does not survive a crash of the host, nor
// does the container.
void write_unpublished_state(const Sysroot& sysroot, const ContainerState& state);
// Gives a complete record the name that all others look for.
void publish_state(const Sysroot& sysroot, std::uint32_t vmid);

// Puts another record in the place of the published one, whole or not at all. Throws ENOENT when there is
// none any more: the container has ended.
void replace_state(const Sysroot& sysroot, const ContainerState& state);

// The unpublished record, without init; nothing when there is none.
std::optional<ContainerState> read_unpublished_state(const Sysroot& sysroot, std::uint32_t vmid);
// The record, whether or not the container still runs; nothing when there is none.
std::optional<ContainerState> read_state(const Sysroot& sysroot, std::uint32_t vmid);
// The record of a container whose init is alive right now, else nothing.
std::optional<ContainerState> find_running(const Sysroot& sysroot, std::uint32_t vmid);

}  // namespace hutch
