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
  bool is_empty = false;     // `lxc.network.type = empty`: there is no interface
  bool is_untagged = false;  // its tag cannot be used: it must not be in a network that it was kept out of
  bool is_lost = false;      // its type cannot be used
};

// The main section or a snapshot. Limits are spread over several lines.
class SectionReader {
 public:
  SectionReader(Section& section, std::string source, Imported& imported)
      : section_(section), source_(std::move(source)), imported_(imported) {}

  void add(const RawEntry& entry);
  void finish();

 private:
  struct Row {
    std::string_view key;
    void (SectionReader::*apply)(const RawEntry& entry);
    bool is_list = false;
  };
  static const Row kRows[];

  void lose(const RawEntry& entry, std::string message) {
    lose_line(imported_, entry.key, entry.origin, std::move(message));
  }
  void lose_value(const RawEntry& entry, std::string_view expects) {
    lose(entry, formatted("'{}': '{}' is not {}", entry.key, entry.value, expects));
  }
  void set(std::string_view option, const std::string& value, const RawEntry& entry) {
    auto check = check_file_value(option, value);
    if (!check.ok()) return lose(entry, formatted("'{}': {}", entry.key, check.reason));
    section_.set(option, std::move(*check.value), entry.origin);
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
    if (entry.value != "prepare" && entry.value != "delete") return lose_value(entry, "prepare or delete");
    section_.snapstate = entry.value;
  }

  void interface_line(const RawEntry& entry);
  void interface_setting(Interface& interface, const RawEntry& entry, std::string_view name);
  void host_name_of(Interface& interface, const RawEntry& entry);

  std::optional<std::uint64_t> bytes_of(const RawEntry& entry);
  void finish_rootfs();
  void finish_memory();
  void finish_cpu();
  void finish_interfaces();

  Section& section_;
  std::string source_;
  Imported& imported_;
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
    {"lxc.include", &SectionReader::include, true},
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
  if (entry.key.starts_with("lxc.network.") || entry.key.starts_with("pve.network."))
    return interface_line(entry);
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.key == entry.key; });
  if (row == std::end(kRows)) {
    rest_.push_back(entry);
  } else if (row->is_list || seen_.insert(entry.key).second) {
    (this->*row->apply)(entry);
  } else {
    lose(entry, formatted("'{}' is given twice; the first line counts", entry.key));
  }
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
    return lose_value(entry, "one of i386 and amd64");
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
    interfaces_.push_back({.origin = entry.origin, .is_empty = entry.value == "empty"});
    interfaces_.back().net.type = "veth";
    interfaces_.back().is_lost = entry.value != "veth" && entry.value != "empty";
    if (interfaces_.back().is_lost) lose_value(entry, "veth or empty");
    return;
  }
  if (interfaces_.empty())
    return lose(entry, formatted("'{}' stands before any 'lxc.network.type'", entry.key));
  if (interfaces_.back().is_lost)
    return lose(entry, formatted("'{}' belongs to an interface that is not carried over", entry.key));
  if (entry.key == "lxc.network.veth.pair") return host_name_of(interfaces_.back(), entry);
  interface_setting(interfaces_.back(), entry, name);
}

void SectionReader::interface_setting(Interface& interface, const RawEntry& entry, std::string_view name) {
  // With the bad one of its settings the interface would be lost.
  NetOption net = interface.net;
  const auto number = parse_unsigned(entry.value);
  const bool is_number = number && *number <= 65535;
  const auto small = is_number ? static_cast<std::uint32_t>(*number) : 0U;
  struct Text {
    std::string_view key;
    std::string NetOption::*field;
  };
  constexpr Text kTexts[] = {
      {"lxc.network.name", &NetOption::name},     {"lxc.network.hwaddr", &NetOption::hwaddr},
      {"pve.network.bridge", &NetOption::bridge}, {"pve.network.ip", &NetOption::ip},
      {"pve.network.gw", &NetOption::gw},         {"pve.network.ip6", &NetOption::ip6},
      {"pve.network.gw6", &NetOption::gw6}};
  const auto* text = std::find_if(std::begin(kTexts), std::end(kTexts),
                                  [&entry](const Text& row) { return row.key == entry.key; });
  const bool is_text = text != std::end(kTexts);
  if (!is_text && entry.key != "lxc.network.mtu" && entry.key != "pve.network.tag" &&
      entry.key != "pve.network.firewall") {
    return lose(entry, formatted("'{}': net[n] has nothing for '{}'", entry.key, name));
  }
  if (!is_text && !is_number) {
    interface.is_untagged = interface.is_untagged || entry.key == "pve.network.tag";
    return lose_value(entry, "a number from 0 to 65535");
  }
  if (is_text) net.*text->field = entry.value;
  if (entry.key == "lxc.network.mtu") net.mtu = small;
  if (entry.key == "pve.network.tag") net.tag = small;
  if (entry.key == "pve.network.firewall") net.firewall = small != 0;
  if (const auto reason = net_complaint(net)) {
    interface.is_untagged = interface.is_untagged || entry.key == "pve.network.tag";
    return lose(entry, formatted("'{}': {}", entry.key, *reason));
  }
  interface.net = std::move(net);
}

