#include <algorithm>
#include <limits>

#include "base/text.h"
#include "config/lowering.h"

// Which namespaces a container gets for itself, joins, or leaves as they are (lxc-keys 2.7), and its clocks.
namespace hutch::config {

namespace {

struct NamespaceName {
  std::string_view name;
  NamespaceKind kind;
  bool NamespaceSet::*own;
};
constexpr NamespaceName kNamespaces[] = {
    {"user", NamespaceKind::user, &NamespaceSet::user},
    {"mnt", NamespaceKind::mount, &NamespaceSet::mount},
    {"pid", NamespaceKind::pid, &NamespaceSet::pid},
    {"uts", NamespaceKind::uts, &NamespaceSet::uts},
    {"ipc", NamespaceKind::ipc, &NamespaceSet::ipc},
    {"net", NamespaceKind::net, &NamespaceSet::net},
    {"cgroup", NamespaceKind::cgroup, &NamespaceSet::cgroup},
    {"time", NamespaceKind::time, &NamespaceSet::time},
    // The manual's word for mnt.
    {"mount", NamespaceKind::mount, &NamespaceSet::mount},
};
constexpr std::string_view kNames = "user mnt pid uts ipc net cgroup time";

const NamespaceName* find_namespace(std::string_view word) {
  const std::string name = to_lower(word);
  const auto* found = std::find_if(std::begin(kNamespaces), std::end(kNamespaces),
                                   [&name](const auto& row) { return row.name == name; });
  return found == std::end(kNamespaces) ? nullptr : found;
}

bool contains(const NamespaceWish& wish, NamespaceKind kind) {
  return std::find(wish.kinds.begin(), wish.kinds.end(), kind) != wish.kinds.end();
}

void set_wish(NamespaceWish& wish, const NamespaceWish& other, const RawEntry& entry) {
  if (entry.value.empty()) {
    wish = {};
    return;
  }
  if (!other.kinds.empty()) {
    throw Error("'lxc.namespace.keep' and 'lxc.namespace.clone' exclude each other", 0, "remove one of them",
                entry.origin);
  }
  for (const auto word : split_blanks(entry.value)) {
    const auto* row = find_namespace(word);
    if (row == nullptr) bad_value(entry, formatted("made of names from: {}", kNames));
    if (!contains(wish, row->kind)) wish.kinds.push_back(row->kind);
  }
  wish.origin = entry.origin;
}

// An absolute path, the pid of a process, or a container of ours. Digits are a pid for LXC, but the names of
// this host's containers are digits, too: those come first, so that a container that does not run is an error
// and never some process that happens to have the number.
SharedNamespace parse_target(const Lowering& lowering, const RawEntry& entry, NamespaceKind kind) {
  SharedNamespace shared;
  shared.kind = kind;
  shared.origin = entry.origin;
  if (entry.value.front() == '/') {
    shared.path = entry.value;
    return shared;
  }
  const auto container = lowering.context.container_named ? lowering.context.container_named(entry.value)
                                                          : std::optional<std::uint32_t>();
  if (container) {
    if (*container == lowering.context.vmid) bad_value(entry, "another container");
    shared.target = SharedNamespace::Target::container;
    shared.id = *container;
    return shared;
  }
  const auto pid = parse_unsigned(entry.value);
  if (!pid || *pid == 0 || *pid > INT32_MAX) {
    bad_value(entry, "the path of a namespace file, a process id, or a container of this host");
  }
  shared.target = SharedNamespace::Target::process;
  shared.id = static_cast<std::uint32_t>(*pid);
  return shared;
}

// ---- what the whole of it says

void choose(Lowering& lowering) {
  auto& set = lowering.spec.namespaces;
  const auto& keep = lowering.keep_namespaces;
  const auto& clone = lowering.clone_namespaces;
  set.user = lowering.unprivileged;
  set.origin = keep.kinds.empty() ? clone.origin : keep.origin;
  set.time = set.boottime_offset_ns != 0 || set.monotonic_offset_ns != 0;
  for (const auto& row : kNamespaces) {
    const bool user = row.kind == NamespaceKind::user;
    // What a list of kept ones leaves out is the container's own; only a user namespace needs an id map.
    if (!keep.kinds.empty() && row.kind == NamespaceKind::time) set.time = true;
    if (contains(keep, row.kind)) set.*row.own = false;
    if (!clone.kinds.empty() && !user) set.*row.own = contains(clone, row.kind);
    if (set.shares(row.kind)) set.*row.own = false;
  }
}

void check_user(const Lowering& lowering) {
  const auto& keep = lowering.keep_namespaces;
  const auto& clone = lowering.clone_namespaces;
  const auto& set = lowering.spec.namespaces;
  if (lowering.unprivileged && contains(keep, NamespaceKind::user)) {
    throw Error("'lxc.namespace.keep': a container with an id map needs a user namespace of its own", 0,
                "remove 'user' from the line, or make the container privileged", keep.origin);
  }
  if (lowering.unprivileged && set.user && !clone.kinds.empty() && !contains(clone, NamespaceKind::user)) {
    throw Error("'lxc.namespace.clone': a container with an id map needs a user namespace of its own", 0,
                "add 'user' to the line, or make the container privileged", clone.origin);
  }
  if (!lowering.unprivileged && contains(clone, NamespaceKind::user)) {
    throw Error("'lxc.namespace.clone': a user namespace needs an id map", 0,
                "set 'unprivileged: 1', or remove 'user' from the line", clone.origin);
  }
  for (const auto& shared : set.shared) {
    if (shared.kind != NamespaceKind::user || lowering.unprivileged) continue;
    throw Error("'lxc.namespace.share.user': the container has no id map, so its ids would be another's", 0,
                "set the id map of the namespace that is shared ('unprivileged: 1' for the default one)",
                shared.origin);
  }
}

Origin origin_of(const Lowering& lowering, NamespaceKind kind) {
  for (const auto& shared : lowering.spec.namespaces.shared) {
    if (shared.kind == kind) return shared.origin;
  }
  if (contains(lowering.keep_namespaces, kind)) return lowering.keep_namespaces.origin;
  return lowering.clone_namespaces.origin;
}

void check_others(const Lowering& lowering) {
  const auto& spec = lowering.spec;
  const auto& set = spec.namespaces;
  if (!set.mount) {
    throw Error(
        "a container cannot do without a mount namespace of its own: pivot_root(2) would change the "
        "root of every process in the one that it shares",
        0,
        "remove 'mnt' from 'lxc.namespace.keep', add it to 'lxc.namespace.clone', or remove the "
        "'lxc.namespace.share' line",
        origin_of(lowering, NamespaceKind::mount));
  }
  if (!set.time && (set.boottime_offset_ns != 0 || set.monotonic_offset_ns != 0)) {
    throw Error("clock offsets need a time namespace of the container's own", 0,
                "remove the 'lxc.time.offset' lines, or give the container its own time namespace",
                set.time_origin);
  }
  if (set.shares(NamespaceKind::pid) && lowering.unprivileged && !set.shares(NamespaceKind::user)) {
    throw Error(
        "an unprivileged container cannot share the process ids of another user namespace: it could "
        "not mount its /proc",
        0, "add an 'lxc.namespace.share.user' line with the same target",
        origin_of(lowering, NamespaceKind::pid));
  }
  if (spec.core_scheduling && !set.pid) {
    throw Error("'lxc.sched.core' needs a pid namespace of the container's own", 0,
                "remove it, or give the container its own pid namespace", spec.core_scheduling_origin);
  }
}

// Nothing is made in a network that is another's.
void drop_links(Lowering& lowering) {
  for (const auto& link : lowering.spec.links) {
    lowering.warn(link.origin,
                  formatted("the interface '{}' is not made: the container uses a network namespace that is "
                            "not its own",
                            link.name));
  }
  lowering.spec.links.clear();
}

// reboot(2) goes to the owner of the process ids: to another container, or the host.
void drop_reboot(Lowering& lowering) {
  auto& capabilities = lowering.spec.capabilities;
  constexpr std::string_view kReboot = "sys_boot";
  const auto is_reboot = [&](const auto& located) { return located.value == kReboot; };
  if (capabilities.keep) {
    std::erase_if(*capabilities.keep, is_reboot);
  } else if (std::none_of(capabilities.drop.begin(), capabilities.drop.end(), is_reboot)) {
    capabilities.drop.push_back({std::string(kReboot), origin_of(lowering, NamespaceKind::pid)});
  }
}

// ---- clocks

struct TimeUnit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::int64_t kSecond = 1000000000;
constexpr TimeUnit kTimeUnits[] = {{"h", 3600 * kSecond}, {"m", 60 * kSecond}, {"s", kSecond},
                                   {"ms", 1000000},       {"us", 1000},        {"ns", 1}};

std::int64_t time_offset(const RawEntry& entry) {
  constexpr std::string_view kForm = "a whole number with a unit of h, m, s, ms, us, ns, such as -1h or 90s";
  if (entry.value.empty()) return 0;
  const std::string_view value = entry.value;
  const auto letters = value.find_first_not_of("+-0123456789");
  if (letters == std::string_view::npos) bad_value(entry, kForm);
  auto digits = trim(value.substr(0, letters));
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const auto number = parse_signed(digits);
  const auto unit = std::find_if(std::begin(kTimeUnits), std::end(kTimeUnits),
                                 [&](const auto& row) { return row.name == trim(value.substr(letters)); });
  if (!number || unit == std::end(kTimeUnits)) bad_value(entry, kForm);
  const auto limit = std::numeric_limits<std::int64_t>::max() / unit->nanoseconds;
  if (*number > limit || *number < -limit) bad_value(entry, "an offset that a clock can have");
  return *number * unit->nanoseconds;
}

}  // namespace

void set_namespace_keep(Lowering& lowering, const RawEntry& entry) {
  set_wish(lowering.keep_namespaces, lowering.clone_namespaces, entry);
}

void set_namespace_clone(Lowering& lowering, const RawEntry& entry) {
  set_wish(lowering.clone_namespaces, lowering.keep_namespaces, entry);
}

void set_namespace_share(Lowering& lowering, const RawEntry& entry) {
  const auto name = std::string_view(entry.key).substr(std::string_view("lxc.namespace.share.").size());
  const auto* row = find_namespace(name);
  if (row == nullptr) {
    throw Error(formatted("'{}': there is no namespace '{}'", entry.key, name), 0,
                formatted("use one of: {}", kNames), entry.origin);
  }
  auto& shared = lowering.spec.namespaces.shared;
  std::erase_if(shared, [row](const auto& earlier) { return earlier.kind == row->kind; });
  if (!entry.value.empty()) shared.push_back(parse_target(lowering, entry, row->kind));
}

void set_boot_time_offset(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.namespaces.boottime_offset_ns = time_offset(entry);
  lowering.spec.namespaces.time_origin = entry.origin;
}

void set_monotonic_time_offset(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.namespaces.monotonic_offset_ns = time_offset(entry);
  lowering.spec.namespaces.time_origin = entry.origin;
}

void lower_namespaces(Lowering& lowering) {
  choose(lowering);
  const auto& set = lowering.spec.namespaces;
  check_user(lowering);
  check_others(lowering);
  if (!set.net) drop_links(lowering);
  if (!set.pid) drop_reboot(lowering);
}

}  // namespace hutch::config
