#include "config/option_formats.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "config/property_formats.h"
#include "config/value_types.h"

namespace hutch::config {

namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view expects) {
  throw Error(formatted("'{}' is not {}", text, expects));
}

bool is_name_server(std::string_view text) {
  // A link-local address needs the interface it belongs to.
  const auto percent = text.find('%');
  if (percent == std::string_view::npos) return is_ipv4(text) || is_ipv6(text);
  return to_lower(text.substr(0, 5)) == "fe80:" && is_ipv6(text.substr(0, percent)) &&
         percent + 1 < text.size();
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

}  // namespace

void check_hostname(std::string_view text) {
  if (!is_dns_name(text)) refuse(text, "a DNS name");
}

void check_name_servers(std::string_view text) {
  for (const auto server : split_list(text)) {
    if (!is_name_server(server)) refuse(server, "an IP address");
  }
}

void check_search_domains(std::string_view text) {
  for (const auto domain : split_list(text)) {
    if (!is_dns_name(domain)) refuse(domain, "a DNS name");
  }
}

void check_tags(std::string_view text) {
  for (const auto tag : split_list(text)) {
    if (!is_tag(tag)) refuse(tag, "a tag (letters, digits, '_', then also '.', '+', '-')");
  }
}

void check_entry_point(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) refuse(text, "free of control characters");
}

void check_environment(std::string_view text) {
  for (const auto variable : split(text, '\0')) {
    const auto equals = variable.find('=');
    const auto name = variable.substr(0, equals);
    const bool good_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    });
    if (equals == std::string_view::npos || !good_name) refuse(variable, "of the form NAME=value");
    const auto value = variable.substr(equals + 1);
    if (std::any_of(value.begin(), value.end(), is_control)) refuse(variable, "free of control characters");
  }
}

void check_volume_id(std::string_view text) {
  if (!is_volume_id(text)) refuse(text, "a volume id (<storage>:<name>)");
}

void check_config_id(std::string_view text) {
  if (!is_config_id(text)) refuse(text, "a name (a letter, then letters, digits, '_', '-')");
}

void check_timezone(std::string_view text) {
  const bool good = !text.empty() && text.front() != '/' && text.find("..") == std::string_view::npos &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             c == '_' || c == '/' || c == '+' || c == '-';
                    });
  if (!good) refuse(text, "'host', 'UTC' or a time zone such as Europe/Vienna");
}

// The typed parsers serve as format checks; only whether they throw matters here.
void check_net(std::string_view text) {
  parse_net(text);
}
void check_rootfs(std::string_view text) {
  parse_rootfs(text);
}
void check_mount_point(std::string_view text) {
  parse_mount_point(text);
}
void check_features(std::string_view text) {
  parse_features(text);
}
void check_device(std::string_view text) {
  parse_device(text);
}
void check_startup(std::string_view text) {
  parse_startup(text);
}
void check_unused(std::string_view text) {
  parse_unused(text);
}

std::string blank_separated(std::string_view text) {
  std::vector<std::string> parts;
  for (const auto part : split_list(text)) parts.emplace_back(part);
  return join(parts, " ");
}

std::string normalised_tags(std::string_view text) {
  std::set<std::string> tags;
  for (const auto tag : split_list(text)) tags.insert(to_lower(tag));
  return join(std::vector<std::string>(tags.begin(), tags.end()), ";");
}

std::string clamped_cpu_units(std::string_view text) {
  return std::to_string(std::min<std::uint64_t>(parse_unsigned(text).value_or(0), 10000));
}

std::string normalised_rootfs(std::string_view text) {
  const auto volume = parse_rootfs(text);
  check_idmap_overlap(volume.idmap);
  return print_rootfs(volume);
}

std::string normalised_mount_point(std::string_view text) {
  const auto volume = parse_mount_point(text);
  check_idmap_overlap(volume.idmap);
  return print_mount_point(volume);
}

std::string normalised_features(std::string_view text) {
  return print_features(parse_features(text));
}
std::string normalised_device(std::string_view text) {
  return print_device(parse_device(text));
}

}  // namespace hutch::config
