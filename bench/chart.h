#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/results.h"
#include "bench/svg.h"

// What the pictures have in common: scales, axes, the colours and names of the tools, number texts.
namespace hutch::bench {

// Maps values to pixels, linearly or logarithmically.
class Scale {
 public:
  enum class Kind { linear, logarithmic };
  // `low` < `high`; above 0 when logarithmic (else Error). `from` and `to` are the pixels of low and high.
  Scale(Kind kind, double low, double high, double from, double to);
  double at(double value) const;
  Kind kind() const { return kind_; }
  double low() const { return low_; }
  double high() const { return high_; }
  double from() const { return from_; }
  double to() const { return to_; }

 private:
  Kind kind_;
  double low_;
  double high_;
  double from_;
  double to_;
};

// Round numbers (1, 2 or 5 times a power of ten apart) in [low, high], about `count` of them; low < high.
std::vector<double> nice_ticks(double low, double high, int count);
// 1, 2 and 5 times the powers of ten in [low, high]; 0 < low <= high.
std::vector<double> logarithmic_ticks(double low, double high);
// The next 1, 2 or 5 times a power of ten at or below, at or above `value` (> 0).
double nice_floor(double value);
double nice_ceiling(double value);

// A horizontal axis at `bottom` with a grid up to `top`, tick texts below and its `label` below those: takes
// kAxisHeight below `bottom`. Ticks whose text would touch the one before keep only their grid line.
inline constexpr double kAxisHeight = 40;
void draw_x_axis(Drawing& drawing, const Scale& scale, const std::vector<double>& ticks, double top,
                 double bottom, const std::string& label);
// A vertical axis: grid from `left` to `right`, tick texts left of it.
void draw_y_axis(Drawing& drawing, const Scale& scale, const std::vector<double>& ticks, double left,
                 double right);

// A heading and, below it, one line that says what is shown, cut at the edge; the plot can begin at
// kHeadingHeight.
inline constexpr double kHeadingHeight = 62;
void draw_heading(Drawing& drawing, const std::string& heading, const std::string& explanation);

// "kernel 6.18, 2 processors, hybrid cgroups, 2026-11-21".
std::string host_text(const Host& host);

// A swatch and the name per tool, from left to right.
void draw_legend(Drawing& drawing, Point at, const std::vector<std::string>& tools);

// How pictures call a tool: "systemd-nspawn" for "nspawn"; unknown names as they are.
std::string tool_label(std::string_view tool);
// From the palette of Okabe and Ito (2008), which readers with colour vision deficiencies can tell apart. A
// tool has the same colour in every picture; unknown tools are grey.
std::string tool_colour(std::string_view tool);

// About three digits: "0.125", "2.41", "35.1", "1204"; without trailing zeros when `shortest`.
std::string number_text(double value, bool shortest = false);

}  // namespace hutch::bench
