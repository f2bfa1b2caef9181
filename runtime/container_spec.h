#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/origin.h"
#include "cgroupv2/resources.h"

// What a container is, resolved: no words of PVE or LXC, no "unset", no live descriptors. The config room
// makes it, the planner reads it. Everything that can cause a kernel operation carries its Origin.
namespace hutch {

// One line of an id map (user_namespaces(7)): `count` ids from `inside` on are the host's from `host` on.
struct IdRange {
  std::uint32_t inside = 0;
  std::uint32_t host = 0;
  std::uint32_t count = 0;
  Origin origin;
  bool operator==(const IdRange&) const = default;
};

// Both lists empty: no user namespace, the container is privileged.
struct IdMap {
  std::vector<IdRange> uids;
  std::vector<IdRange> gids;

  bool empty() const { return uids.empty() && gids.empty(); }
  // The host id of a container id; nothing when it is not mapped. The identity when the map is empty.
  std::optional<uid_t> host_uid(std::uint32_t inside) const { return host_id(uids, inside); }
  std::optional<gid_t> host_gid(std::uint32_t inside) const { return host_id(gids, inside); }
  bool operator==(const IdMap&) const = default;

 private:
  std::optional<std::uint32_t> host_id(const std::vector<IdRange>& ranges, std::uint32_t inside) const {
    if (empty()) return inside;
    for (const auto& range : ranges) {
      if (inside >= range.inside && inside - range.inside < range.count) {
        return range.host + (inside - range.inside);
      }
    }
    return std::nullopt;
  }
};

enum class NamespaceKind : std::uint8_t { user, mount, pid, uts, ipc, net, cgroup, time };

// An existing namespace that a container joins instead of getting one of its own.
struct SharedNamespace {
  enum class Target : std::uint8_t { path, process, container };
  NamespaceKind kind = NamespaceKind::net;
  Target target = Target::path;
  std::string path;      // a namespace file: "/run/netns/lan"
  std::uint32_t id = 0;  // of the process, or the vmid of the container, whose init's it is
  Origin origin;
  bool operator==(const SharedNamespace&) const = default;
};

// The namespaces that a container gets for itself (clone3(2) flags CLONE_NEW*). What is neither its own nor
// shared is the starter's.
struct NamespaceSet {
  bool mount = true;
  bool pid = true;
  bool net = true;
  bool ipc = true;
  bool uts = true;
  bool cgroup = true;
  bool user = false;
  bool time = false;
  // time_namespaces(7): offsets in nanoseconds, only with `time`.
  std::int64_t boottime_offset_ns = 0;
  std::int64_t monotonic_offset_ns = 0;
  std::vector<SharedNamespace> shared;  // at most one of each kind, which then is not its own
  Origin origin;                        // of what is left as it is, where a line said so
  Origin time_origin;                   // of the offsets

