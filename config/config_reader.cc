#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "config/container_config.h"
#include "config/options.h"
#include "config/percent_encoding.h"
#include "config/raw_keys.h"
#include "config/sha1.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

using Severity = Diagnostic::Severity;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trim_right(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// "snapstate: prepare" or "snapstate: delete" at the end of a line; the state, and what stands before.
struct SnapStateMatch {
  std::string_view state;
  std::string_view before;
};

std::optional<SnapStateMatch> match_snap_state(std::string_view line) {
  line = trim_right(line);
  for (const std::string_view state : {"prepare", "delete"}) {
    if (!line.ends_with(state)) continue;
    const auto head = trim_right(line.substr(0, line.size() - state.size()));
    constexpr std::string_view key = "snapstate:";
    if (head.ends_with(key)) return SnapStateMatch{state, head.substr(0, head.size() - key.size())};
  }
  return std::nullopt;
}

struct KeyValue {
  std::string_view key;
  std::string_view value;  // trimmed
};

// A raw key, then ':' directly after it, or optional blanks and '='.
std::optional<KeyValue> match_raw_entry(std::string_view line) {
  if (!line.starts_with("lxc.")) return std::nullopt;
  std::size_t at = 4;
  while (at < line.size() && (is_lower(line[at]) || is_digit(line[at]) || line[at] == '_' ||
                              line[at] == '.' || line[at] == '-')) {
    ++at;
  }
  const auto key = line.substr(0, at);
  if (at == 4) return std::nullopt;
  if (at < line.size() && line[at] == ':') return KeyValue{key, trim(line.substr(at + 1))};
  while (at < line.size() && is_blank(line[at])) ++at;
  if (at < line.size() && line[at] == '=') return KeyValue{key, trim(line.substr(at + 1))};
  return std::nullopt;
}

// [a-z][a-z_]* and optional digits, then ':' and a value that is not empty.
std::optional<KeyValue> match_option(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && (is_lower(line[at]) || (line[at] == '_' && at > 0))) ++at;
  if (at == 0) return std::nullopt;
  while (at < line.size() && is_digit(line[at])) ++at;
  if (at >= line.size() || line[at] != ':') return std::nullopt;
  const auto value = trim(line.substr(at + 1));
  if (value.empty()) return std::nullopt;
  return KeyValue{line.substr(0, at), value};
}

class Reader {
 public:
  Reader(ContainerConfig& config, Diagnostics& diagnostics)
      : config_(config), section_(&config.main), diagnostics_(diagnostics) {}

  void read(std::string_view text) {
    while (!text.empty()) {
      const auto end = text.find('\n');
      ++line_;
      read_line(text.substr(0, end));
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }

 private:
  Origin origin() const { return {config_.path, line_}; }

  void report(Severity severity, std::string message) {
    diagnostics_.push_back({severity, std::move(message), origin()});
  }

  void keep_unreadable(std::string_view line, std::string_view reason) {
    report(Severity::error, formatted("CT {}: {}; the line has no effect and is kept as it is: '{}'",
                                      config_.vmid, reason, trim(line)));
    section_->unreadable.push_back({std::string(line), origin()});
  }

  void read_line(std::string_view line) {
    // Files with CR LF line ends.
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty()) return;
    if (line.front() == '[' && read_header(line)) return;
    if (unreadable_section_) {
      config_.unreadable_sections.back().lines.emplace_back(line);
      return;
    }
    if (line.front() == '#') {
      section_->description += percent_decode(line.substr(1));
      section_->description += '\n';
      return;
    }
    read_setting(line);
  }

  // A line in square brackets always ends the section before it.
  bool read_header(std::string_view line) {
    const auto header = trim_right(line);
    if (!header.ends_with(']')) return false;
    const auto name = header.substr(1, header.size() - 2);
    unreadable_section_ = false;
    if (to_lower(name) == "pve:pending") {
      section_ = &config_.pending;
    } else if (is_config_id(name)) {
      const auto [found, is_new] = config_.snapshots.try_emplace(std::string(name));
      section_ = &found->second;
      if (!is_new) {
        report(Severity::warning,
               formatted("CT {}: a second section [{}] is added to the first", config_.vmid, name));
      }
    } else {
      report(Severity::error,
             formatted("CT {}: '{}' is no section name; the section has no effect and is kept as "
                       "it is",
                       config_.vmid, header));
      unreadable_section_ = true;
      config_.unreadable_sections.push_back({std::string(line), {}});
    }
    return true;
  }

  void read_setting(std::string_view line) {
    if (line.find('\r') != std::string_view::npos) {
      keep_unreadable(line, "a carriage return inside a line");
    } else if (const auto raw = match_raw_entry(line)) {
      read_raw_entry(line, *raw);
    } else if (line.starts_with("description:")) {
      section_->description += percent_decode(trim(line.substr(12)));
    } else if (const auto state = match_snap_state(line)) {
      read_snap_state(line, *state);
    } else if (const auto option = match_option(line)) {
      read_option(line, *option);
    } else {
      keep_unreadable(line, "the line is not understood");
    }
  }

