#include <algorithm>
#include <array>
#include <bit>

#include "base/text.h"
#include "config/lowering.h"

// What happens to console output, and where a start and a stop log to (lxc-keys 2.5, 2.11).
namespace hutch::config {

namespace {

constexpr std::uint64_t kAutomaticSize = 128U << 10;
constexpr std::uint64_t kSmallestSize = 4096;  // a page
constexpr std::uint64_t kLargestSize = 1ULL << 40;

constexpr std::array<std::string_view, 9> kLevels = {"trace", "debug", "info",  "notice", "warn",
                                                     "error", "crit",  "alert", "fatal"};

// An absolute host path without doubled and closing slashes; empty: none.
std::string host_path(const RawEntry& entry) {
  if (entry.value.empty()) return {};
  if (entry.value.front() != '/') bad_value(entry, "an absolute path");
  std::string path;
  for (const auto part : split(entry.value, '/')) {
    if (!part.empty() && part != ".") path.append("/").append(part);
  }
  if (path.empty() || path.size() >= 4096) bad_value(entry, "the path of a file");
  return path;
}

// Digits with an optional B, KB, MB or GB (multiples of 1024) or 'auto'; at least a page and a power of two.
// A single other letter counts as bytes, as LXC has it.
std::uint64_t size_of(const RawEntry& entry) {
  if (entry.value.empty() || entry.value == "0") return 0;
  if (entry.value == "auto") return kAutomaticSize;
  const std::size_t end = std::min(entry.value.find_first_not_of("0123456789"), entry.value.size());
  const auto number = parse_unsigned(std::string_view(entry.value).substr(0, end));
  std::string unit(trim(std::string_view(entry.value).substr(end)));
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  constexpr std::array<std::pair<std::string_view, unsigned>, 3> kUnits = {
      {{"KB", 10}, {"MB", 20}, {"GB", 30}}};
  unsigned shift = 0;
  for (const auto& [name, bits] : kUnits) {
    if (unit == name) shift = bits;
  }
  if (!number || (unit.size() > 1 && shift == 0) || *number > kLargestSize >> shift) {
    bad_value(entry, "'auto' or a size such as 64KB, up to 1024GB");
  }
  return std::bit_ceil(std::max(*number << shift, kSmallestSize));
}

}  // namespace

void set_console_path(Lowering& lowering, const RawEntry& entry) {
  auto& spec = lowering.spec;
  spec.console_output.path = {};
  // Whoever wants none of a terminal wants one of another only in a later line.
  if (entry.value == "none") {
    spec.console = false;
  } else if (!entry.value.empty()) {
    spec.console = true;
    spec.console_output.path = {host_path(entry), entry.origin};
  }
}

void set_console_log(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.console_output.log_file = {host_path(entry), entry.origin};
}

void set_console_size(Lowering& lowering, const RawEntry& entry) {
  auto& output = lowering.spec.console_output;
  (entry.key == "lxc.console.size" ? output.log_size : output.buffer_size) = size_of(entry);
}

void set_log_level(Lowering& lowering, const RawEntry& entry) {
  auto& level = lowering.spec.log.level;
  if (entry.value.empty()) {
    level = LogSpec{}.level;
    return;
  }
  std::string word = entry.value;
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto found = std::find(kLevels.begin(), kLevels.end(), word);
  const auto number = parse_unsigned(entry.value);
  if (found != kLevels.end()) {
    level = static_cast<unsigned>(found - kLevels.begin());
  } else if (number && *number < kLevels.size()) {
    level = static_cast<unsigned>(*number);
  } else {
    bad_value(entry, "a level: 0 to 8, trace, debug, info, notice, warn, error, crit, alert or fatal");
  }
}

void set_log_file(Lowering& lowering, const RawEntry& entry) {
  lowering.spec.log.file = {host_path(entry), entry.origin};
}

void set_log_syslog(Lowering& lowering, const RawEntry& entry) {
  const std::string& word = entry.value;
  const bool local = word.size() == 6 && word.starts_with("local") && word[5] >= '0' && word[5] <= '7';
  if (!word.empty() && word != "daemon" && !local) bad_value(entry, "daemon or local0 to local7");
  lowering.spec.log.syslog = word;
}

}  // namespace hutch::config
