#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "config/lower.h"
#include "config/property_formats.h"

// What the steps of lower() share; not for other rooms.
namespace hutch::config {

// What the include files of a distribution set (lxc-mapping 1.1).
struct OsTypeDefaults {
  std::string_view name;
  std::string_view tty_directory;      // of privileged containers
  std::string_view dropped;            // capabilities besides the common ones, blank-separated
  bool clock_and_kvm_devices = false;  // rtc, tun, hpet, kvm
  std::string_view halt_signal = {};
  std::string_view mounts = {};         // fstab lines, separated by '\n'
  std::string_view userns_mounts = {};  // more of them, from the file for containers with an id map
};
// Null for an unknown type.
const OsTypeDefaults* find_os_type(std::string_view name);

// A name of an architecture, of the option `arch` or of `lxc.arch`.
struct Architecture {
  std::string_view name;
  bool is_32bit = false;
  std::string_view option = {};  // the option's name for it; "" when it has none
};
// Null for an unknown name.
const Architecture* find_architecture(std::string_view name);

// A network of the container while its lines are read: net[n], then the raw `lxc.net.[i].*` lines on top.
struct NetworkLines {
  enum class Type { unset, link, none };
  Type type = Type::unset;
  LinkSpec link;
  bool generated = false;     // by net[n], not by a raw `type`
  std::string host_link;      // `lxc.net.[i].link`
  bool own_addresses = true;  // false: link.addresses are the guest's business so far
  Origin origin;              // the first line
};

// The words of `lxc.namespace.keep` or `.clone`.
struct NamespaceWish {
  std::vector<NamespaceKind> kinds;
  Origin origin;  // of the last line
};

// What LXC's common.conf sets for every privileged container. Capabilities that are dropped; in a user
// namespace they reach nothing of the host's.
inline constexpr std::string_view kCommonCapabilityDrops =
    "mac_admin mac_override sys_time sys_module sys_rawio";
// mknod of any node (without access to it), the nodes of /dev, pts and fuse.
inline constexpr std::string_view kCommonDeviceRules[] = {
    "c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
    "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:229 rwm"};
// rtc, tun, hpet, kvm.
inline constexpr std::string_view kClockAndKvmDeviceRules[] = {"c 254:0 rm", "c 10:200 rwm", "c 10:228 rwm",
                                                               "c 10:232 rwm"};
// LXC's policy file; where it is not on this host, the equivalent policy here is meant.
inline constexpr std::string_view kCommonSeccompProfile = "/usr/share/lxc/config/common.seccomp";

struct Lowering {
  const ContainerConfig& config;
  const Section& section;
  const LoweringContext& context;

  // The section's raw entries under their current names, values without their quotes.
  std::vector<RawEntry> raw = {};
  FeaturesOption features = {};
  const OsTypeDefaults* os = nullptr;
  bool unprivileged = false;
  // The user set `lxc.apparmor.profile` (`lxc.seccomp.profile`): nothing is generated.
  bool own_apparmor_profile = false;
  bool own_seccomp_profile = false;
  NamespaceWish keep_namespaces = {};
  NamespaceWish clone_namespaces = {};
  Origin cgroup_paths_origin = {};
  RawEntry cgroup_parent = {};    // `lxc.cgroup.dir`
  RawEntry cgroup_relative = {};  // `lxc.cgroup.relative`, when it is on
  // The last `lxc.mount.fstab` line.
  RawEntry fstab = {};
  // By index.
  std::map<unsigned, NetworkLines> networks = {};

  // `lxc.environment` (hooks and init), `.runtime` and `env` (init), `.hooks`: in the end spec.init's and
  // spec.hooks's.
  std::vector<Located<std::string>> environment = {};
  std::vector<Located<std::string>> runtime_environment = {};
  std::vector<Located<std::string>> hook_environment = {};

  ContainerSpec spec = {};
  Diagnostics diagnostics = {};