  bool shares(NamespaceKind kind) const {
    for (const auto& space : shared) {
      if (space.kind == kind) return true;
    }
    return false;
  }
  bool operator==(const NamespaceSet&) const = default;
};

// Where a container's control groups are, relative to the tree's root.
struct CgroupPaths {
  std::string container;     // holds the limits; empty: lxc/<vmid>
  std::string inner = "ns";  // the group below it that holds the processes
  std::string monitor;       // for the supervisor; empty: it stays where the starter was
  // Where the supervisor goes before `monitor` is removed; empty: the tree's root.
  std::string monitor_pivot;
  Origin origin;
  bool operator==(const CgroupPaths&) const = default;
};

// How ids on a volume's disk relate to the container's. All but `host` need an id-mapped mount when the
// container has an id map.
enum class DiskIds {
  // As PVE stores them: the file system holds host ids (100000 for the container's root).
  host,
  // The file system holds the container's ids (0 for its root; `idmap=passthrough`).
  container,
  // As `host`, except for VolumeSpec::disk_ranges (`idmap=u:1000:1000:1`).
  ranges,
  // As the user namespace VolumeSpec::id_map_path maps them (`lxc.rootfs.options: idmap=/proc/42/ns/user`).
  other_namespace,
};

// Container ids from `inside` on are `disk` and on upwards on a volume's disk.
struct DiskIdRange {
  bool group = false;
  std::uint32_t inside = 0;
  std::uint32_t disk = 0;
  std::uint32_t count = 0;
  bool operator==(const DiskIdRange&) const = default;
};

// mount_namespaces(7): how mounts below a mount reach its copies in other namespaces.
enum class Propagation { unchanged, shared, slave, private_, unbindable };

// A file system that comes with the container: its rootfs and the mount points mp0, mp1, ...
struct VolumeSpec {
  // overlay: overlayfs (Documentation/filesystems/overlayfs.rst), rootfs only.
  enum class Kind { directory, image, block_device, overlay };
  std::string key;  // "rootfs", "mp0"
  Kind kind = Kind::directory;
  // Absolute host path of the directory, image file or device; of an overlay the upper directory, which takes
  // the writes and is made when missing.
  std::string source;
  std::vector<std::string> lower;  // of an overlay: read-only directories below it, the topmost first
  std::string work;                // of an overlay: empty directory on the upper one's file system, made too
  std::string target;              // absolute path inside the container; "/" for the rootfs
  bool bind = false;               // a host directory named in the config (not a volume of a storage)
  bool read_only = false;
  std::uint64_t mount_attributes = 0;  // MOUNT_ATTR_NODEV and so on, besides read_only
  // Taken off a directory's mount, which has those of the mount that it lies on.
  std::uint64_t mount_attributes_clear = 0;
  Propagation propagation = Propagation::unchanged;
  bool propagation_recursive = false;
  // Options for the file system driver ("discard", "acl", "noload"); an empty value is a flag.
  std::vector<std::pair<std::string, std::string>> fs_options;
  DiskIds disk_ids = DiskIds::host;
  std::vector<DiskIdRange> disk_ranges;
  std::string id_map_path;
  // User and group quota of ext4: the tools inside need the device's node in /dev.
  bool quota = false;
  // The top of the mounted volume takes owner, group and mode of the directory that it covers.
  bool keep_attributes = false;
  Origin origin;
  bool operator==(const VolumeSpec&) const = default;
};

// An extra mount (`lxc.mount.entry`).
struct MountSpec {
  enum class Create { no, directory, file };
  using Propagation = hutch::Propagation;
  std::string source;
  std::string target;  // relative to the container's root, no leading slash
  std::string type;    // file system type; ignored for a bind
  bool bind = false;
  bool recursive = false;       // rbind
  bool source_in_root = false;  // option `relative`: source is below the container's root
  bool optional = false;
  bool id_mapped = false;   // `idmap=container`
  std::string id_map_path;  // `idmap=<path>` of a user namespace; empty: the container's
  // The source, in the container's root, leaves its place (`move` with `relative`).
  bool move = false;
  // Made a slave again when the container's root has become shared: mounts that the host makes below the
  // source still arrive, nothing goes back (`lxc.mount.auto: shmounts:`).
  bool receives_mounts = false;
  Create create = Create::no;
  std::uint64_t attributes_set = 0;  // MOUNT_ATTR_*
  std::uint64_t attributes_clear = 0;
  Propagation propagation = Propagation::unchanged;
  bool propagation_recursive = false;
  std::vector<std::pair<std::string, std::string>> fs_options;
  Origin origin;
  bool operator==(const MountSpec&) const = default;
};

// A device node of the host's that the container gets (`dev[n]`).
struct DeviceSpec {
  std::string key;            // "dev0"
  std::string path;           // host path and path inside, "/dev/..."
  std::uint32_t mode = 0660;  // permission bits
  std::uint32_t uid = 0;      // inside
  std::uint32_t gid = 0;
  bool deny_write = false;
  Origin origin;
  bool operator==(const DeviceSpec&) const = default;
};

enum class ProcMount { none, mixed, read_write };
enum class SysMount { none, read_only, mixed, read_write };
enum class CgroupMount { none, read_write, read_only };

// VLAN ids, 1..4094.
struct VlanRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;  // inclusive
  bool operator==(const VlanRange&) const = default;
};

