#include "runtime/validate.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "runtime/id_map.h"
#include "runtime/link_plan.h"

namespace hutch {

namespace {

constexpr std::size_t kHostnameLimit = 64;    // HOST_NAME_MAX, sethostname(2)
constexpr std::size_t kIdMapLineLimit = 340;  // user_namespaces(7)

[[noreturn]] void refuse(const Origin& origin, std::string what, std::string hint) {
  throw Error(std::move(what), 0, std::move(hint), origin);
}

// One side of two ranges: do they share an id?
bool overlap(std::uint32_t first, std::uint32_t first_count, std::uint32_t second,
             std::uint32_t second_count) {
  return std::uint64_t{first} < std::uint64_t{second} + second_count &&
         std::uint64_t{second} < std::uint64_t{first} + first_count;
}

void check_ranges(const std::vector<IdRange>& ranges, const char* kind) {
  if (ranges.size() > kIdMapLineLimit) {
    refuse(ranges.front().origin, formatted("more than {} {} ranges in the id map", kIdMapLineLimit, kind),
           "join neighbouring ranges");
  }
  for (auto range = ranges.begin(); range != ranges.end(); ++range) {
    if (range->count == 0)
      refuse(range->origin, formatted("an empty {} range in the id map", kind), "use a count of at least 1");
    const std::uint64_t end = std::uint64_t{1} << 32;
    if (std::uint64_t{range->inside} + range->count >= end ||
        std::uint64_t{range->host} + range->count >= end) {
      refuse(range->origin, formatted("a {} range of the id map goes beyond the largest id", kind),
             "use a smaller count");
    }
    for (auto other = ranges.begin(); other != range; ++other) {
      if (overlap(range->inside, range->count, other->inside, other->count) ||
          overlap(range->host, range->count, other->host, other->count)) {
        refuse(
            range->origin,
            formatted("two {} ranges of the id map overlap (the other one: {})", kind, other->origin.text()),
            "every id may be mapped once on either side");
      }
    }
  }
}

void check_id_map(const ContainerSpec& spec) {
  if (spec.id_map.empty()) return;
  check_ranges(spec.id_map.uids, "user");
  check_ranges(spec.id_map.gids, "group");
  const Origin& origin =
      spec.id_map.uids.empty() ? spec.id_map.gids.front().origin : spec.id_map.uids.front().origin;
  if (!spec.id_map.host_uid(spec.root_uid()) || !spec.id_map.host_gid(spec.root_gid())) {
    refuse(origin, "the id map does not map the container's root (user 0 and group 0, or else init's)",
           "add a range that starts at 0 for both u and g");
  }
  if (!spec.id_map.host_uid(spec.init.uid) || !spec.id_map.host_gid(spec.init.gid)) {
    refuse(spec.init.origin,
           formatted("init is to run as {}:{}, which the id map does not map", spec.init.uid, spec.init.gid),
           "map these ids or choose others");
  }
}

void check_links(const ContainerSpec& spec, const HostFacts& facts) {
  for (const auto& link : spec.links) check_link(link, facts);
}

void check_link_names(const ContainerSpec& spec) {
  for (auto link = spec.links.begin(); link != spec.links.end(); ++link) {
    if (link->kind == LinkSpec::Kind::empty) continue;
    if (link->name == "lo") {
      refuse(link->origin, formatted("net{}: 'lo' is the name of the container's loopback", link->index),
             "choose another name");
    }
    for (auto other = spec.links.begin(); other != link; ++other) {
      if (other->name == link->name) {
        refuse(link->origin,
               formatted("net{} and net{} are both named '{}'", other->index, link->index, link->name),
               "give every interface its own name");
      }
    }
  }
}

// Two loop devices of one file know nothing of each other's writes.
void check_images(const ContainerSpec& spec) {
  std::vector<const VolumeSpec*> images;
  const auto check = [&images](const VolumeSpec& volume) {
    if (volume.kind != VolumeSpec::Kind::image) return;
    for (const auto* other : images) {
      if (other->source != volume.source || (other->read_only && volume.read_only)) continue;
      refuse(volume.origin,
             formatted("{} and {} are both the image '{}', which would be damaged", other->key, volume.key,
                       volume.source),
             "use another volume, or mount both read-only");
    }
    images.push_back(&volume);
  };
  check(spec.rootfs);
  for (const auto& volume : spec.mount_points) check(volume);
}

bool escapes(std::string_view path) {
  const auto parts = split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

void check_mounts(const ContainerSpec& spec) {
  for (const auto& volume : spec.mount_points) {
    if (volume.target.empty() || volume.target.front() != '/' || volume.target == "/" ||
        escapes(volume.target)) {
      refuse(volume.origin,
             formatted("{}: '{}' is not a mount path inside the container", volume.key, volume.target),
             "use an absolute path below /, without '..'");
    }
  }
  for (const auto& mount : spec.mounts) {
    if (escapes(mount.target)) {
      refuse(mount.origin, formatted("the mount target '{}' leaves the container", mount.target),
             "use a path without '..'");
    }
    if (!mount.id_map_path.empty() && !mount.bind) {
      refuse(mount.origin, "idmap= needs a bind mount", "remove the option");
    }
    if (mount.id_mapped && (!mount.bind || spec.id_map.empty())) {
      refuse(mount.origin, "idmap= needs a bind mount in a container with an id map", "remove the option");
    }
  }
}

void check_devices(const ContainerSpec& spec) {
  for (const auto& device : spec.passed_devices) {
    if (!spec.autodev) {
      refuse(device.origin,
             formatted("{}: a container without a /dev of its own gets no devices", device.key),
             "remove lxc.autodev or the device");
    }
    if (!device.path.starts_with("/dev/") || escapes(device.path)) {
      refuse(device.origin, formatted("{}: '{}' is not a path below /dev", device.key, device.path),
             "use a path such as /dev/ttyUSB0");
    }
    if (!spec.id_map.host_uid(device.uid) || !spec.id_map.host_gid(device.gid)) {
      refuse(device.origin,
             formatted("{}: the id map does not map {}:{}", device.key, device.uid, device.gid),
             "choose an owner that exists inside");
    }
  }
}

// Maps that cannot be are refused before anything is made.
void check_disk_ids(const ContainerSpec& spec) {
  disk_id_map(spec.id_map, spec.rootfs);
  for (const auto& volume : spec.mount_points) disk_id_map(spec.id_map, volume);
}

void check_apparmor(const ContainerSpec& spec, const HostFacts& facts) {
  const auto& profile = spec.apparmor.profile;
  const bool none = profile == "generated" || profile == "unconfined" || profile == "unchanged";
  if (!facts.apparmor && !none) {
    refuse(
        spec.apparmor.origin,
        formatted("the AppArmor profile '{}' cannot be used: this kernel does not enforce AppArmor", profile),
        "remove lxc.apparmor.profile or enable AppArmor");
  }
  if (facts.apparmor && !facts.apparmor->mount_mediation && profile != "unconfined" &&
      !spec.apparmor.allow_incomplete) {
    refuse(spec.apparmor.origin, "this kernel's AppArmor cannot mediate mounts",
           "set lxc.apparmor.allow_incomplete: 1 to start all the same");
  }
}

void check_selinux(const ContainerSpec& spec, const HostFacts& facts) {
  const auto& selinux = spec.selinux;
  if ((selinux.context.empty() && selinux.keyring_context.empty()) || facts.selinux) return;
  refuse(selinux.origin, "the SELinux context cannot be used: this host does not run SELinux",
         "remove lxc.selinux.context, set it to unconfined_t, or enable SELinux");
}

// A pty needs three of the slots that a start has (kMaxSlots), beside those of the mounts, and its descriptor
// goes to the supervisor.
constexpr std::uint32_t kMaxTerminals = 40;
// NR_UNIX98_PTY_MAX, the largest `max` of devpts.
constexpr std::uint32_t kMaxPtys = 1U << 20;

}  // namespace

void refuse_terminals(const ContainerSpec& spec) {
  if (spec.tty_count > kMaxTerminals) {
    refuse({}, formatted("a container cannot have {} terminals", spec.tty_count),
           formatted("lower lxc.tty.max (or the option tty) to {} at most", kMaxTerminals));
  }
  if (spec.pty_max > kMaxPtys - spec.tty_count) {
    refuse({}, formatted("a container cannot have {} ptys", spec.pty_max),
           formatted("lower lxc.pty.max: the kernel allows {}, with the terminals", kMaxPtys));
  }
}

void refuse_clashes(const ContainerSpec& spec) {
  check_link_names(spec);
  check_images(spec);
}

void validate(const ContainerSpec& spec, const HostFacts& facts) {
  if (spec.hostname.size() > kHostnameLimit) {
    refuse({}, formatted("the host name '{}' is longer than {} bytes", spec.hostname, kHostnameLimit),
           "use a shorter one");
  }
  if (spec.init.argv.empty())
    refuse(spec.init.origin, "no program is named as init", "set lxc.init.cmd or remove it");
  check_id_map(spec);
  check_links(spec, facts);
  refuse_clashes(spec);
  check_mounts(spec);
  check_devices(spec);
  check_disk_ids(spec);
  check_apparmor(spec, facts);
  check_selinux(spec, facts);
  refuse_terminals(spec);
}

}  // namespace hutch