  void read_raw_entry(std::string_view line, const KeyValue& entry) {
    const auto info = raw_key_info(entry.key);
    switch (info.key_class) {
      case RawKeyClass::unknown: return keep_unreadable(line, formatted("unknown key '{}'", entry.key));
      case RawKeyClass::cgroup_v1:
        report(Severity::warning,
               formatted("CT {}: '{}' is a cgroup v1 setting; use lxc.cgroup2.*", config_.vmid, entry.key));
        break;
      case RawKeyClass::renamed:
        report(Severity::warning,
               formatted("CT {}: '{}' is now called '{}'", config_.vmid, entry.key, info.current));
        break;
      case RawKeyClass::obsolete:
        report(Severity::warning,
               formatted("CT {}: '{}' is obsolete and has no effect", config_.vmid, entry.key));
        break;
      case RawKeyClass::accepted:
      case RawKeyClass::replaced:  // report_replaced
      case RawKeyClass::extension: break;
    }
    const bool is_variable =
        entry.key == "lxc.environment.runtime" && check_file_value("env", entry.value).ok();
    if (is_variable) {
      section_->environment.push_back({std::string(entry.value), origin()});
    } else {
      section_->raw.push_back({std::string(entry.key), std::string(entry.value), origin()});
    }
  }

  void read_option(std::string_view line, const KeyValue& option) {
    if (option.key == "delete") return read_delete(line, option.value);
    if (option.key == "env") return read_env(line, option.value);
    std::string stored(option.value);
    auto check = check_file_value(option.key, option.value);
    if (check.ok()) {
      stored = std::move(*check.value);
    } else {
      report(Severity::error, formatted("CT {}: option '{}': {}; the value is kept as it is", config_.vmid,
                                        option.key, check.reason));
    }
    const auto found = section_->options.find(option.key);
    if (found == section_->options.end()) {
      section_->options.emplace(std::string(option.key), Located<std::string>{std::move(stored), origin()});
      return;
    }
    diagnostics_.push_back({Severity::warning,
                            formatted("CT {}: option '{}' is given again in line {}; '{}' does not count",
                                      config_.vmid, option.key, line_, found->second.value),
                            found->second.origin});
    section_->superseded[found->first].push_back(std::exchange(found->second, {std::move(stored), origin()}));
  }

  void read_snap_state(std::string_view line, const SnapStateMatch& match) {
    if (section_ == &config_.main || section_ == &config_.pending) {
      return keep_unreadable(line, "'snapstate' belongs into a snapshot");
    }
    const bool is_clean = trim(match.before).empty();
    if (!is_clean) keep_unreadable(line, "text before 'snapstate'");
    // A kept line is written after all others, where it must not win over them.
    if (is_clean || section_->snapstate.empty()) section_->snapstate = match.state;
  }

  // Normally `env` is stored as lxc.environment.runtime lines.
  void read_env(std::string_view line, std::string_view value) {
    if (const auto check = check_file_value("env", value); !check.ok()) {
      return keep_unreadable(line, formatted("option 'env': {}", check.reason));
    }
    for (const auto variable : split(value, '\0'))
      section_->environment.push_back({std::string(trim(variable)), origin()});
  }

  void read_delete(std::string_view line, std::string_view value) {
    if (section_ != &config_.pending) return keep_unreadable(line, "'delete' belongs into [pve:pending]");
    // It would make the other separators parts of names.
    if (value.find('\0') != std::string_view::npos) return keep_unreadable(line, "a NUL in a list of names");
    for (auto name : split_list(value)) {
      const bool force = name.starts_with('!');
      if (force) name.remove_prefix(1);
      if (!name.empty()) section_->pending_deletes.insert_or_assign(std::string(name), force);
    }
  }

  ContainerConfig& config_;
  Section* section_;
  Diagnostics& diagnostics_;
  bool unreadable_section_ = false;
  int line_ = 0;
};

// PVE's option rootfs always counts, wherever in the section it stands.
void report_replaced(const ContainerConfig& config, const Section& section, Diagnostics& diagnostics) {
  if (section.find("rootfs") == nullptr) return;
  for (const auto& entry : section.raw) {
    if (raw_key_info(entry.key).key_class != RawKeyClass::replaced) continue;
    diagnostics.push_back({Severity::error,
                           formatted("CT {}: '{}' must be set through the option rootfs; the line has no "
                                     "effect and is kept as it is: '{}'",
                                     config.vmid, entry.key, entry.value),
                           entry.origin});
  }
}

}  // namespace

ContainerConfig read_config(std::string_view text, const std::string& source_path, std::uint32_t vmid,
                            Diagnostics& diagnostics) {
  ContainerConfig config;
  config.vmid = vmid;
  config.path = source_path;
  config.digest = sha1_hex(text);
  Reader(config, diagnostics).read(text);
  report_replaced(config, config.main, diagnostics);
  report_replaced(config, config.pending, diagnostics);
  for (const auto& [name, snapshot] : config.snapshots) report_replaced(config, snapshot, diagnostics);
  return config;
}

}  // namespace hutch::config
