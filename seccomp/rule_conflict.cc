#include "seccomp/rule_conflict.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace hutch::seccomp {

namespace {

using Compare = Condition::Compare;

struct Interval {
  std::uint64_t first;
  std::uint64_t last;
};

constexpr std::uint64_t maximum = std::numeric_limits<std::uint64_t>::max();

// All that a filter for a 32-bit ABI compares; the answer has to hold there too.
constexpr std::uint64_t low_word = 0xffffffff;

// The values that satisfy a comparison, as intervals; a masked test has no such form.
std::vector<Interval> intervals(const Condition& condition) {
  const std::uint64_t value = condition.value;
  const Interval below{0, value - 1};
  const Interval above{value + 1, maximum};
  std::vector<Interval> result;
  switch (condition.compare) {
    case Compare::equal: return {{value, value}};
    case Compare::less_or_equal: return {{0, value}};
    case Compare::greater_or_equal: return {{value, maximum}};
    case Compare::masked_equal: return {{0, maximum}};
    case Compare::less:
      if (value > 0) result.push_back(below);
      break;
    case Compare::greater:
      if (value < maximum) result.push_back(above);
      break;
    case Compare::not_equal:
      if (value > 0) result.push_back(below);
      if (value < maximum) result.push_back(above);
      break;
  }
  return result;
}

// What a condition says about single bits: (argument & mask) == value.
std::optional<Condition> as_masked(const Condition& condition) {
  if (condition.compare == Compare::masked_equal) return condition;
  if (condition.compare != Compare::equal) return std::nullopt;
  return Condition{condition.index, Compare::masked_equal, condition.value, maximum};
}

bool exclude_each_other(const Condition& one, const Condition& other) {
  const auto bits = as_masked(one);
  const auto other_bits = as_masked(other);
  if (bits && other_bits) {
    const std::uint64_t common = bits->mask & other_bits->mask & low_word;
    return (bits->value & common) != (other_bits->value & common);
  }
  if (one.value > low_word || other.value > low_word) return false;
  const auto ranges = intervals(one);
  const auto other_ranges = intervals(other);
  return std::none_of(ranges.begin(), ranges.end(), [&](const Interval& a) {
    return std::any_of(other_ranges.begin(), other_ranges.end(),
                       [&](const Interval& b) { return a.first <= b.last && b.first <= a.last; });
  });
}

}  // namespace

bool can_both_match(const std::vector<Condition>& one, const std::vector<Condition>& other) {
  for (const auto& a : one) {
    for (const auto& b : other) {
      if (a.index == b.index && exclude_each_other(a, b)) return false;
    }
  }
  return true;
}

}  // namespace hutch::seccomp