// veth<CTID>.<N>
void SectionReader::host_name_of(Interface& interface, const RawEntry& entry) {
  const std::string_view name = entry.value;
  const auto dot = name.find('.');
  const auto ctid =
      name.starts_with("veth") && dot != name.npos ? parse_unsigned(name.substr(4, dot - 4)) : std::nullopt;
  const auto index = dot == name.npos ? std::nullopt : parse_unsigned(name.substr(dot + 1));
  if (!ctid || !index || *index > 31) return lose_value(entry, "of the form veth<CTID>.<0 to 31>");
  for (const auto& other : interfaces_) {
    if (&other == &interface || other.index != *index) continue;
    return lose_value(entry,
                      formatted("an index of its own: {} is taken by {}", *index, other.origin.text()));
  }
  // The directory of the file, where the caller knows it, is the container's id.
  const auto slash = source_.rfind('/');
  const auto parent = slash == source_.npos ? std::string_view() : std::string_view(source_).substr(0, slash);
  const auto directory =
      parse_unsigned(parent.substr(parent.rfind('/') == parent.npos ? 0 : parent.rfind('/') + 1));
  if (directory && *directory != *ctid)
    return lose_value(entry, formatted("an interface of container {}", *directory));
  interface.index = static_cast<std::uint32_t>(*index);
}

void SectionReader::finish_rootfs() {
  if (!volume_) {
    if (disk_size_) {
      lose(*disk_size_, "'pve.disksize': there is no volume (pve.volid) of that size");
    }
    return;
  }
  VolumeOption rootfs;
  rootfs.volume = volume_->value;
  if (disk_size_) {
    const auto gibibytes = parse_double(disk_size_->value);
    if (gibibytes && *gibibytes >= 0 && *gibibytes <= 1e9) {
      rootfs.size = static_cast<std::uint64_t>(std::floor(*gibibytes * 1024)) * kMebibyte;
    } else {
      lose_value(*disk_size_, "a size in GiB");
    }
  }
  set("rootfs", print_rootfs(rootfs), *volume_);
}

// Nothing after telling why.
std::optional<std::uint64_t> SectionReader::bytes_of(const RawEntry& entry) {
  try {
    if (const auto bytes = v1_bytes(entry)) return bytes;
    lose_value(entry, "a limit in bytes");
  } catch (const Error& error) {
    lose(entry, reason_of(error));
  }
  return std::nullopt;
}

void SectionReader::finish_memory() {
  const auto memory = memory_ ? bytes_of(*memory_) : std::uint64_t{512} * kMebibyte;
  if (memory_ && memory) set("memory", std::to_string(*memory / kMebibyte), *memory_);
  const auto both = memory_and_swap_ ? bytes_of(*memory_and_swap_) : std::nullopt;
  if (!both) return;
  if (!memory) {
    lose(*memory_and_swap_, formatted("'{}' needs the limit of memory alone", memory_and_swap_->key));
  } else if (*both < *memory) {
    lose_value(*memory_and_swap_, formatted("at least the limit of memory alone, {} bytes", *memory));
  } else {
    set("swap", std::to_string((*both - *memory) / kMebibyte), *memory_and_swap_);
  }
}

void SectionReader::finish_cpu() {
  if (!section_.has("cpuunits")) section_.set("cpuunits", "1024", default_origin());
  section_.set("cpulimit", "0", default_origin());
  // -1: no limit.
  if (!quota_) return;
  if (quota_->value == "-1") return section_.set("cpulimit", "0", quota_->origin);
  const auto quota = parse_unsigned(quota_->value);
  const auto period = period_ ? parse_unsigned(period_->value) : std::uint64_t{100000};
  const bool good_period = period && *period != 0;
  if (!good_period) lose_value(*period_, "a number of microseconds");
  if (!quota) return lose_value(*quota_, "a number of microseconds");
  if (!good_period) return lose(*quota_, formatted("'{}' needs its period", quota_->key));
  set("cpulimit", formatted("{:.6g}", static_cast<double>(*quota) / static_cast<double>(*period)), *quota_);
}

