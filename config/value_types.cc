#include "config/value_types.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace hutch::config {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_alnum(char c) {
  return is_digit(c) || is_letter(c);
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

// [a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?
bool is_label(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         all_of(text, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_address(int family, std::string_view text) {
  // inet_pton(3) wants a terminated string; the longest IPv6 text has 45 characters.
  std::array<char, 64> copy{};
  if (text.empty() || text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return false;
  text.copy(copy.data(), text.size());
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(family, copy.data(), address.data()) == 1;
}

bool is_cidr(int family, std::string_view text, std::uint64_t max_prefix) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || !is_address(family, text.substr(0, slash))) return false;
  const auto prefix = parse_unsigned(text.substr(slash + 1));
  return prefix && *prefix >= 8 && *prefix <= max_prefix;
}

struct Unit {
  char letter;
  unsigned shift;
};
constexpr std::array<Unit, 4> kUnits = {{{'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}}};

// Takes "K" or "KiB" and so on off the end; the shift that it stands for.
unsigned take_unit(std::string_view& text) {
  std::string_view rest = text;
  if (rest.ends_with("iB")) rest.remove_suffix(2);
  for (const auto& unit : kUnits) {
    if (!rest.empty() && rest.back() == unit.letter) {
      rest.remove_suffix(1);
      text = rest;
      return unit.shift;
    }
  }
  return 0;
}

}  // namespace

std::optional<std::uint32_t> parse_vmid(std::string_view text) {
  const auto number = parse_unsigned(text);
  if (!number || *number < kMinVmid || *number > kMaxVmid) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string word = to_lower(text);
  if (word == "1" || word == "on" || word == "yes" || word == "true") return true;
  if (word == "0" || word == "off" || word == "no" || word == "false") return false;
  return std::nullopt;
}

std::optional<double> parse_number(std::string_view text, bool sign_and_exponent) {
  if (sign_and_exponent && text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  const std::string_view allowed = sign_and_exponent ? "0123456789.-+eE" : "0123456789.";
  if (text.empty() || text.find_first_not_of(allowed) != std::string_view::npos || !is_digit(text.back())) {
    return std::nullopt;
  }
  if (!sign_and_exponent && !is_digit(text.front())) return std::nullopt;
  return parse_double(text);
}

bool is_dns_name(std::string_view text) {
  const auto labels = split(text, '.');
  return std::all_of(labels.begin(), labels.end(), is_label);
}

bool is_mac_address(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != ':' : !is_hex(text[i])) return false;
  }
  // The last bit of the first octet marks a group address.
  return std::string_view("02468aceACE").find(text[1]) != std::string_view::npos;
}

bool is_ipv4(std::string_view text) {
  return is_address(AF_INET, text);
}
bool is_ipv6(std::string_view text) {
  return is_address(AF_INET6, text);
}
bool is_ipv4_cidr(std::string_view text) {
  return is_cidr(AF_INET, text, 32);
}
bool is_ipv6_cidr(std::string_view text) {
  return is_cidr(AF_INET6, text, 128);
}

bool is_tag(std::string_view text) {
  return !text.empty() && (is_alnum(text.front()) || text.front() == '_') &&
         all_of(text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '+' || c == '-'; });
}

bool is_storage_id(std::string_view text) {
  return text.size() >= 2 && is_letter(text.front()) && is_alnum(text.back()) &&
         all_of(text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_volume_id(std::string_view text) {
  const auto colon = text.find(':');
  return colon != std::string_view::npos && colon + 1 < text.size() && is_storage_id(text.substr(0, colon));
}

bool is_config_id(std::string_view text) {
  return text.size() >= 2 && is_letter(text.front()) &&
         all_of(text, [](char c) { return is_alnum(c) || c == '_' || c == '-'; });
}

bool is_snapshot_name(std::string_view text) {
  return text.size() <= 40 && is_config_id(text);
}
bool is_node_name(std::string_view text) {
  return is_label(text);
}

std::optional<std::uint64_t> parse_disk_size(std::string_view text) {
  const unsigned shift = take_unit(text);
  const auto dot = text.find('.');
  const auto whole = parse_unsigned(text.substr(0, dot));
  if (!whole || *whole > UINT64_MAX >> shift) return std::nullopt;
  std::uint64_t bytes = *whole << shift;
  if (dot == std::string_view::npos) return bytes;

  const std::string_view digits = text.substr(dot + 1);
  if (digits.empty() || !all_of(digits, is_digit)) return std::nullopt;
  // floor(0.d1d2... * 2^shift), from the last digit on: a floor at every step gives the floor of the whole.
  std::uint64_t part = 0;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    part = ((static_cast<std::uint64_t>(*digit - '0') << shift) + part) / 10;
  }
  if (part > UINT64_MAX - bytes) return std::nullopt;
  return bytes + part;
}

std::string print_disk_size(std::uint64_t bytes) {
  for (const auto& unit : kUnits) {
    if ((bytes & ((std::uint64_t{1} << unit.shift) - 1)) == 0) {
      return std::to_string(bytes >> unit.shift) + unit.letter;
    }
  }
  return std::to_string(bytes);
}

std::vector<std::string_view> split_list(std::string_view text) {
  const bool by_nul = text.find('\0') != std::string_view::npos;
  const auto separates = [by_nul](char c) {
    return by_nul ? c == '\0' : c == ',' || c == ';' || is_blank(c);
  };
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && separates(text[at])) ++at;
    const std::size_t begin = at;
    while (at < text.size() && !separates(text[at])) ++at;
    if (at > begin) parts.push_back(text.substr(begin, at - begin));
  }
  return parts;
}

}  // namespace hutch::config
