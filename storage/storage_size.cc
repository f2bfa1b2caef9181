#include "storage/storage_size.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

struct Unit {
  char letter;
  unsigned shift;
};
constexpr std::array kUnits{Unit{'T', 40}, Unit{'G', 30}, Unit{'M', 20}, Unit{'K', 10}};

constexpr std::uint64_t kLimit = std::numeric_limits<std::int64_t>::max();

// floor(text * scale) for digits with an optional decimal part; `scale` is a power of 1024. Decimals beyond
// the twelfth are dropped, which rounds down further by less than scale / 10^12.
std::optional<std::uint64_t> scaled(std::string_view text, std::uint64_t scale) {
  const auto dot = text.find('.');
  const auto whole = parse_unsigned(text.substr(0, dot));
  if (!whole || *whole > kLimit / scale) return std::nullopt;
  std::uint64_t result = *whole * scale;
  if (dot == std::string_view::npos) return result;
  const std::string_view decimals = text.substr(dot + 1);
  if (decimals.empty() ||
      !std::all_of(decimals.begin(), decimals.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 1;
  for (const char c : decimals.substr(0, 12)) {
    numerator = numerator * 10 + static_cast<std::uint64_t>(c - '0');
    denominator *= 10;
  }
  // Scale in steps of 2^10, carrying the remainder, so that nothing overflows 64 bits.
  std::uint64_t fraction = 0;
  for (std::uint64_t left = scale; left > 1; left >>= 10) {
    numerator *= 1024;
    fraction = fraction * 1024 + numerator / denominator;
    numerator %= denominator;
  }
  return result + fraction;
}

}  // namespace

std::optional<std::uint64_t> parse_gib(std::string_view text) {
  const auto mib = scaled(text, 1024);
  if (!mib || *mib > kLimit >> 20) return std::nullopt;
  return *mib << 20;
}

std::string size_text(std::uint64_t bytes) {
  for (const auto& unit : kUnits) {
    if ((bytes & ((1ULL << unit.shift) - 1)) == 0) return formatted("{}{}", bytes >> unit.shift, unit.letter);
  }
  return formatted("{}", bytes);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text.ends_with("iB")) {
    text.remove_suffix(2);
    // "iB" belongs to a unit: "8iB" is no size.
    if (text.empty() || (text.back() >= '0' && text.back() <= '9')) return std::nullopt;
  }
  for (const auto& unit : kUnits) {
    if (text.empty() || text.back() != unit.letter) continue;
    return scaled(text.substr(0, text.size() - 1), 1ULL << unit.shift);
  }
  return scaled(text, 1);
}

}  // namespace hutch
