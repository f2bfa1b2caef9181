#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Order statistics of measured samples. No function changes its input or needs it sorted; each throws Error
// when a list it needs is empty. Results depend on the values alone: the random numbers of the bootstrap come
// from a fixed seed.
namespace hutch::bench {

// The value below which the part `part` (0 to 1, else Error) of the samples lies, with linear interpolation
// between neighbours (type 7 of Hyndman and Fan, 1996). 0 is the smallest sample, 1 the largest.
double quantile(std::span<const double> samples, double part);
// quantile(samples, 0.5).
double median(std::span<const double> samples);

struct Interval {
  double low = 0;
  double high = 0;
};

// One measured ratio: median(measured) / median(reference), both from the same run.
struct RatioSamples {
  std::span<const double> measured;
  std::span<const double> reference;
};
// median(measured) / median(reference). The median of the reference must not be 0 (Error).
double ratio(const RatioSamples& samples);

// Where ratio(newer) / ratio(older) lies with the given confidence (0 to 1), as far as the scatter of the
// samples tells: the percentile bootstrap (Efron, 1979). Each of the four lists is drawn anew, with
// replacement, `rounds` times.
Interval change_interval(const RatioSamples& older, const RatioSamples& newer, double confidence = 0.99,
                         int rounds = 2000);

}  // namespace hutch::bench
