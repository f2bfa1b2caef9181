#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>

// Values of the form "a,key=b,other=c" (pct-conf 6: common rules).
namespace hutch::config {

struct PropertyKey {
  enum class Type { boolean, integer, number, string };

  std::string_view name;
  Type type = Type::string;
  bool required = false;
  // Of integers.
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  // Of strings; null takes any. `expects` says what is wanted ("an IPv4 address in CIDR form, or dhcp").
  bool (*accepts)(std::string_view value) = nullptr;
  std::string_view expects = {};
};

struct PropertyFormat {
  std::string_view default_key;  // empty: none
  std::span<const PropertyKey> keys;
};

using PropertyValues = std::map<std::string, std::string, std::less<>>;

// The keys that are set, booleans as 1/0, the rest as given. Throws Error whose action is the reason
// ("unknown key 'foo'"); the caller adds the option's name and line.
PropertyValues parse_property_string(const PropertyFormat& format, std::string_view text);

// Default key's value first without its name (unless it has a '=' in it), then required keys sorted, then the
// others sorted.
std::string print_property_string(const PropertyFormat& format, const PropertyValues& values);

}  // namespace hutch::config
