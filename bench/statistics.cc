#include "bench/statistics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/format.h"

namespace hutch::bench {
namespace {

// SplitMix64 (Steele, Lea, Flood, 2014): the standard's distributions differ between libraries.
class Random {
 public:
  // 0 to bound - 1. The bias of the remainder is bound / 2^64.
  std::size_t below(std::size_t bound) {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
  }

 private:
  std::uint64_t state_ = 0x6875746368ULL;
};

void need_samples(std::span<const double> samples) {
  if (samples.empty()) throw Error("cannot take a statistic of no samples");
}

double sorted_quantile(std::span<const double> sorted, double part) {
  const double position = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - std::floor(position)) * (sorted[above] - sorted[below]);
}

double quotient(double measured, double reference) {
  if (reference == 0.0) throw Error("cannot take a ratio to a median of 0");
  return measured / reference;
}

// The median of a list drawn from `samples`; `drawn` is scratch space.
double drawn_median(std::span<const double> samples, Random& random, std::vector<double>& drawn) {
  drawn.resize(samples.size());
  for (double& value : drawn) value = samples[random.below(samples.size())];
  std::sort(drawn.begin(), drawn.end());
  return sorted_quantile(drawn, 0.5);
}

}  // namespace

double quantile(std::span<const double> samples, double part) {
  need_samples(samples);
  if (!(part >= 0.0 && part <= 1.0)) throw Error(formatted("cannot take the quantile {}", part));
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted_quantile(sorted, part);
}

double median(std::span<const double> samples) {
  return quantile(samples, 0.5);
}

double ratio(const RatioSamples& samples) {
  return quotient(median(samples.measured), median(samples.reference));
}

Interval change_interval(const RatioSamples& older, const RatioSamples& newer, double confidence,
                         int rounds) {
  for (const auto samples : {older.measured, older.reference, newer.measured, newer.reference}) {
    need_samples(samples);
  }
  if (rounds < 1) throw Error("cannot take an interval from no rounds");
  Random random;
  std::vector<double> drawn;
  std::vector<double> changes;
  for (int round = 0; round < rounds; ++round) {
    // One after the other: the order in which a compiler evaluates arguments is not fixed.
    const double old_measured = drawn_median(older.measured, random, drawn);
    const double old_reference = drawn_median(older.reference, random, drawn);
    const double new_measured = drawn_median(newer.measured, random, drawn);
    const double new_reference = drawn_median(newer.reference, random, drawn);
    changes.push_back(quotient(quotient(new_measured, new_reference), quotient(old_measured, old_reference)));
  }
  const double tail = (1.0 - confidence) / 2.0;
  return {quantile(changes, tail), quantile(changes, 1.0 - tail)};
}

}  // namespace hutch::bench