// A network link of the container (`net[n]`, `lxc.net.[i]`).
struct LinkSpec {
  enum class Kind { veth, macvlan, ipvlan, vlan, phys, empty };
  Kind kind = Kind::veth;
  unsigned index = 0;                // the n of net<n>
  std::string name;                  // inside; "" for `empty`
  std::string host_name;             // veth: "veth100i0"
  std::string bridge;                // veth: empty: not attached to a bridge
  std::string mac;                   // inside; "BC:24:11:12:34:56"; a digit may be 'x' for a random one;
                                     // empty: the kernel's random one
  std::optional<std::uint32_t> mtu;  // nothing: the bridge's or lower link's
  bool link_down = false;            // created, but down and off the bridge
  // The runtime configures the addresses (`host-managed`). `addresses` and gateways are there in any case.
  bool configure = false;
  bool up = true;  // ... and brings the interface up
  // CIDR, both families; after an IPv4 one may follow a blank and its broadcast address.
  std::vector<std::string> addresses;
  // An address, "dev" (the link itself), or "auto" (the first address of `bridge` or `lower`).
  std::string gateway4;
  std::string gateway6;
  // A DHCP client of the host configures it while the container runs (`host-managed`, ip=dhcp).
  bool dhcp4 = false;
  bool dhcp6 = false;
  Origin origin;

  // The host's link that it is made on (macvlan, ipvlan, vlan), that becomes it (phys; "eth+": the last one
  // whose name begins so), or that a routed veth is reached through.
  std::string lower;
  std::uint32_t mode = 0;       // macvlan: MACVLAN_MODE_*, ipvlan: IPVLAN_MODE_* (linux/if_link.h)
  std::uint16_t isolation = 0;  // ipvlan: IPVLAN_F_*
  std::uint16_t vlan_id = 0;    // vlan

  // The rest but the scripts and proxies: veth.
  bool router = false;              // host routes to the addresses instead of a bridge
  std::vector<std::string> routes;  // subnets behind the host end, CIDR
  std::uint32_t rx_queues = 0;      // 0: the kernel's choice
  std::uint32_t tx_queues = 0;
  // VLANs of the bridge port. Without `own_vlans` it keeps what the bridge gives to a new port besides them.
  bool own_vlans = false;
  std::optional<std::uint16_t> tag;  // what has no tag belongs to this VLAN
  bool no_untagged = false;          // nothing without a tag gets through
  std::vector<VlanRange> trunks;     // other VLANs; with `own_vlans` and neither tag nor trunks: all
  std::uint64_t rate = 0;            // bytes per second, each way; 0: unlimited

  bool proxy_neighbours = false;  // `lower` or `bridge` answers for the addresses (l2proxy)
  // Hooks (runtime/hook_command.h); empty: none.
  Located<std::string> script_up;
  Located<std::string> script_down;

  bool operator==(const LinkSpec&) const = default;
};

// Names without CAP_ and in lower case, as config files have them ("sys_time").
struct CapabilitySpec {
  std::vector<Located<std::string>> drop;
  // When set, everything else is dropped (and `drop` is empty).
  std::optional<std::vector<Located<std::string>>> keep;
  bool operator==(const CapabilitySpec&) const = default;
};

// Text of an LXC seccomp policy, version 2 (lxc-security: policy files); empty: no filter.
struct SeccompSpec {
  std::string policy;
  Origin origin;
  // Socket addresses of the proxy that answers `notify` actions, a path or "@name" (unix(7)); the next one is
  // tried where one does not exist. None: such system calls fail with ENOSYS.
  std::vector<std::string> notify_proxies;
  std::string notify_cookie;  // sent with each request
  Origin notify_origin;
  bool operator==(const SeccompSpec&) const = default;
};

