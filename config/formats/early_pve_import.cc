#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/cgroup_v1.h"
#include "config/formats/import.h"
#include "config/formats/lxc_options.h"
#include "config/legacy_names.h"
#include "config/lowering.h"
#include "config/lxc_file.h"
#include "config/options.h"
#include "config/percent_encoding.h"
#include "config/property_formats.h"

// The first CT configs (PVE 4.0 beta, 2015): LXC 1.x lines and `pve.*`, in <CTID>/config (lxc-keys 6.2).
namespace hutch::config {

namespace {

constexpr std::uint64_t kMebibyte = 1U << 20;

// One netN while its lines come in.
struct Interface {
  Origin origin;
  NetOption net;
  std::optional<std::uint32_t> index;
  bool is_empty = false;  // `lxc.network.type = empty`: there is no interface
};

// The main section or a snapshot. Limits are spread over several lines.
class SectionReader {
 public:
  SectionReader(Section& section, std::string source, Diagnostics& diagnostics)
      : section_(section), source_(std::move(source)), diagnostics_(diagnostics) {}

  void add(const RawEntry& entry);
  void finish();

 private:
  struct Row {
    std::string_view key;
    void (SectionReader::*apply)(const RawEntry& entry);
  };
  static const Row kRows[];

  void set(std::string_view option, const std::string& value, const RawEntry& entry) {
    auto check = check_file_value(option, value);
    if (!check.ok()) {
      throw Error(formatted("'{}': {}", entry.key, check.reason), 0, "correct the value", entry.origin);
    }
    section_.set(option, std::move(*check.value), entry.origin);
  }
  // Scalars may be given once.
  void check_once(const RawEntry& entry) {
    constexpr std::string_view kLists[] = {
        "lxc.include",    "lxc.mount", "lxc.id_map", "lxc.cgroup.devices.deny", "lxc.cgroup.devices.allow",
        "lxc.mount.entry"};
    if (entry.key.starts_with("lxc.network.") || entry.key.starts_with("pve.network.") ||
        std::find(std::begin(kLists), std::end(kLists), entry.key) != std::end(kLists)) {
      return;
    }
    if (!seen_.insert(entry.key).second) {
      throw Error(formatted("'{}' is given twice", entry.key), 0, "remove one of the lines", entry.origin);
    }
  }

  template <const char* kOption>
  void copy(const RawEntry& entry) {
    set(kOption, entry.value, entry);
  }

  void include(const RawEntry& entry);
  void arch(const RawEntry& entry);
  void list(const RawEntry& entry);
  void comment(const RawEntry& entry) { section_.description = percent_decode(entry.value); }
  void volume(const RawEntry& entry) { volume_ = entry; }
  void disk_size(const RawEntry& entry) { disk_size_ = entry; }
  void memory(const RawEntry& entry) { memory_ = entry; }
  void memory_and_swap(const RawEntry& entry) { memory_and_swap_ = entry; }
  void quota(const RawEntry& entry) { quota_ = entry; }
  void period(const RawEntry& entry) { period_ = entry; }
  void generated(const RawEntry&) {}
  void snapshot_state(const RawEntry& entry) {
    if (entry.value != "prepare" && entry.value != "delete") bad_value(entry, "prepare or delete");
    section_.snapstate = entry.value;
  }

  void interface_line(const RawEntry& entry);
  void interface_setting(Interface& interface, const RawEntry& entry, std::string_view name);
  void host_name_of(Interface& interface, const RawEntry& entry) const;

  void finish_rootfs();
  void finish_memory();
  void finish_cpu();
  void finish_interfaces();

