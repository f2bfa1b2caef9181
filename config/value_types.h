#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Grammar of single values (pct-cli 1.3). The is_ functions want the whole text to match.
namespace hutch::config {

inline constexpr std::uint32_t kMinVmid = 100;
inline constexpr std::uint32_t kMaxVmid = 999999999;

// 100 to 999999999, digits only.
std::optional<std::uint32_t> parse_vmid(std::string_view text);
// 1/on/yes/true and 0/off/no/false in any case.
std::optional<bool> parse_boolean(std::string_view text);
// Digits with an optional fraction ("2", "0.5"); `sign_and_exponent` allows "-1.5e3" as the command line
// does.
std::optional<double> parse_number(std::string_view text, bool sign_and_exponent = false);

bool is_dns_name(std::string_view text);
bool is_mac_address(std::string_view text);  // six hex octets, unicast
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);
bool is_ipv4_cidr(std::string_view text);  // prefix 8-32
bool is_ipv6_cidr(std::string_view text);  // prefix 8-128
bool is_tag(std::string_view text);
bool is_storage_id(std::string_view text);
bool is_volume_id(std::string_view text);  // "<storage id>:<anything>"
// A letter, then one or more of letters, digits, '_', '-'. Snapshot names have 40 characters at most.
bool is_config_id(std::string_view text);
bool is_snapshot_name(std::string_view text);
bool is_node_name(std::string_view text);

// "8G", "1.5T", "100MiB", "4096" -> bytes; powers of 1024, a fraction of a byte is cut off.
std::optional<std::uint64_t> parse_disk_size(std::string_view text);
// The largest exact unit: 8G, 1536M, 1025K, 4097; 0 is "0T".
std::string print_disk_size(std::uint64_t bytes);

// Splits at ',', ';' and white space (only at NUL when there is one); no empty parts.
std::vector<std::string_view> split_list(std::string_view text);

}  // namespace hutch::config
