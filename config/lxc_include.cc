#include "config/lxc_include.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "config/lowering.h"
#include "config/lxc_file.h"

namespace hutch::config {

namespace {

constexpr int kMaxFiles = 1000;

class Expansion {
 public:
  Expansion(const IncludeSources& sources, Diagnostics* diagnostics)
      : sources_(sources), diagnostics_(diagnostics) {}

  void add(const std::vector<RawEntry>& entries) {
    for (const auto& entry : entries) {
      if (entry.key == "lxc.include") {
        include_line(entry);
      } else {
        result_.push_back(entry);
      }
    }
  }

  std::vector<RawEntry> take() { return std::move(result_); }

 private:
  void include_line(const RawEntry& entry) {
    // Told once.
    if (files_ > kMaxFiles) return;
    try {
      include(entry.value, entry.origin);
    } catch (const Error& error) {
      if (!sources_.on_error) throw;
      sources_.on_error(entry, error);
    }
  }

  void include(const std::string& path, const Origin& origin) {
    if (path.empty()) return;
    if (path.front() != '/') {
      throw Error(formatted("'lxc.include': '{}' is no absolute path", path), 0,
                  "LXC would look for it in whatever directory it is started from; write the whole path",
                  origin);
    }
    if (path.find('\0') != std::string::npos) {
      throw Error("'lxc.include': the path contains a NUL", 0, {}, origin);
    }
    const auto names = sources_.list_directory ? sources_.list_directory(path) : std::nullopt;
    if (names) return include_directory(path, *names, origin);
    // What ends in '/' names a directory, and one that is missing holds no files.
    if (path.back() != '/') include_file(path, origin);
  }

  void include_directory(std::string path, std::vector<std::string> names, const Origin& origin) {
    if (path.back() != '/') path += '/';
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
      if (name.size() > 5 && name.ends_with(".conf")) include_file(path + name, origin);
    }
  }

  void include_file(const std::string& path, const Origin& origin) {
    if (std::find(open_.begin(), open_.end(), path) != open_.end()) {
      throw Error(formatted("'lxc.include': '{}' includes itself", path), ELOOP, "remove one of the includes",
                  origin);
    }
    if (++files_ > kMaxFiles) {
      throw Error(formatted("'lxc.include': more than {} files", kMaxFiles), ELOOP,
                  "remove some of the includes", origin);
    }
    const auto entries = entries_of(path, origin);
    open_.push_back(path);
    add(entries);
    open_.pop_back();
  }

  std::vector<RawEntry> entries_of(const std::string& path, const Origin& origin) const {
    auto own = built_in_include(path, origin);
    if (own && sources_.prefer_built_in) return std::move(*own);
    std::string text;
    try {
      if (!sources_.read_file) throw Error(formatted("cannot open '{}'", path), ENOENT);
      text = sources_.read_file(path);
    } catch (const Error& error) {
      if (own && error.error_number() == ENOENT) return std::move(*own);
      throw error.with_context("lxc.include").with_origin(origin);
    }
    auto file = read_lxc_file(text, path, sources_.on_error ? MalformedLines::keep : MalformedLines::refuse);
    for (const auto& line : file.malformed) {
      sources_.on_error({line.value, "", line.origin}, malformed_line(line));
    }
    report(file.foreign);
    return std::move(file.entries);
  }

  void report(const std::vector<Located<std::string>>& foreign) const {
    if (diagnostics_ == nullptr) return;
    for (const auto& line : foreign) {
      diagnostics_->push_back({Diagnostic::Severity::warning,
                               formatted("'{}' is no setting of LXC's and has no effect", line.value),
                               line.origin});
    }
  }

  const IncludeSources& sources_;
  Diagnostics* diagnostics_;
  std::vector<RawEntry> result_;
  std::vector<std::string> open_;  // files that are being read, outermost first
  int files_ = 0;
};

// The lines of a built-in file.
class Lines {
 public:
  explicit Lines(const Origin& origin) : origin_(origin) {}

  void add(const char* key, std::string_view value) {
    entries_.push_back({key, std::string(value), origin_});
  }
  void add_mounts(std::string_view lines) {
    if (lines.empty()) return;
    for (const auto line : split(lines, '\n')) add("lxc.mount.entry", line);
  }
  std::vector<RawEntry> take() { return std::move(entries_); }

  void add_common(const OsTypeDefaults& os) {
    add("lxc.tty.dir", os.tty_directory);
    add("lxc.pty.max", "1024");
    add("lxc.tty.max", "4");
    add("lxc.cap.drop", kCommonCapabilityDrops);
    if (!os.dropped.empty()) add("lxc.cap.drop", os.dropped);
    if (!os.halt_signal.empty()) add("lxc.signal.halt", os.halt_signal);
    add("lxc.cgroup2.devices.deny", "a");
    for (const auto rule : kCommonDeviceRules) add("lxc.cgroup2.devices.allow", rule);
    if (os.clock_and_kvm_devices) {
      for (const auto rule : kClockAndKvmDeviceRules) add("lxc.cgroup2.devices.allow", rule);
    }
    add("lxc.mount.auto", "cgroup:mixed proc:mixed sys:mixed");
    add("lxc.mount.entry", "/sys/fs/fuse/connections sys/fs/fuse/connections none bind,optional 0 0");
    add_mounts(os.mounts);
    add("lxc.seccomp.profile", kCommonSeccompProfile);
  }

  // For a container in a user namespace of its own.
  void add_userns(const OsTypeDefaults& os) {
    add("lxc.tty.dir", "");
    add("lxc.cap.drop", "");
    add("lxc.cgroup2.devices.allow", "a");
    add("lxc.mount.auto", "sys:rw");
    add_mounts(os.userns_mounts);
  }

 private:
  Origin origin_;
  std::vector<RawEntry> entries_;
};

}  // namespace

std::vector<RawEntry> expand_includes(std::vector<RawEntry> entries, const IncludeSources& sources,
                                      Diagnostics* diagnostics) {
  const bool includes = std::any_of(entries.begin(), entries.end(),
                                    [](const RawEntry& entry) { return entry.key == "lxc.include"; });
  if (!includes) return entries;
  Expansion expansion(sources, diagnostics);
  expansion.add(entries);
  return expansion.take();
}

std::optional<std::vector<RawEntry>> built_in_include(std::string_view path, const Origin& origin) {
  if (!path.starts_with(kLxcConfigDirectory)) return std::nullopt;
  auto name = path.substr(kLxcConfigDirectory.size());
  Lines lines(origin);
  if (name == "nesting.conf") {
    lines.add("lxc.apparmor.allow_nesting", "1");
    return lines.take();
  }
  // "common.conf" itself is what types without a file of their own get.
  std::string_view type = "unmanaged";
  if (const auto dot = name.find('.'); dot != std::string_view::npos && name.substr(dot) != ".conf") {
    type = name.substr(0, dot);
    name = name.substr(dot + 1);
  }
  const auto* os = find_os_type(type);
  if (os == nullptr) return std::nullopt;
  if (name == "common.conf") {
    lines.add_common(*os);
  } else if (name == "userns.conf") {
    lines.add_userns(*os);
  } else {
    return std::nullopt;
  }
  return lines.take();
}

}  // namespace hutch::config
