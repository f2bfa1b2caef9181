#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "config/lowering.h"

// Which device nodes a container may use: lxc-mounts-and-devices 9, rules after lxc-keys 2.6.1.
namespace hutch::config {

namespace {

using cgroupv2::DeviceRule;

bool parse_number_or_star(std::string_view text, std::optional<std::uint32_t>& number) {
  if (text == "*") return true;
  const auto value = parse_unsigned(text);
  if (!value || *value > UINT32_MAX) return false;
  number = static_cast<std::uint32_t>(*value);
  return true;
}

bool parse_access(std::string_view text, DeviceRule& rule) {
  if (text.empty() || text.size() > 3) return false;
  for (const char c : text) {
    if (c != 'r' && c != 'w' && c != 'm') return false;
    rule.read |= c == 'r';
    rule.write |= c == 'w';
    rule.mknod |= c == 'm';
  }
  return true;
}

// "c 10:200 rwm"
std::optional<DeviceRule> parse_rule(std::string_view text) {
  const auto words = split_blanks(text);
  if (words.size() != 3 || words[0].size() != 1 ||
      std::string_view("abc").find(words[0]) == std::string_view::npos) {
    return std::nullopt;
  }
  DeviceRule rule;
  rule.type = words[0].front();
  const auto colon = words[1].find(':');
  if (colon == std::string_view::npos || !parse_number_or_star(words[1].substr(0, colon), rule.major) ||
      !parse_number_or_star(words[1].substr(colon + 1), rule.minor) || !parse_access(words[2], rule)) {
    return std::nullopt;
  }
  return rule;
}

bool same_devices(const DeviceRule& a, const DeviceRule& b) {
  return a.type == b.type && a.major == b.major && a.minor == b.minor && a.read == b.read &&
         a.write == b.write && a.mknod == b.mknod;
}

// The newest rule comes last; a repeat of the same devices and access replaces the earlier rule.
void add_rule(Lowering& lowering, const DeviceRule& rule) {
  auto& rules = lowering.spec.devices.rules;
  std::erase_if(rules, [&rule](const auto& earlier) { return same_devices(earlier, rule); });
  rules.push_back(rule);
}

void add_generated(Lowering& lowering, bool allow, std::string_view text, const Origin& origin) {
  auto rule = parse_rule(text).value();
  rule.allow = allow;
  rule.origin = origin;
  add_rule(lowering, rule);
}

DeviceRule rule_of_path(Lowering& lowering, const RawEntry& entry) {
  const auto words = split_blanks(entry.value);
  DeviceRule rule;
  if (words.size() != 2 || !parse_access(words[1], rule))
    bad_value(entry, "of the form '/dev/<path> <access>'");
  if (!lowering.context.device_at) bad_value(entry, "a rule with device numbers");
  try {
    const auto device = lowering.context.device_at(std::string(words[0]));
    rule.type = device.type;
    rule.major = device.major;
    rule.minor = device.minor;
  } catch (const Error& error) {
    throw error.with_context(entry.key).with_origin(entry.origin);
  }
  return rule;
}

}  // namespace

void lower_devices(Lowering& lowering) {
  auto& policy = lowering.spec.devices;
  // Unprivileged: the kernel refuses device nodes of other user namespaces by itself.
  policy.allow_by_default = lowering.unprivileged;
  if (!lowering.unprivileged) {
    for (const auto text : kCommonDeviceRules) add_generated(lowering, true, text, default_origin());
    if (lowering.os->clock_and_kvm_devices) {
      const auto origin = lowering.section.origin_of("ostype");
      for (const auto text : kClockAndKvmDeviceRules) add_generated(lowering, true, text, origin);
    }
  }
  lowering.spec.console = lowering.section.boolean_or("console", true);
  if (!lowering.spec.console)
    add_generated(lowering, false, "c 5:1 rwm", lowering.section.origin_of("console"));
}

void set_device_rule(Lowering& lowering, const RawEntry& entry) {
  auto& policy = lowering.spec.devices;
  const bool allow = entry.key.ends_with(".allow");
  if (entry.value.empty()) {
    std::erase_if(policy.rules, [allow](const auto& rule) { return rule.allow == allow; });
    return;
  }
  if (entry.value == "a") {
    policy.allow_by_default = allow;
    policy.rules.clear();
    return;
  }
  if (allow && entry.value.front() == '/') {
    auto rule = rule_of_path(lowering, entry);
    rule.origin = entry.origin;
    return add_rule(lowering, rule);
  }
  auto rule = parse_rule(entry.value);
  if (!rule) bad_value(entry, "a device rule such as 'c 10:200 rwm'");
  rule->allow = allow;
  rule->origin = entry.origin;
  add_rule(lowering, *rule);
}

}  // namespace hutch::config