struct AppArmorSpec {
  // "generated", "unconfined", "unchanged", or the name of a loaded profile.
  std::string profile = "generated";
  std::vector<Located<std::string>> raw_rules;  // for "generated"
  bool allow_nesting = false;
  bool allow_incomplete = false;
  Origin origin;
  bool operator==(const AppArmorSpec&) const = default;
};

// Empty: no transition, the label of the starter.
struct SelinuxSpec {
  std::string context;          // of init from exec on
  std::string keyring_context;  // of the session keyring
  Origin origin;
  bool operator==(const SelinuxSpec&) const = default;
};

// setrlimit(2); nothing means RLIM_INFINITY. `name` is without RLIMIT_ and in lower case ("nofile").
struct RlimitSpec {
  std::string name;
  std::optional<std::uint64_t> soft;
  std::optional<std::uint64_t> hard;
  Origin origin;
  bool operator==(const RlimitSpec&) const = default;
};

struct InitSpec {
  std::vector<std::string> argv = {"/sbin/init"};
  std::string cwd = "/";
  std::uint32_t uid = 0;  // inside
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::vector<Located<std::string>> environment;  // "NAME=value", besides container= and container_ttys=
  Origin origin;
  bool operator==(const InitSpec&) const = default;
};

// Signal numbers; nothing for `halt` means: SIGRTMIN+3 if init blocks it, else SIGPWR.
struct SignalSpec {
  std::optional<int> halt;
  std::optional<int> reboot;
  std::optional<int> stop;
  bool operator==(const SignalSpec&) const = default;
};

// Points of a container's life at which programs of the config run (`lxc.hook.<name>`), and who runs them.
enum class HookPhase : std::uint8_t {
  pre_start,   // the host, before the container's control group and first process are made
  pre_mount,   // inside the container's namespaces, the host's root being "/"
  mount,       // the same, when the rootfs is staged with all that is mounted in it
  autodev,     // the same, after `mount`, when there is a /dev of the container's own
  start,       // inside the container's root, confined as init will be
  start_host,  // the host, while the container waits to execute init
  stop,        // the host, when init has ended
  post_stop,   // the host, when everything is cleaned up
  clone,       // the host, for a new copy
  destroy,     // the host, before a container is removed
};
inline constexpr std::array<const char*, 10> kHookNames = {"pre-start", "pre-mount",  "mount", "autodev",
                                                           "start",     "start-host", "stop",  "post-stop",
                                                           "clone",     "destroy"};
constexpr const char* hook_name(HookPhase phase) {
  return kHookNames[static_cast<std::size_t>(phase)];
}

// Shell command lines, in the order they run.
struct HookSpec {
  using List = std::vector<Located<std::string>>;
  std::array<List, kHookNames.size()> lists;
  List environment;  // "NAME=value", for the hooks inside the container's namespaces

  const List& of(HookPhase phase) const { return lists[static_cast<std::size_t>(phase)]; }
  List& of(HookPhase phase) { return lists[static_cast<std::size_t>(phase)]; }
  bool operator==(const HookSpec&) const = default;
};

// What is done with the console besides being init's terminal.
struct ConsoleSpec {
  Located<std::string> path;      // a terminal of the host that the console is shown on; empty: none
  Located<std::string> log_file;  // gets what is written to the console; empty: none
  std::uint64_t log_size = 0;     // bytes; 0: unlimited
  bool rotate = false;            // a full log becomes <log_file>.1, else it begins anew
  std::uint64_t buffer_size = 0;  // bytes of the last output that are kept for `pct console-log`; 0: none

  bool watched() const { return !path.value.empty() || !log_file.value.empty() || buffer_size != 0; }
  bool operator==(const ConsoleSpec&) const = default;
};