  void warn(const Origin& origin, std::string message) {
    diagnostics.push_back({Diagnostic::Severity::warning, std::move(message), origin});
  }
  // For what must not be left out: the container must not start.
  void refuse(const Origin& origin, std::string message) {
    diagnostics.push_back({Diagnostic::Severity::error, std::move(message), origin});
  }
  bool has_raw(std::string_view key) const {
    for (const auto& entry : raw) {
      if (entry.key == key) return true;
    }
    return false;
  }
};

// The raw entries as they count: includes expanded, current names, cgroup v2, values without their quotes;
// without those that the option `rootfs` replaces. Throws Error with the line.
std::vector<RawEntry> current_entries(const Section& section, const LoweringContext& context,
                                      Diagnostics& diagnostics);

// Throws Error for a value that cannot be used.
[[noreturn]] void bad_value(const RawEntry& entry, std::string_view expects);

// A C number (decimal, 0x..., 0...) up to `max`, as LXC reads them; throws.
std::uint64_t c_number(const RawEntry& entry, std::uint64_t max = UINT32_MAX);
bool c_boolean(const RawEntry& entry);

// A line that lower() would refuse whatever this host has: by its value alone.
struct BadEntry {
  std::size_t at = 0;  // in the section's raw entries
  Error error;
};
// Those of a section whose keys have their current names; in order. Lines of included files are not looked
// at. Linear in the number of lines. Pure.
std::vector<BadEntry> bad_entries(const ContainerConfig& config, const Section& section);

// The option's line, else default_origin().
Origin origin_or_default(const Section& section, std::string_view key);

// Parses an option with one of property_formats.h's functions; errors get the option's name and line.
template <typename Parse>
auto parse_option(const Section& section, std::string_view key, Parse parse) {
  const auto* option = section.find(key);
  try {
    return parse(option->value);
  } catch (const Error& error) {
    throw error.with_context(formatted("option '{}'", key)).with_origin(option->origin);
  }
}

// The steps. Each fills its part of the spec from options and defaults.
void lower_volumes(Lowering& lowering);
void lower_links(Lowering& lowering);
void lower_resources(Lowering& lowering);
void lower_devices(Lowering& lowering);
void lower_mounts(Lowering& lowering);
void lower_security(Lowering& lowering);
void lower_init(Lowering& lowering);
void lower_hookscript(Lowering& lowering);
// Then the raw entries, in order, so that they win.
void lower_raw_entries(Lowering& lowering);

// What all lines together say about links, into the spec (config/lower_net.cc).
void finish_networks(Lowering& lowering);

// Puts the lists of variables together: later ones win.
void lower_environment(Lowering& lowering);

// At last the lines of `lxc.mount.fstab`, which come before all entries.
void lower_fstab(Lowering& lowering);

// The rootfs of a section without the option: `lxc.rootfs.path` and `lxc.rootfs.options`.
void lower_raw_rootfs(Lowering& lowering);
// A list of fstab options, as the fields of a mount.
MountSpec parse_mount_options(Lowering& lowering, std::string_view options, const Origin& origin);

// What the raw lines of namespaces, and of the groups' places, mean together.
void lower_namespaces(Lowering& lowering);
void lower_cgroup_paths(Lowering& lowering);

// One fstab line (`lxc.mount.entry`), appended to the spec's mounts.
void add_mount_entry(Lowering& lowering, std::string_view line, const Origin& origin);

// Appends "NAME=value" to a list of variables; an earlier value of the same name goes.
void add_variable(std::vector<Located<std::string>>& environment, const std::string& variable,
                  const Origin& origin);

// What the raw keys' rows call.
using RawKeyFunction = void (*)(Lowering& lowering, const RawEntry& entry);
void set_mount_entry(Lowering& lowering, const RawEntry& entry);
void set_rootfs_mount(Lowering& lowering, const RawEntry& entry);
void set_mount_auto(Lowering& lowering, const RawEntry& entry);
void set_device_rule(Lowering& lowering, const RawEntry& entry);
void set_cgroup_file(Lowering& lowering, const RawEntry& entry);
void set_capability_drop(Lowering& lowering, const RawEntry& entry);
void set_capability_keep(Lowering& lowering, const RawEntry& entry);
void set_seccomp_profile(Lowering& lowering, const RawEntry& entry);
void set_init_command(Lowering& lowering, const RawEntry& entry);
void set_init_groups(Lowering& lowering, const RawEntry& entry);
void set_environment(Lowering& lowering, const RawEntry& entry);
void set_runtime_environment(Lowering& lowering, const RawEntry& entry);
void set_hook_environment(Lowering& lowering, const RawEntry& entry);
void set_hook(Lowering& lowering, const RawEntry& entry);
void set_hook_version(Lowering& lowering, const RawEntry& entry);
void clear_hooks(Lowering& lowering, const RawEntry& entry);
void set_process_file(Lowering& lowering, const RawEntry& entry);
void clear_process_files(Lowering& lowering, const RawEntry& entry);
void set_console_path(Lowering& lowering, const RawEntry& entry);
void set_console_log(Lowering& lowering, const RawEntry& entry);
void set_console_size(Lowering& lowering, const RawEntry& entry);
void set_log_level(Lowering& lowering, const RawEntry& entry);
void set_log_file(Lowering& lowering, const RawEntry& entry);
void set_log_syslog(Lowering& lowering, const RawEntry& entry);
void set_signal(Lowering& lowering, const RawEntry& entry);
void set_rlimit(Lowering& lowering, const RawEntry& entry);
void set_sysctl(Lowering& lowering, const RawEntry& entry);
void set_architecture(Lowering& lowering, const RawEntry& entry);
void clear_networks(Lowering& lowering, const RawEntry& entry);
void set_network(Lowering& lowering, const RawEntry& entry);

// Links get no more than this many characters (IFNAMSIZ without the terminating zero, netdevice(7)).
inline constexpr std::size_t kMaxInterfaceName = 15;

void set_namespace_keep(Lowering& lowering, const RawEntry& entry);
void set_namespace_clone(Lowering& lowering, const RawEntry& entry);
void set_namespace_share(Lowering& lowering, const RawEntry& entry);
void set_boot_time_offset(Lowering& lowering, const RawEntry& entry);
void set_monotonic_time_offset(Lowering& lowering, const RawEntry& entry);
void set_parent_death_signal(Lowering& lowering, const RawEntry& entry);
void check_monitor_unshare(Lowering& lowering, const RawEntry& entry);
void check_execute_command(Lowering& lowering, const RawEntry& entry);
void clear_rlimits(Lowering& lowering, const RawEntry& entry);
void clear_sysctls(Lowering& lowering, const RawEntry& entry);
void clear_cgroup_files(Lowering& lowering, const RawEntry& entry);
void set_cgroup_path(Lowering& lowering, const RawEntry& entry);
void set_cgroup_relative(Lowering& lowering, const RawEntry& entry);
void set_seccomp_proxy(Lowering& lowering, const RawEntry& entry);
void set_selinux_context(Lowering& lowering, const RawEntry& entry);

}  // namespace hutch::config