void SectionReader::finish_interfaces() {
  for (auto& interface : interfaces_) {
    if (interface.is_empty || interface.is_lost) continue;
    const RawEntry entry{"lxc.network.type", "veth", interface.origin};
    if (!interface.index) {
      lose(entry,
           "the interface has no usable line 'lxc.network.veth.pair = veth<CTID>.<N>', which says which "
           "net<N> it is; none of its lines is carried over");
      continue;
    }
    if (interface.net.name.empty()) interface.net.name = formatted("eth{}", *interface.index);
    if (interface.is_untagged) {
      interface.net.bridge.clear();
      remark(imported_, interface.origin,
             formatted("net{} is in no bridge, because its VLAN tag is not carried over", *interface.index));
    }
    set(formatted("net{}", *interface.index), print_net(interface.net), entry);
  }
}

void SectionReader::finish() {
  finish_rootfs();
  finish_memory();
  finish_cpu();
  finish_interfaces();
  for (auto& entry : current_lines(std::move(rest_), imported_)) {
    entry.value = quoted_value(entry.value);
    section_.raw.push_back(std::move(entry));
  }
}

// The entries of every section, by snapshot name; "" is the main one.
class Sections {
 public:
  Sections(std::vector<RawEntry> entries, Imported& imported) : imported_(imported) {
    for (auto& entry : entries) {
      const bool in_snapshot = entry.key.starts_with("snap.");
      if (in_snapshot) entry.key.erase(0, 5);
      if (entry.key == "pve.snapname") {
        open(entry);
      } else if (!in_snapshot) {
        sections_[""].push_back(std::move(entry));
      } else if (name_.empty()) {
        lose(entry,
             formatted("'snap.{}' belongs to no snapshot (pve.snapname) that is carried over", entry.key));
      } else {
        sections_[name_].push_back(std::move(entry));
      }
    }
  }
  const std::map<std::string, std::vector<RawEntry>>& all() const { return sections_; }

 private:
  // Nobody starts a snapshot: what it confines is no protection.
  void lose(const RawEntry& entry, std::string message) {
    lose_harmless_line(imported_, entry.origin, std::move(message));
  }

  void open(const RawEntry& entry) {
    name_.clear();
    // "pve:pending" would be none, either.
    if (const auto check = check_file_value("parent", entry.value); entry.value.empty() || !check.ok())
      return lose(entry, formatted("'{}': '{}' is no name of a snapshot", entry.key, entry.value));
    if (!sections_.try_emplace(entry.value).second)
      return lose(entry, formatted("'{}': a second snapshot '{}'", entry.key, entry.value));
    name_ = entry.value;
  }

  Imported& imported_;
  std::map<std::string, std::vector<RawEntry>> sections_{{"", {}}};
  std::string name_;
};

bool is_setting(std::string_view line) {
  return line.starts_with("lxc.") || line.starts_with("pve.") || line.starts_with("snap.");
}

std::vector<RawEntry> all_entries(std::string_view text, const std::string& source, Imported& imported) {
  std::vector<RawEntry> entries;
  for (const auto& line : lxc_lines(text)) {
    const Located<std::string> located{std::string(trim(line.text)), {source, line.number}};
    if (line.text.front() == '#') {
      imported.config.main.description += std::string(line.text.substr(1)) + "\n";
    } else if (!is_setting(line.text)) {
      keep_foreign_line(imported, located);
    } else if (const auto pair = split_lxc_line(line.text)) {
      entries.push_back({std::string(pair->key), std::string(pair->value), located.origin});
    } else {
      lose_line(imported, located.value, located.origin, reason_of(malformed_line(located)));
    }
  }
  return entries;
}

}  // namespace

Imported import_early_pve(std::string_view text, const std::string& source, std::uint32_t vmid) {
  Imported imported;
  imported.config.vmid = vmid;
  imported.config.path = source;
  const Sections sections(all_entries(text, source, imported), imported);
  for (const auto& [name, entries] : sections.all()) {
    auto& section = name.empty() ? imported.config.main : imported.config.snapshots[name];
    SectionReader reader(section, source, imported);
    for (const auto& entry : entries) reader.add(entry);
    reader.finish();
    if (!section.has("ostype")) section.set("ostype", "unmanaged", default_origin());
    if (!section.has("arch")) section.set("arch", "amd64", default_origin());
  }
  return imported;
}

}  // namespace hutch::config
