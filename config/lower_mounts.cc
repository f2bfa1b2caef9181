#include <linux/mount.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/lowering.h"

// Extra mounts (fstab lines) and the automatic ones (lxc-mounts-and-devices 1 and 2).
namespace hutch::config {

namespace {

// Words that set and clear attributes. The atime group is one field: setting one clears the others.
struct AttributeWord {
  std::string_view word;
  std::uint64_t set;
  std::uint64_t clear;
};
constexpr AttributeWord kAttributeWords[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
    {"nostrictatime", 0, MOUNT_ATTR__ATIME},
    {"norelatime", 0, MOUNT_ATTR__ATIME},
};

struct PropagationWord {
  std::string_view word;
  MountSpec::Propagation propagation;
  bool recursive;
};
constexpr PropagationWord kPropagationWords[] = {
    {"shared", MountSpec::Propagation::shared, false},
    {"rshared", MountSpec::Propagation::shared, true},
    {"slave", MountSpec::Propagation::slave, false},
    {"rslave", MountSpec::Propagation::slave, true},
    {"private", MountSpec::Propagation::private_, false},
    {"rprivate", MountSpec::Propagation::private_, true},
    {"unbindable", MountSpec::Propagation::unbindable, false},
    {"runbindable", MountSpec::Propagation::unbindable, true},
};

// The rest of LXC's own words.
struct FlagWord {
  std::string_view word;
  void (*apply)(MountSpec& mount);
};
constexpr FlagWord kFlagWords[] = {
    {"bind", [](MountSpec& mount) { mount.bind = true; }},
    {"rbind", [](MountSpec& mount) { mount.bind = mount.recursive = true; }},
    {"optional", [](MountSpec& mount) { mount.optional = true; }},
    {"relative", [](MountSpec& mount) { mount.source_in_root = true; }},
    {"create=dir", [](MountSpec& mount) { mount.create = MountSpec::Create::directory; }},
    {"create=file", [](MountSpec& mount) { mount.create = MountSpec::Create::file; }},
    {"idmap=container", [](MountSpec& mount) { mount.id_mapped = true; }},
    {"move", [](MountSpec& mount) { mount.bind = mount.recursive = mount.move = true; }},
};

// Understood by fstab(5) and without effect on these mounts.
constexpr std::string_view kIgnoredWords[] = {"defaults", "async", "sync",   "dirsync",
                                              "lazytime", "mand",  "nomand", "remount"};

template <typename Table>
auto find_word(const Table& table, std::string_view word) {
  return std::find_if(std::begin(table), std::end(table),
                      [word](const auto& row) { return row.word == word; });
}

template <typename Table>
bool contains(const Table& table, std::string_view word) {
  return std::find(std::begin(table), std::end(table), word) != std::end(table);
}

// One line's worth of context for messages.
class EntryParser {
 public:
  EntryParser(Lowering& lowering, std::string_view line, const Origin& origin)
      : lowering_(lowering), line_(line), origin_(origin) {}

  MountSpec parse_options(std::string_view options) {
    mount_.origin = origin_;
    for (const auto word : split(options, ',')) add_option(word);
    return std::move(mount_);
  }

  MountSpec parse() {
    const auto fields = split_blanks(line_);
    if (fields.size() < 3 || fields.size() > 6) fail("not of the form 'source target type options'");
    mount_.origin = origin_;
    mount_.source = decode_field(fields[0]);
    mount_.type = decode_field(fields[2]);
    if (fields.size() > 3) {
      for (const auto word : split(fields[3], ',')) add_option(word);
    }
    mount_.target = target(decode_field(fields[1]));
    check();
    return std::move(mount_);
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(formatted("mount entry '{}': {}", line_, reason), 0, {}, origin_);
  }

  // getmntent(3): blanks in fields are written as octal escapes.
  static std::string decode_field(std::string_view field) {
    std::string text;
    for (std::size_t i = 0; i < field.size(); ++i) {
      const auto code = field.substr(i, 4);
      if (code == "\\040" || code == "\\011" || code == "\\012" || code == "\\134") {
        text += static_cast<char>(*parse_octal(code.substr(1)));
        i += 3;
      } else {
        text += field[i];
      }
    }
    return text;
  }