// Where a start and a stop log to, and how much (runtime/container_log.h).
struct LogSpec {
  unsigned level = 5;         // 0 trace, 1 debug, 2 info, 3 notice, 4 warn, 5 error, 6 crit, 7 alert, 8 fatal
  Located<std::string> file;  // empty: none
  std::string syslog;         // facility: "daemon", "local0" to "local7"; empty: not there

  bool on() const { return !file.value.empty() || !syslog.empty(); }
  bool operator==(const LogSpec&) const = default;
};

struct ContainerSpec {
  std::uint32_t vmid = 0;
  std::string config_path;  // where it was read from, for messages
  std::string hostname;
  bool personality_32bit = false;
  bool unprivileged = false;  // always equal to !id_map.empty()
  IdMap id_map;
  NamespaceSet namespaces;
  CgroupPaths cgroup_paths;

  VolumeSpec rootfs;
  // Host directory where the rootfs is mounted before the container takes it; it has to exist. Empty:
  // var/lib/lxc/<vmid>/rootfs of the sysroot, which is made.
  std::string rootfs_mount;
  std::vector<VolumeSpec> mount_points;  // in index order
  std::vector<MountSpec> mounts;         // in config order
  ProcMount proc = ProcMount::mixed;
  SysMount sys = SysMount::mixed;
  CgroupMount cgroup = CgroupMount::read_write;
  // Fresh proc and sysfs at /dev/.lxc, so that nested user namespaces may mount their own.
  bool nesting_mounts = false;

  bool autodev = true;
  std::uint64_t dev_size = 500000;  // bytes of the tmpfs on /dev
  std::uint32_t pty_max = 1024;
  std::uint32_t tty_count = 2;
  std::string tty_directory;  // "" or "lxc": below /dev
  bool console = true;
  bool kmsg_link = false;                  // /dev/kmsg leads to the console
  std::vector<DeviceSpec> passed_devices;  // in index order; their rules are in `devices`

  // How hooks and network scripts get their arguments (lxc.hook.version): 0 or 1.
  unsigned hook_version = 0;
  HookSpec hooks;
  // Host path of the program that is told about the phases of the container's life (`hookscript`); empty:
  // none.
  Located<std::string> hookscript;
  ConsoleSpec console_output;
  LogSpec log;
  // Variables that were copied from the environment of whoever starts the container, "NAME=value": for the
  // next start after a reboot from inside.
  std::vector<std::string> copied_environment;
  // Files below /proc/<init>/ and what the host writes into them ("oom_score_adj").
  std::vector<std::pair<std::string, Located<std::string>>> process_files;

  std::vector<LinkSpec> links;
  cgroupv2::Resources resources;
  cgroupv2::DevicePolicy devices;

  InitSpec init;
  SignalSpec signals;
  CapabilitySpec capabilities;
  bool no_new_privs = false;
  SeccompSpec seccomp;
  AppArmorSpec apparmor;
  SelinuxSpec selinux;
  bool new_keyring = true;  // a session keyring of its own; else the starter's (keyrings(7))
  // A core-scheduling cookie of its own: no CPU core runs its threads beside others' (core-scheduling.rst).
  bool core_scheduling = false;
  Origin core_scheduling_origin;
  std::optional<Located<int>> parent_death_signal;  // for init when its supervisor dies; nothing: it survives
  bool ephemeral = false;                           // destroyed when it has stopped
  std::vector<RlimitSpec> rlimits;
  std::vector<std::pair<std::string, Located<std::string>>> sysctls;  // "kernel.msgmax" -> value

  // The ids inside that the container's root has: 0 where the map has it, else those of init.
  std::uint32_t root_uid() const { return id_map.host_uid(0) ? 0 : init.uid; }
  std::uint32_t root_gid() const { return id_map.host_gid(0) ? 0 : init.gid; }

  bool operator==(const ContainerSpec&) const = default;
};

}  // namespace hutch