  Section& section_;
  std::string source_;
  Diagnostics& diagnostics_;
  std::set<std::string> seen_;
  std::vector<RawEntry> rest_;
  std::vector<Interface> interfaces_;
  std::optional<RawEntry> volume_, disk_size_, memory_, memory_and_swap_, quota_, period_;
  std::optional<std::uint64_t> ctid_;
};

constexpr char kHostname[] = "hostname";
constexpr char kTty[] = "tty";
constexpr char kOnboot[] = "onboot";
constexpr char kStartup[] = "startup";
constexpr char kLock[] = "lock";
constexpr char kCpuunits[] = "cpuunits";
constexpr char kParent[] = "parent";
constexpr char kSnaptime[] = "snaptime";

const SectionReader::Row SectionReader::kRows[] = {
    {"lxc.arch", &SectionReader::arch},
    {"lxc.cgroup.cpu.cfs_period_us", &SectionReader::period},
    {"lxc.cgroup.cpu.cfs_quota_us", &SectionReader::quota},
    {"lxc.cgroup.cpu.shares", &SectionReader::copy<kCpuunits>},
    {"lxc.cgroup.memory.limit_in_bytes", &SectionReader::memory},
    {"lxc.cgroup.memory.memsw.limit_in_bytes", &SectionReader::memory_and_swap},
    {"lxc.include", &SectionReader::include},
    // Written anew at every start.
    {"lxc.rootfs", &SectionReader::generated},
    {"lxc.tty", &SectionReader::copy<kTty>},
    {"lxc.utsname", &SectionReader::copy<kHostname>},
    {"pve.comment", &SectionReader::comment},
    {"pve.disksize", &SectionReader::disk_size},
    {"pve.lock", &SectionReader::copy<kLock>},
    {"pve.nameserver", &SectionReader::list},
    {"pve.onboot", &SectionReader::copy<kOnboot>},
    {"pve.parent", &SectionReader::copy<kParent>},
    {"pve.searchdomain", &SectionReader::list},
    {"pve.snapcomment", &SectionReader::comment},
    {"pve.snapstate", &SectionReader::snapshot_state},
    {"pve.snaptime", &SectionReader::copy<kSnaptime>},
    {"pve.startup", &SectionReader::copy<kStartup>},
    {"pve.volid", &SectionReader::volume},
};

void SectionReader::add(const RawEntry& entry) {
  check_once(entry);
  if (entry.key.starts_with("lxc.network.") || entry.key.starts_with("pve.network."))
    return interface_line(entry);
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.key == entry.key; });
  if (row != std::end(kRows)) return (this->*row->apply)(entry);
  if (entry.key.starts_with("pve.")) {
    throw Error(formatted("unknown key '{}'", entry.key), 0, "correct its name, or remove the line",
                entry.origin);
  }
  rest_.push_back(entry);
}

void SectionReader::include(const RawEntry& entry) {
  const std::string_view path = entry.value;
  const auto name = path.substr(path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1);
  constexpr std::string_view kEnding = ".common.conf";
  const auto type =
      name.ends_with(kEnding) ? name.substr(0, name.size() - kEnding.size()) : std::string_view();
  if (find_os_type(type) == nullptr) {
    rest_.push_back(entry);
    return;
  }
  set("ostype", std::string(type), entry);
}

void SectionReader::arch(const RawEntry& entry) {
  constexpr std::string_view k32Bit[] = {"i386", "x86", "i686"};
  const bool is_32bit = std::find(std::begin(k32Bit), std::end(k32Bit), entry.value) != std::end(k32Bit);
  if (!is_32bit && entry.value != "x86_64" && entry.value != "amd64")
    bad_value(entry, "one of i386 and amd64");
  set("arch", is_32bit ? "i386" : "amd64", entry);
}

void SectionReader::list(const RawEntry& entry) {
  const std::string_view option = std::string_view(entry.key).substr(4);
  std::vector<std::string> words;
  std::string text = entry.value;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ',' || c == ';'; }, ' ');
  for (const auto word : split_blanks(text)) words.emplace_back(word);
  if (!words.empty()) set(option, join(words, " "), entry);
}

void SectionReader::interface_line(const RawEntry& entry) {
  const auto name = std::string_view(entry.key).substr(12);  // both prefixes have this length
  if (entry.key == "lxc.network.type") {
    if (entry.value != "veth" && entry.value != "empty") bad_value(entry, "veth or empty");
    interfaces_.push_back({.origin = entry.origin, .is_empty = entry.value == "empty"});
    interfaces_.back().net.type = "veth";
    return;
  }
  if (interfaces_.empty()) {
    throw Error(formatted("'{}' before any 'lxc.network.type'", entry.key), 0,
                "begin each interface with its lxc.network.type", entry.origin);
  }
  if (entry.key == "lxc.network.veth.pair") return host_name_of(interfaces_.back(), entry);
  interface_setting(interfaces_.back(), entry, name);
}

