#include "config/legacy_names.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/raw_keys.h"

namespace hutch::config {

namespace {

constexpr std::string_view kNetwork = "lxc.network.";

// "dir:" unless the path names its type itself, or is a device, whose type LXC found out by itself.
std::string rootfs_path(const std::string& path, const std::string& backend) {
  if (path.empty()) return path;
  const auto type_end = path.find_first_of(":/");
  if (type_end != std::string::npos && path[type_end] == ':') return path;
  if (!backend.empty()) return backend + ":" + path;
  return path.starts_with("/dev/") ? path : "dir:" + path;
}

class Conversion {
 public:
  Conversion(const std::vector<RawEntry>& entries, unsigned first_interface)
      : entries_(entries), first_interface_(first_interface), next_interface_(first_interface) {
    for (const auto& entry : entries) {
      if (entry.key == "lxc.rootfs.backend") backend_ = entry.value;
    }
  }

  std::vector<RawEntry> run() {
    for (const auto& entry : entries_) convert(entry);
    return std::move(result_);
  }

  void report(Diagnostics& diagnostics) const {
    if (old_names_ == 0) return;
    diagnostics.push_back(
        {Diagnostic::Severity::warning,
         formatted("{} from before LXC 3.0, the first being '{}'; taken for what they are called now",
                   old_names_ == 1 ? std::string("a name") : formatted("{} lines with names", old_names_),
                   first_old_->key),
         first_old_->origin});
  }

 private:
  void add(const RawEntry& entry, std::string key, std::string value) {
    result_.push_back({std::move(key), std::move(value), entry.origin});
  }

  void count(const RawEntry& entry) {
    if (old_names_++ == 0) first_old_ = &entry;
  }

  void convert(const RawEntry& entry) {
    auto info = raw_key_info(entry.key);
    if (info.key_class == RawKeyClass::obsolete) return count(entry);
    if (info.key_class != RawKeyClass::renamed) {
      result_.push_back(entry);
      return;
    }
    count(entry);
    if (entry.key == "lxc.rootfs") return add(entry, "lxc.rootfs.path", rootfs_path(entry.value, backend_));
    if (entry.key == "lxc.network") {
      next_interface_ = first_interface_;
      return add(entry, "lxc.net", entry.value);
    }
    if (entry.key.starts_with(kNetwork)) return convert_interface(entry);
    add(entry, std::move(info.current), entry.value);
  }

  void convert_interface(const RawEntry& entry) {
    std::string name = entry.key.substr(kNetwork.size());
    const auto dot = name.find('.');
    // LXC 1.x and 2.x took an explicit index, too.
    if (parse_unsigned(std::string_view(name).substr(0, dot))) {
      const std::string index = name.substr(0, dot);
      if (dot == std::string::npos) return add(entry, "lxc.net." + index, entry.value);
      return add(entry, formatted("lxc.net.{}.{}", index, current_setting(name.substr(dot + 1))),
                 entry.value);
    }
    if (name == "type") {
      ++next_interface_;
    } else if (next_interface_ == first_interface_) {
      throw Error(formatted("'{}' before any 'lxc.network.type'", entry.key), 0,
                  "begin each interface with its lxc.network.type", entry.origin);
    }
    add(entry, formatted("lxc.net.{}.{}", next_interface_ - 1, current_setting(std::move(name))),
        entry.value);
  }

  static std::string current_setting(std::string name) {
    if (name == "ipv4" || name == "ipv6") name += ".address";
    return name;
  }

  const std::vector<RawEntry>& entries_;
  unsigned first_interface_;
  unsigned next_interface_;
  std::string backend_;
  std::vector<RawEntry> result_;
  int old_names_ = 0;
  const RawEntry* first_old_ = nullptr;
};

}  // namespace

std::vector<RawEntry> to_current_names(std::vector<RawEntry> entries, unsigned first_interface,
                                       Diagnostics* diagnostics) {
  const bool old = std::any_of(entries.begin(), entries.end(), [](const RawEntry& entry) {
    const auto key_class = raw_key_info(entry.key).key_class;
    return key_class == RawKeyClass::obsolete || key_class == RawKeyClass::renamed;
  });
  if (!old) return entries;
  Conversion conversion(entries, first_interface);
  auto result = conversion.run();
  if (diagnostics != nullptr) conversion.report(*diagnostics);
  return result;
}

}  // namespace hutch::config