  void add_option(std::string_view word) {
    if (word.empty() || contains(kIgnoredWords, word)) return;
    if (const auto* row = find_word(kFlagWords, word); row != std::end(kFlagWords)) {
      row->apply(mount_);
    } else if (const auto* attribute = find_word(kAttributeWords, word);
               attribute != std::end(kAttributeWords)) {
      // The last word wins.
      mount_.attributes_set = (mount_.attributes_set & ~attribute->clear) | attribute->set;
      mount_.attributes_clear = (mount_.attributes_clear & ~attribute->set) | attribute->clear;
    } else if (const auto* way = find_word(kPropagationWords, word); way != std::end(kPropagationWords)) {
      mount_.propagation = way->propagation;
      mount_.propagation_recursive = way->recursive;
    } else if (word.starts_with("idmap=/")) {
      mount_.id_map_path = word.substr(std::string_view("idmap=").size());
    } else if (word.starts_with("idmap=") || word.starts_with("create=")) {
      fail(formatted("'{}' is not one of idmap=container, idmap=<path>, create=dir, create=file", word));
    } else {
      const auto equals = word.find('=');
      const auto value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
      mount_.fs_options.emplace_back(word.substr(0, equals), value);
    }
  }

  // What follows the rootfs in a path as the host sees it.
  std::optional<std::string_view> below_rootfs(std::string_view path) const {
    std::vector<std::string> roots = {formatted("/var/lib/lxc/{}/rootfs/", lowering_.context.vmid)};
    const auto& spec = lowering_.spec;
    if (spec.rootfs.source.starts_with('/')) roots.push_back(spec.rootfs.source + "/");
    if (!spec.rootfs_mount.empty()) roots.push_back(spec.rootfs_mount + "/");
    for (const auto& root : roots) {
      if (const auto at = path.find(root); at != path.npos) return path.substr(at + root.size());
    }
    return std::nullopt;
  }

  // Relative to the container's root. An absolute target names a place below the rootfs as the host sees it;
  // LXC drops any other absolute target, here it is taken from the container's root.
  std::string target(const std::string& field) {
    std::string_view path = field;
    if (const auto below = below_rootfs(path)) {
      path = *below;
    } else if (path.starts_with('/')) {
      lowering_.warn(
          origin_,
          formatted("mount entry '{}': the target is taken relative to the container's root", line_));
    }
    std::string relative;
    for (const auto part : split(path, '/')) {
      if (part.empty() || part == ".") continue;
      if (part == "..") fail("the target contains '..'");
      if (!relative.empty()) relative += '/';
      relative += part;
    }
    if (relative.empty()) fail("the target is the container's root");
    return relative;
  }

  void check() {
    if (mount_.bind) {
      // A bind takes no options of a file system; the kernel ignores them (mount(2)).
      mount_.fs_options.clear();
      // The source's own read-only, nosuid and noexec stay, whatever the entry says; only `dev` counts.
      constexpr std::uint64_t kKept = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
      mount_.attributes_clear &= ~kKept;
      // A move of the host's own mounts would be seen in this namespace only: a copy is the same.
      if (!mount_.source_in_root) mount_.move = false;
    } else {
      if (mount_.id_mapped || !mount_.id_map_path.empty()) fail("idmap= needs bind or rbind");
      if (mount_.type == "none") fail("neither a bind nor a file system type");
      // A new mount has nothing to clear.
      mount_.attributes_clear = 0;
    }
    if (mount_.source_in_root && (mount_.id_mapped || !mount_.id_map_path.empty()))
      fail("idmap= cannot be used with a source in the container");
    if (mount_.source_in_root || !mount_.source.starts_with('/')) {
      for (const auto part : split(mount_.source, '/')) {
        if (part == "..") fail("the source contains '..'");
      }
    }
  }