void SectionReader::interface_setting(Interface& interface, const RawEntry& entry, std::string_view name) {
  auto& net = interface.net;
  const auto number = [&]() -> std::uint32_t {
    const auto value = parse_unsigned(entry.value);
    if (!value || *value > 65535) bad_value(entry, "a number from 0 to 65535");
    return static_cast<std::uint32_t>(*value);
  };
  struct Text {
    std::string_view key;
    std::string NetOption::*field;
  };
  constexpr Text kTexts[] = {
      {"lxc.network.name", &NetOption::name},     {"lxc.network.hwaddr", &NetOption::hwaddr},
      {"pve.network.bridge", &NetOption::bridge}, {"pve.network.ip", &NetOption::ip},
      {"pve.network.gw", &NetOption::gw},         {"pve.network.ip6", &NetOption::ip6},
      {"pve.network.gw6", &NetOption::gw6}};
  for (const auto& row : kTexts) {
    if (row.key == entry.key) {
      net.*row.field = entry.value;
      return;
    }
  }
  if (entry.key == "lxc.network.mtu") {
    net.mtu = number();
  } else if (entry.key == "pve.network.tag") {
    net.tag = number();
  } else if (entry.key == "pve.network.firewall") {
    net.firewall = number() != 0;
  } else {
    diagnostics_.push_back({Diagnostic::Severity::error,
                            formatted("'{}': net[n] has nothing for '{}'", entry.key, name), entry.origin});
  }
}

// veth<CTID>.<N>
void SectionReader::host_name_of(Interface& interface, const RawEntry& entry) const {
  const std::string_view name = entry.value;
  const auto dot = name.find('.');
  const auto ctid =
      name.starts_with("veth") && dot != name.npos ? parse_unsigned(name.substr(4, dot - 4)) : std::nullopt;
  const auto index = dot == name.npos ? std::nullopt : parse_unsigned(name.substr(dot + 1));
  if (!ctid || !index || *index > 31) bad_value(entry, "of the form veth<CTID>.<0 to 31>");
  for (const auto& other : interfaces_) {
    if (&other != &interface && other.index == *index)
      bad_value(entry, formatted("an index of its own: {} is taken by {}", *index, other.origin.text()));
  }
  interface.index = static_cast<std::uint32_t>(*index);
  // The directory of the file, where the caller knows it, is the container's id.
  const auto slash = source_.rfind('/');
  const auto parent = slash == source_.npos ? std::string_view() : std::string_view(source_).substr(0, slash);
  const auto directory =
      parse_unsigned(parent.substr(parent.rfind('/') == parent.npos ? 0 : parent.rfind('/') + 1));
  if (directory && *directory != *ctid)
    bad_value(entry, formatted("an interface of container {}", *directory));
}

void SectionReader::finish_rootfs() {
  if (!volume_) {
    if (disk_size_) {
      diagnostics_.push_back({Diagnostic::Severity::error,
                              "'pve.disksize': there is no volume (pve.volid) of that size",
                              disk_size_->origin});
    }
    return;
  }
  VolumeOption rootfs;
  rootfs.volume = volume_->value;
  if (disk_size_) {
    const auto gibibytes = parse_double(disk_size_->value);
    if (!gibibytes || *gibibytes < 0 || *gibibytes > 1e9) bad_value(*disk_size_, "a size in GiB");
    rootfs.size = static_cast<std::uint64_t>(std::floor(*gibibytes * 1024)) * kMebibyte;
  }
  set("rootfs", print_rootfs(rootfs), *volume_);
}

std::uint64_t bytes_or_fail(const RawEntry& entry) {
  const auto bytes = v1_bytes(entry);
  if (!bytes) bad_value(entry, "a limit in bytes");
  return *bytes;
}

void SectionReader::finish_memory() {
  const auto memory = memory_ ? bytes_or_fail(*memory_) : std::uint64_t{512} * kMebibyte;
  if (memory_) set("memory", std::to_string(memory / kMebibyte), *memory_);
  if (!memory_and_swap_) return;
  const auto both = bytes_or_fail(*memory_and_swap_);
  if (both < memory)
    bad_value(*memory_and_swap_, formatted("at least the limit of memory alone, {} bytes", memory));
  set("swap", std::to_string((both - memory) / kMebibyte), *memory_and_swap_);
}

