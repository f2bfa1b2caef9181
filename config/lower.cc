#include "config/lower.h"

#include <algorithm>

#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/legacy_names.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/lxc_include.h"
#include "config/options.h"
#include "config/raw_keys.h"

namespace hutch::config {

namespace {

constexpr std::uint32_t kDefaultHostId = 100000;
constexpr std::uint32_t kDefaultIdCount = 65536;
// HOST_NAME_MAX of the kernel (uname(2)).
constexpr std::size_t kMaxHostName = 64;

// The option's words and those of lxc.arch.
constexpr Architecture kArchitectures[] = {
    {"aarch64", false, "arm64"},
    {"amd64", false, "amd64"},
    {"arm", true, "armhf"},
    {"arm64", false, "arm64"},
    {"armel", true, "armhf"},
    {"armhf", true, "armhf"},
    {"armv7l", true, "armhf"},
    {"athlon", true, "i386"},
    {"i386", true, "i386"},
    {"i486", true, "i386"},
    {"i586", true, "i386"},
    {"i686", true, "i386"},
    {"linux32", true, "i386"},
    {"linux64", false, "amd64"},
    {"loong64", false},
    {"loongarch64", false},
    {"mips", true},
    {"mips64", false},
    {"mips64el", false},
    {"mipsel", true},
    {"powerpc", true},
    {"powerpc64", false},
    {"ppc", true},
    {"ppc64", false},
    {"ppc64el", false},
    {"ppc64le", false},
    {"riscv32", true, "riscv32"},
    {"riscv64", false, "riscv64"},
    {"s390x", false},
    {"x32", true},
    {"x86", true, "i386"},
    {"x86_64", false, "amd64"},
};

// Options that are set without an effect on the started container. What is honoured elsewhere (guest setup,
// tools) is not listed.
constexpr std::string_view kUnusedOptions[] = {"debug", "startup"};

void report_unused_options(Lowering& lowering) {
  for (const auto& [key, value] : lowering.section.options) {
    const auto* option = find_option(key);
    if (option == nullptr) continue;
    if (std::ranges::find(kUnusedOptions, option->name) == std::end(kUnusedOptions)) continue;
    if (option->type == Option::Type::boolean && value.value == "0") continue;
    lowering.warn(value.origin,
                  formatted("option '{}' is not honoured by this version and has no effect", key));
  }
}

// Interfaces of the old names come after those of the options.
unsigned first_free_interface(const Section& section) {
  const auto keys = section.indexed_keys("net");
  return keys.empty() ? 0 : *option_index(keys.back()) + 1;
}

std::vector<RawEntry> without_replaced(const Section& section, std::vector<RawEntry> entries) {
  if (section.find("rootfs") == nullptr) return entries;
  std::erase_if(entries, [](const RawEntry& entry) {
    return raw_key_info(entry.key).key_class == RawKeyClass::replaced;
  });
  return entries;
}

// Bytes.
GeneratedLimits generated_limits(const Section& section) {
  GeneratedLimits limits;
  limits.memory = std::min(section.unsigned_number("memory").value_or(512), UINT64_MAX >> 20) << 20;
  const double cpus = section.number("cpulimit").value_or(0);
  if (cpus > 0) limits.cpu_quota_us = static_cast<std::uint64_t>(100000 * std::min(cpus, 8192.0));
  return limits;
}

const Located<std::string>& required(const Lowering& lowering, std::string_view key, std::string_view hint) {
  const auto* option = lowering.section.find(key);
  if (option != nullptr) return *option;
  throw Error(formatted("CT {}: option '{}' is missing in the config", lowering.context.vmid, key), 0,
              std::string(hint), {lowering.config.path, 0});
}

void lower_identity(Lowering& lowering) {
  const auto& arch = required(lowering, "arch", "set it, for example: arch: amd64");
  const auto& os_type = required(lowering, "ostype", "set it, for example: ostype: debian, or unmanaged");
  if (!lowering.has_raw("lxc.rootfs.path"))
    required(lowering, "rootfs", "give the container a root file system");

  const auto* architecture = find_architecture(arch.value);
  if (architecture == nullptr) {
    throw Error(formatted("option 'arch': '{}' is no known architecture", arch.value), 0,
                "use amd64 or arm64", arch.origin);
  }
  lowering.os = find_os_type(os_type.value);
  if (lowering.os == nullptr) {
    throw Error(formatted("option 'ostype': '{}' is no known type", os_type.value), 0,
                "use debian, ubuntu and so on, or unmanaged", os_type.origin);
  }
  auto& spec = lowering.spec;
  spec.vmid = lowering.context.vmid;
  spec.config_path = lowering.config.path;
  spec.personality_32bit = architecture->is_32bit;
  spec.hostname = lowering.section.get("hostname").value_or(formatted("CT{}", spec.vmid));
}

void lower_features(Lowering& lowering) {
  if (lowering.section.find("features") == nullptr) return;
  lowering.features = parse_option(lowering.section, "features", parse_features);
}

void lower_id_map(Lowering& lowering) {
  const bool own_map = lowering.has_raw("lxc.idmap");
  lowering.unprivileged = own_map || lowering.section.boolean_or("unprivileged", false);
  if (!lowering.unprivileged || own_map) return;
  const IdRange range{0, kDefaultHostId, kDefaultIdCount, lowering.section.origin_of("unprivileged")};
  lowering.spec.id_map = {.uids = {range}, .gids = {range}};
}

void lower_terminals(Lowering& lowering) {
  auto& spec = lowering.spec;
  spec.pty_max = 1024;
  const auto ttys = lowering.section.unsigned_number("tty").value_or(2);
  if (ttys > UINT32_MAX) {
    throw Error(formatted("option 'tty': {} is too large", ttys), 0, "use 0 to 6",
                lowering.section.origin_of("tty"));
  }
  spec.tty_count = static_cast<std::uint32_t>(ttys);
  if (!lowering.unprivileged) spec.tty_directory = lowering.os->tty_directory;
}

Origin last_origin(const Lowering& lowering, std::string_view raw_key, std::string_view option) {
  for (auto entry = lowering.raw.rbegin(); entry != lowering.raw.rend(); ++entry) {
    if (entry->key == raw_key) return entry->origin;
  }
  return lowering.section.origin_of(option);
}

// A container that was to be unprivileged must not become privileged by an empty or partial map: its /dev and
// its capabilities were chosen for a user namespace.
void check_id_map(const Lowering& lowering) {
  if (!lowering.unprivileged) return;
  const auto& spec = lowering.spec;
  const auto has_root = [](const std::vector<IdRange>& ranges, std::uint32_t init_id) {
    return std::any_of(ranges.begin(), ranges.end(), [init_id](const IdRange& range) {
      return range.inside == 0 || (init_id >= range.inside && init_id - range.inside < range.count);
    });
  };
  const bool uids = has_root(spec.id_map.uids, spec.init.uid);
  if (uids && has_root(spec.id_map.gids, spec.init.gid)) return;
  throw Error(formatted("the id map has no {} for the container's root", uids ? "group id" : "user id"), 0,
              "map id 0 with both a 'u' and a 'g' line, for example: lxc.idmap: u 0 100000 65536",
              last_origin(lowering, "lxc.idmap", "unprivileged"));
}

void check_host_name(const Lowering& lowering) {
  const auto& name = lowering.spec.hostname;
  if (name.size() <= kMaxHostName) return;
  throw Error(formatted("the host name '{}' has more than {} characters", name, kMaxHostName), 0,
              "choose a shorter one", last_origin(lowering, "lxc.uts.name", "hostname"));
}

// "lxc.hook" and everything below it.
bool is_in_family(std::string_view key, std::string_view family) {
  return key.starts_with(family) && (key.size() == family.size() || key[family.size()] == '.');
}

// The raw lines of the keys that `wanted` picks, and no others.
void lower_raw_entries_of(Lowering& lowering, bool (*wanted)(std::string_view key)) {
  lowering.raw = current_entries(lowering.section, lowering.context, lowering.diagnostics);
  std::erase_if(lowering.raw, [wanted](const RawEntry& entry) { return !wanted(entry.key); });
  lower_raw_entries(lowering);
}

}  // namespace

const Architecture* find_architecture(std::string_view name) {
  const auto* found = std::find_if(std::begin(kArchitectures), std::end(kArchitectures),
                                   [name](const auto& row) { return row.name == name; });
  return found == std::end(kArchitectures) ? nullptr : found;
}

Origin default_origin() {
  return {"default", 0};
}

Origin origin_or_default(const Section& section, std::string_view key) {
  const auto* option = section.find(key);
  return option == nullptr ? default_origin() : option->origin;
}

void set_architecture(Lowering& lowering, const RawEntry& entry) {
  const auto* architecture = find_architecture(entry.value);
  if (architecture == nullptr) bad_value(entry, "a known architecture");
  lowering.spec.personality_32bit = architecture->is_32bit;
}

std::vector<RawEntry> expanded_entries(const Section& section, const LoweringContext& context,
                                       Diagnostics* diagnostics) {
  std::vector<RawEntry> entries;
  entries.reserve(section.raw.size());
  for (const auto& entry : section.raw) {
    entries.push_back({entry.key, std::string(without_quotes(entry.value)), entry.origin});
  }
  return expand_includes(std::move(entries), {context.read_file, context.list_directory}, diagnostics);
}

std::vector<RawEntry> current_entries(const Section& section, const LoweringContext& context,
                                      Diagnostics& diagnostics) {
  auto entries = expanded_entries(section, context, &diagnostics);
  const bool includes = std::any_of(section.raw.begin(), section.raw.end(),
                                    [](const RawEntry& entry) { return entry.key == "lxc.include"; });
  if (includes) {
    for (const auto& entry : entries) {
      if (raw_key_info(entry.key).key_class == RawKeyClass::unknown) {
        throw Error(formatted("unknown key '{}'", entry.key), 0, "correct its name, or remove the line",
                    entry.origin);
      }
    }
  }
  entries = without_replaced(section, to_current_names(std::move(entries), first_free_interface(section)));
  return to_cgroup_v2(std::move(entries), generated_limits(section), diagnostics);
}

LoweringResult lower(const ContainerConfig& config, const LoweringContext& context) {
  const Section* section = config.section(context.section);
  if (section == nullptr) {
    throw Error(formatted("CT {}: snapshot '{}' does not exist", context.vmid, context.section), 0, {},
                {config.path, 0});
  }
  Lowering lowering{.config = config, .section = *section, .context = context};
  lowering.raw = current_entries(*section, context, lowering.diagnostics);
  lowering.own_apparmor_profile = lowering.has_raw("lxc.apparmor.profile");
  lowering.own_seccomp_profile = lowering.has_raw("lxc.seccomp.profile");

  lower_identity(lowering);
  lower_features(lowering);
  lower_id_map(lowering);
  lower_volumes(lowering);
  lower_mounts(lowering);
  lower_terminals(lowering);
  lower_links(lowering);
  lower_resources(lowering);
  lower_devices(lowering);
  lower_init(lowering);
  lower_hookscript(lowering);
  lower_security(lowering);
  report_unused_options(lowering);
  lower_raw_entries(lowering);
  finish_networks(lowering);
  lower_environment(lowering);
  lower_fstab(lowering);
  lower_cgroup_paths(lowering);
  lower_namespaces(lowering);

  lowering.spec.unprivileged = lowering.unprivileged;
  check_id_map(lowering);
  check_host_name(lowering);
  return {std::move(lowering.spec), std::move(lowering.diagnostics)};
}

cgroupv2::Resources lower_limits(const ContainerConfig& config, const LoweringContext& context) {
  Lowering lowering{.config = config, .section = config.main, .context = context};
  lower_resources(lowering);
  lower_raw_entries_of(lowering, [](std::string_view key) {
    return is_in_family(key, "lxc.cgroup2") && !is_in_family(key, "lxc.cgroup2.devices");
  });
  return std::move(lowering.spec.resources);
}

HookSettings lower_hooks(const ContainerConfig& config, const LoweringContext& context) {
  Lowering lowering{.config = config, .section = config.main, .context = context};
  lower_raw_entries_of(lowering, [](std::string_view key) { return is_in_family(key, "lxc.hook"); });
  return {lowering.spec.hook_version, std::move(lowering.spec.hooks)};
}

bool lower_ephemeral(const ContainerConfig& config, const LoweringContext& context) {
  Lowering lowering{.config = config, .section = config.main, .context = context};
  lower_raw_entries_of(lowering, [](std::string_view key) { return key == "lxc.ephemeral"; });
  return lowering.spec.ephemeral;
}

std::optional<Origin> unmanaged_rootfs(const ContainerConfig& config, const LoweringContext& context) {
  const auto entries = expanded_entries(config.main, context);
  const auto last = std::find_if(entries.rbegin(), entries.rend(),
                                 [](const RawEntry& entry) { return entry.key == "lxc.rootfs.managed"; });
  // Empty is the default.
  const bool managed = last == entries.rend() || last->value.empty() || c_number(*last) != 0;
  return managed ? std::nullopt : std::optional(last->origin);
}

}  // namespace hutch::config