  Lowering& lowering_;
  std::string_view line_;
  const Origin& origin_;
  MountSpec mount_;
};

// Each token replaces its own category only.
struct AutoToken {
  std::string_view word;
  void (*apply)(ContainerSpec& spec);
};
constexpr AutoToken kAutoTokens[] = {
    {"proc", [](ContainerSpec& spec) { spec.proc = ProcMount::mixed; }},
    {"proc:mixed", [](ContainerSpec& spec) { spec.proc = ProcMount::mixed; }},
    {"proc:rw", [](ContainerSpec& spec) { spec.proc = ProcMount::read_write; }},
    {"sys", [](ContainerSpec& spec) { spec.sys = SysMount::mixed; }},
    {"sys:mixed", [](ContainerSpec& spec) { spec.sys = SysMount::mixed; }},
    {"sys:ro", [](ContainerSpec& spec) { spec.sys = SysMount::read_only; }},
    {"sys:rw", [](ContainerSpec& spec) { spec.sys = SysMount::read_write; }},
    // On cgroup v2 all forms but the read-only ones come to the same.
    // (LXC decides by CAP_SYS_ADMIN between rw and mixed here, which are the same.)
    {"cgroup", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup:mixed", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup:rw", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup:ro", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_only; }},
    {"cgroup-full", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup-full:mixed", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup-full:rw", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup-full:ro", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_only; }},
    {"cgroup2", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_write; }},
    {"cgroup2:ro", [](ContainerSpec& spec) { spec.cgroup = CgroupMount::read_only; }},
};

}  // namespace

void add_mount_entry(Lowering& lowering, std::string_view line, const Origin& origin) {
  lowering.spec.mounts.push_back(EntryParser(lowering, line, origin).parse());
}

MountSpec parse_mount_options(Lowering& lowering, std::string_view options, const Origin& origin) {
  return EntryParser(lowering, options, origin).parse_options(options);
}

void lower_mounts(Lowering& lowering) {
  const auto& section = lowering.section;
  auto& spec = lowering.spec;
  spec.proc = ProcMount::mixed;
  spec.cgroup = CgroupMount::read_write;
  const bool writable_sys = lowering.unprivileged && lowering.features.force_rw_sys.value_or(false);
  spec.sys = writable_sys ? SysMount::read_write : SysMount::mixed;

  if (!lowering.unprivileged) {
    add_mount_entry(lowering, "/sys/fs/fuse/connections sys/fs/fuse/connections none bind,optional 0 0",
                    default_origin());
  }
  if (!lowering.os->mounts.empty()) {
    for (const auto line : split(lowering.os->mounts, '\n')) {
      add_mount_entry(lowering, line, section.origin_of("ostype"));
    }
  }
  if (lowering.features.fuse.value_or(false)) {
    add_mount_entry(lowering, "/dev/fuse dev/fuse none bind,create=file 0 0", section.origin_of("features"));
  }
  // An application that is its own init does not mount /dev/shm as a service manager would.
  const auto* entry_point = section.find("entrypoint");
  if (entry_point != nullptr && entry_point->value != "/sbin/init") {
    add_mount_entry(lowering, "shm dev/shm tmpfs rw,nosuid,nodev,create=dir 0 0", entry_point->origin);
  }
}

void set_mount_entry(Lowering& lowering, const RawEntry& entry) {
  if (entry.value.empty()) {
    lowering.spec.mounts.clear();
  } else if (!entry.value.starts_with('#')) {
    add_mount_entry(lowering, entry.value, entry.origin);
  }
}

void lower_fstab(Lowering& lowering) {
  const auto& entry = lowering.fstab;
  if (entry.value.empty()) return;
  if (!lowering.context.read_file) bad_value(entry, "readable here");
  std::string text;
  try {
    text = lowering.context.read_file(entry.value);
  } catch (const Error& error) {
    throw error.with_context(entry.key).with_origin(entry.origin);
  }
  auto entries = std::exchange(lowering.spec.mounts, {});
  Origin origin{entry.value, 0};
  for (const auto line : split(text, '\n')) {
    ++origin.line;
    if (const auto content = trim(line); !content.empty() && content.front() != '#') {
      add_mount_entry(lowering, content, origin);
    }
  }
  std::move(entries.begin(), entries.end(), std::back_inserter(lowering.spec.mounts));
}

namespace {

// shmounts:HOSTPATH[:CONTPATH]: what the host mounts below HOSTPATH later arrives in the container.
void add_shared_mounts(Lowering& lowering, const RawEntry& entry, std::string_view token) {
  const auto parts = split(token, ':');
  if (parts.size() < 2 || parts.size() > 3 || !parts[1].starts_with('/')) {
    bad_value(entry, "of the form shmounts:<host path>[:<path in the container>]");
  }
  const std::string_view inside = parts.size() == 3 ? parts[2] : "/dev/.lxc-mounts";
  MountSpec mount;
  mount.source = parts[1];
  mount.target = inside.substr(std::min(inside.find_first_not_of('/'), inside.size()));
  if (mount.target.empty()) bad_value(entry, "a path below the container's root");
  mount.type = "none";
  mount.bind = mount.receives_mounts = true;
  mount.create = MountSpec::Create::directory;
  mount.origin = entry.origin;
  lowering.spec.mounts.push_back(std::move(mount));
}

}  // namespace

void set_mount_auto(Lowering& lowering, const RawEntry& entry) {
  auto& spec = lowering.spec;
  if (entry.value.empty()) {
    spec.proc = ProcMount::none;
    spec.sys = SysMount::none;
    spec.cgroup = CgroupMount::none;
    return;
  }
  for (auto token : split_blanks(entry.value)) {
    // "even if init could mount it itself", which the runtime does anyway.
    if (token.starts_with("cgroup") && token.ends_with(":force")) token.remove_suffix(6);
    if (token == "shmounts" || token.starts_with("shmounts:")) {
      add_shared_mounts(lowering, entry, token);
      continue;
    }
    const auto* row = find_word(kAutoTokens, token);
    if (row == std::end(kAutoTokens)) {
      throw Error(formatted("'{}': unknown mount '{}'", entry.key, token), 0,
                  "use words such as proc:mixed, sys:ro, cgroup:rw", entry.origin);
    }
    row->apply(spec);
  }
}

}  // namespace hutch::config