void SectionReader::finish_cpu() {
  if (!section_.has("cpuunits")) section_.set("cpuunits", "1024", default_origin());
  // -1: no limit.
  if (!quota_ || quota_->value == "-1") {
    section_.set("cpulimit", "0", quota_ ? quota_->origin : default_origin());
    return;
  }
  const auto quota = parse_unsigned(quota_->value);
  const auto period = period_ ? parse_unsigned(period_->value) : std::uint64_t{100000};
  if (!quota) bad_value(*quota_, "a number of microseconds");
  if (!period || *period == 0) bad_value(*period_, "a number of microseconds");
  set("cpulimit", formatted("{:.6g}", static_cast<double>(*quota) / static_cast<double>(*period)), *quota_);
}

void SectionReader::finish_interfaces() {
  for (auto& interface : interfaces_) {
    if (interface.is_empty) continue;
    if (!interface.index) {
      throw Error("an interface without 'lxc.network.veth.pair'", 0,
                  "the line 'lxc.network.veth.pair = veth<CTID>.<N>' says which net<N> it is",
                  interface.origin);
    }
    if (interface.net.name.empty()) interface.net.name = formatted("eth{}", *interface.index);
    const RawEntry entry{"lxc.network.type", "veth", interface.origin};
    set(formatted("net{}", *interface.index), print_net(interface.net), entry);
  }
}

void SectionReader::finish() {
  finish_rootfs();
  finish_memory();
  finish_cpu();
  finish_interfaces();
  check_keys(rest_);
  auto current = to_current_names(rest_, 0, &diagnostics_);
  for (auto& entry : to_cgroup_v2(std::move(current), {}, diagnostics_)) {
    entry.value = quoted_value(entry.value);
    section_.raw.push_back(std::move(entry));
  }
}

// The entries of every section, by snapshot name; "" is the main one.
class Sections {
 public:
  explicit Sections(std::vector<RawEntry> entries) {
    for (auto& entry : entries) {
      const bool in_snapshot = entry.key.starts_with("snap.");
      if (in_snapshot) entry.key.erase(0, 5);
      if (entry.key == "pve.snapname") {
        open(entry);
      } else {
        if (in_snapshot && name_.empty()) {
          throw Error(formatted("'snap.{}' before any 'pve.snapname'", entry.key), 0,
                      "begin each snapshot with its pve.snapname", entry.origin);
        }
        sections_[in_snapshot ? name_ : std::string()].push_back(std::move(entry));
      }
    }
  }
  const std::map<std::string, std::vector<RawEntry>>& all() const { return sections_; }

 private:
  void open(const RawEntry& entry) {
    // "pve:pending" would be none, either.
    if (const auto check = check_file_value("parent", entry.value); entry.value.empty() || !check.ok()) {
      throw Error(formatted("'{}': '{}' is no name of a snapshot", entry.key, entry.value), 0,
                  "correct the name", entry.origin);
    }
    name_ = entry.value;
    if (!sections_.try_emplace(name_).second) {
      throw Error(formatted("a second snapshot '{}'", name_), 0, "remove one of them", entry.origin);
    }
  }

  std::map<std::string, std::vector<RawEntry>> sections_{{"", {}}};
  std::string name_;
};

std::vector<RawEntry> all_entries(std::string_view text, const std::string& source, Imported& imported) {
  std::vector<RawEntry> entries;
  for (const auto& line : lxc_lines(text)) {
    const Origin origin{source, line.number};
    if (line.text.front() == '#') {
      imported.config.main.description += std::string(line.text.substr(1)) + "\n";
      continue;
    }
    const auto pair = split_lxc_line(line.text);
    if (!pair || pair->key.find('.') == std::string_view::npos) {
      throw Error(formatted("'{}' is not of the form <key> = <value>", trim(line.text)), 0,
                  "correct or remove the line", origin);
    }
    entries.push_back({std::string(pair->key), std::string(pair->value), origin});
  }
  return entries;
}

}  // namespace

Imported import_early_pve(std::string_view text, const std::string& source, std::uint32_t vmid) {
  Imported imported;
  imported.config.vmid = vmid;
  imported.config.path = source;
  const Sections sections(all_entries(text, source, imported));
  for (const auto& [name, entries] : sections.all()) {
    auto& section = name.empty() ? imported.config.main : imported.config.snapshots[name];
    SectionReader reader(section, source, imported.diagnostics);
    for (const auto& entry : entries) reader.add(entry);
    reader.finish();
    if (!section.has("ostype")) section.set("ostype", "unmanaged", default_origin());
    if (!section.has("arch")) section.set("arch", "amd64", default_origin());
  }
  return imported;
}

}  // namespace hutch::config
