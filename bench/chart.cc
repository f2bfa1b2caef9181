#include "bench/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/format.h"

namespace hutch::bench {
namespace {

constexpr const char* kGrid = "#e3e6ea";
constexpr const char* kAxis = "#6b7280";
constexpr const char* kFaintText = "#4b5563";
constexpr double kMargin = 20;

struct ToolLook {
  std::string_view tool;
  const char* label;
  const char* colour;
};
constexpr ToolLook kTools[] = {
    {"floor", "floor", "#000000"},      {"pct", "pct", "#0072B2"},
    {"lxc", "lxc", "#D55E00"},          {"crun", "crun", "#009E73"},
    {"runc", "runc", "#E69F00"},        {"nspawn", "systemd-nspawn", "#CC79A7"},
    {"bwrap", "bubblewrap", "#56B4E9"}, {"tar", "zstd | tar", "#000000"},
};

const ToolLook* look_of(std::string_view tool) {
  const auto* found = std::find_if(std::begin(kTools), std::end(kTools),
                                   [&](const ToolLook& look) { return look.tool == tool; });
  return found == std::end(kTools) ? nullptr : found;
}

// The factor 1, 2 or 5 and the power of ten around a value: value = mantissa * unit, 1 <= mantissa < 10. The
// small allowance keeps a value that is such a number up to rounding from counting as its neighbour.
double unit_of(double value) {
  return std::pow(10.0, std::floor(std::log10(value) + 1e-9));
}

}  // namespace

Scale::Scale(Kind kind, double low, double high, double from, double to)
    : kind_(kind), low_(low), high_(high), from_(from), to_(to) {
  if (!(low < high) || (kind == Kind::logarithmic && low <= 0)) {
    throw Error(formatted("cannot make an axis from {} to {}", low, high));
  }
}

double Scale::at(double value) const {
  const double part = kind_ == Kind::linear ? (value - low_) / (high_ - low_)
                                            : std::log(value / low_) / std::log(high_ / low_);
  return from_ + part * (to_ - from_);
}

double nice_floor(double value) {
  const double unit = unit_of(value);
  const double mantissa = value / unit * (1 + 1e-9);
  return (mantissa >= 5 ? 5 : mantissa >= 2 ? 2 : 1) * unit;
}

double nice_ceiling(double value) {
  const double unit = unit_of(value);
  const double mantissa = value / unit * (1 - 1e-9);
  return (mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 5 ? 5 : 10) * unit;
}

std::vector<double> nice_ticks(double low, double high, int count) {
  const double step = nice_ceiling((high - low) / std::max(count, 1));
  std::vector<double> ticks;
  // Multiples, not sums: sums drift.
  for (double index = std::ceil(low / step - 1e-9); index * step <= high + step * 1e-9; ++index) {
    ticks.push_back(index * step);
  }
  return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  std::vector<double> ticks;
  for (double unit = unit_of(low); unit <= high * (1 + 1e-9); unit *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * unit;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

void draw_x_axis(Drawing& drawing, const Scale& scale, const std::vector<double>& ticks, double top,
                 double bottom, const std::string& label) {
  double used = -std::numeric_limits<double>::infinity();
  for (const double tick : ticks) {
    const double x = scale.at(tick);
    drawing.line({x, top}, {x, bottom}, {.stroke = kGrid});
    const std::string text = number_text(tick, true);
    const double half = text_width(text, kSmallTextSize) / 2;
    if (x - half < used) continue;
    drawing.line({x, bottom}, {x, bottom + 4}, {.stroke = kAxis});
    drawing.text({x, bottom + 16}, text, {.size = kSmallTextSize, .anchor = "middle", .colour = kFaintText});
    used = x + half + 6;
  }
  drawing.line({scale.from(), bottom}, {scale.to(), bottom}, {.stroke = kAxis});
  drawing.text({(scale.from() + scale.to()) / 2, bottom + 33}, label,
               {.size = kSmallTextSize, .anchor = "middle", .colour = kFaintText});
}

void draw_y_axis(Drawing& drawing, const Scale& scale, const std::vector<double>& ticks, double left,
                 double right) {
  for (const double tick : ticks) {
    const double y = scale.at(tick);
    drawing.line({left, y}, {right, y}, {.stroke = kGrid});
    drawing.text({left - 6, y + 4}, number_text(tick, true),
                 {.size = kSmallTextSize, .anchor = "end", .colour = kFaintText});
  }
  drawing.line({left, scale.from()}, {left, scale.to()}, {.stroke = kAxis});
}

void draw_heading(Drawing& drawing, const std::string& heading, const std::string& explanation) {
  drawing.text({kMargin, 28}, heading, {.size = 16, .bold = true});
  drawing.text({kMargin, 47}, fitted(explanation, drawing.width() - 2 * kMargin),
               {.size = kTextSize, .colour = kFaintText});
}

std::string host_text(const Host& host) {
  return formatted("kernel {}, {} {}, {} cgroups, {}", host.kernel, host.cpus,
                   host.cpus == 1 ? "processor" : "processors", host.cgroups, host.date);
}

void draw_legend(Drawing& drawing, Point at, const std::vector<std::string>& tools) {
  double x = at.x;
  for (const std::string& tool : tools) {
    drawing.rect(x, at.y - 10, 12, 12, {.fill = tool_colour(tool)});
    drawing.text({x + 17, at.y}, tool_label(tool));
    x += 17 + text_width(tool_label(tool)) + 18;
  }
}

std::string tool_label(std::string_view tool) {
  const ToolLook* look = look_of(tool);
  return look == nullptr ? std::string(tool) : look->label;
}

std::string tool_colour(std::string_view tool) {
  const ToolLook* look = look_of(tool);
  return look == nullptr ? "#888888" : look->colour;
}

std::string number_text(double value, bool shortest) {
  const double size = std::abs(value);
  std::string text = size >= 100   ? formatted("{:.0f}", value)
                     : size >= 10  ? formatted("{:.1f}", value)
                     : size >= 1   ? formatted("{:.2f}", value)
                     : size == 0.0 ? std::string("0")
                                   : formatted("{:.3g}", value);
  if (shortest && text.find('.') != std::string::npos && text.find('e') == std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text;
}

}  // namespace hutch::bench
