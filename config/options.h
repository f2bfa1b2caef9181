#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/mac_address.h"

// The table of a container's options (pct-conf 4): the one place that knows their names, types and limits.
namespace hutch::config {

// What happens to a change while the container runs (pct-conf 8).
enum class HotPlug {
  fast,      // stored at once, the running container is not touched
  live,      // applied to the running container
  live_new,  // applied when the option was unset before, else pending
  pending,   // waits for the next start
  never,     // not changed through `set`, or handled by its own command
};

// The largest memory and swap: their bytes just fit 64 bits.
inline constexpr std::uint64_t kMostMebibytes = UINT64_MAX >> 20;

struct Option {
  enum class Type { boolean, integer, number, string, enumeration };

  std::string_view name;  // without the index
  Type type = Type::string;
  // Integers and numbers.
  std::uint64_t min = 0;
  std::uint64_t max = UINT64_MAX;
  std::span<const std::string_view> words;  // of an enumeration
  // Length limit of strings; 0: none.
  std::size_t max_length = 0;
  // Throws Error (its action is the reason) for text that is not in the option's format; null: any.
  void (*check_format)(std::string_view text) = nullptr;
  // For values given on the command line: the form that is stored. Null: as given.
  std::string (*normalise)(std::string_view text) = nullptr;
  std::string_view default_text;  // for help; empty: none
  HotPlug hot_plug = HotPlug::pending;
  std::string_view type_text;              // "<integer> (16 - N)", "name=<string>[,bridge=<bridge>]..."
  std::string_view description;            // one or two sentences for help
  std::optional<std::uint32_t> max_index;  // set: the name takes an index from 0 to this
  // Kept by the tools themselves: not an option of `set` and `create` (parent, snaptime, snapstate).
  bool internal = false;
};

// In order of their names.
std::span<const Option> options();

// `name` with its index where it has one: "memory", "mp12". Null for anything else ("mp", "mp01", "mp256").
const Option* find_option(std::string_view name);
// The index of an indexed option's name ("mp12" -> 12); nothing for others.
std::optional<std::uint32_t> option_index(std::string_view name);

struct ValueCheck {
  // The value as it is stored; unset when it is refused.
  std::optional<std::string> value;
  std::string reason;  // why it is refused
  bool ok() const { return value.has_value(); }
};

// The loose check of a value in a file (pct-conf 2): type and format only.
ValueCheck check_file_value(std::string_view name, std::string_view text);

// The strict check of a value on the command line: ranges, enumerations, formats, lengths; the value comes
// back as it is stored (lists joined, tags sorted, booleans 1/0, cpuunits clamped, net[n] with hwaddr and
// type). Facts of the host (does the bridge, device or volume exist) are the caller's business.
ValueCheck check_command_line_value(std::string_view name, std::string_view text,
                                    std::string_view mac_prefix = kDefaultMacPrefix);

}  // namespace hutch::config
