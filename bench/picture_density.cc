#include "bench/picture_density.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "bench/chart.h"
#include "bench/statistics.h"

namespace hutch::bench {
namespace {

constexpr double kWidth = 900;
constexpr double kPlotLeft = 70;
constexpr double kPlotRight = 600;
constexpr double kLegendLeft = 625;
constexpr double kPanelTitle = 26;
constexpr double kPlotHeight = 170;
constexpr double kPanelHeight = kPanelTitle + kPlotHeight + kAxisHeight + 14;
constexpr const char* kFaintText = "#4b5563";

struct Measurement {
  double running = 0;
  double low = 0;     // 10th percentile
  double middle = 0;  // median
  double high = 0;    // 90th percentile
};

struct Curve {
  std::string tool;
  std::vector<Measurement> points;  // by `running`
};

struct Panel {
  std::string title;
  std::string unit;
  std::vector<Curve> curves;
};

double running_of(const Results& results, const Series& series) {
  const auto number = parse_unsigned(series.variant);
  if (!number || *number == 0) {
    throw Error(formatted("cannot use '{}': {} must be a number of running containers", results.file,
                          series_name(series)));
  }
  return static_cast<double>(*number);
}

Panel panel_of(const Results& results, const std::string& group, const std::string& title) {
  Panel panel{title, {}, {}};
  for (const Series& series : results.series) {
    if (series.group != group) continue;
    panel.unit = series.unit;
    auto curve = std::find_if(panel.curves.begin(), panel.curves.end(),
                              [&](const Curve& known) { return known.tool == series.tool; });
    if (curve == panel.curves.end()) curve = panel.curves.insert(panel.curves.end(), Curve{series.tool, {}});
    curve->points.push_back({running_of(results, series), quantile(series.samples, 0.1),
                             median(series.samples), quantile(series.samples, 0.9)});
  }
  for (Curve& curve : panel.curves) {
    std::sort(curve.points.begin(), curve.points.end(),
              [](const Measurement& a, const Measurement& b) { return a.running < b.running; });
  }
  return panel;
}

// Logarithmic where one tool takes many times as long as another: the faster one's growth must stay visible.
Scale value_scale(const Panel& panel, double top, double bottom) {
  constexpr double kWideSpread = 10;
  double low = std::numeric_limits<double>::infinity();
  double smallest = low;
  double largest = 0;
  double high = 0;
  for (const Curve& curve : panel.curves) {
    for (const Measurement& point : curve.points) {
      low = std::min(low, point.low);
      high = std::max(high, point.high);
      smallest = std::min(smallest, point.middle);
      largest = std::max(largest, point.middle);
    }
  }
  if (largest > kWideSpread * smallest) {
    return Scale(Scale::Kind::logarithmic, nice_floor(low), nice_ceiling(high), bottom, top);
  }
  return Scale(Scale::Kind::linear, 0, high * 1.08, bottom, top);
}

Scale running_scale(const std::vector<Panel>& panels) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const Panel& panel : panels) {
    for (const Curve& curve : panel.curves) {
      low = std::min(low, curve.points.front().running);
      high = std::max(high, curve.points.back().running);
    }
  }
  // A little room on both sides for the marks.
  return Scale(Scale::Kind::logarithmic, low / 1.25, high * 1.25, kPlotLeft, kPlotRight);
}

std::vector<double> running_ticks(const std::vector<Panel>& panels) {
  std::vector<double> ticks;
  for (const Panel& panel : panels) {
    for (const Curve& curve : panel.curves) {
      for (const Measurement& point : curve.points) ticks.push_back(point.running);
    }
  }
  std::sort(ticks.begin(), ticks.end());
  ticks.erase(std::unique(ticks.begin(), ticks.end()), ticks.end());
  return ticks;
}

void draw_curve(Drawing& drawing, const Curve& curve, const Scale& running, const Scale& value,
                double shift) {
  const std::string colour = tool_colour(curve.tool);
  std::vector<Point> line;
  for (const Measurement& point : curve.points) {
    const double x = running.at(point.running) + shift;
    drawing.line({x, value.at(point.low)}, {x, value.at(point.high)},
                 {.stroke = colour, .stroke_width = 5, .opacity = 0.3});
    line.push_back({x, value.at(point.middle)});
  }
  drawing.polyline(line, {.stroke = colour, .stroke_width = 2});
  for (const Point& point : line) drawing.circle(point, 3.5, {.fill = colour});
}

// What the curve says, beside the plot: first and last median, and the growth.
void draw_curve_text(Drawing& drawing, const Curve& curve, const std::string& unit, double y) {
  const Measurement& first = curve.points.front();
  const Measurement& last = curve.points.back();
  drawing.rect(kLegendLeft, y - 10, 12, 12, {.fill = tool_colour(curve.tool)});
  drawing.text({kLegendLeft + 17, y}, tool_label(curve.tool), {.bold = curve.tool == "pct"});
  std::string text = formatted("{} {} at {}", number_text(first.middle), unit, first.running);
  if (curve.points.size() > 1) {
    text += formatted(", {} {} at {} ({:.2f} ×)", number_text(last.middle), unit, last.running,
                      last.middle / first.middle);
  }
  const TextStyle style{.size = kSmallTextSize, .colour = kFaintText};
  drawing.text({kLegendLeft + 17, y + 15}, fitted(text, kWidth - kLegendLeft - 27, kSmallTextSize), style);
}

void draw_panel(Drawing& drawing, const Panel& panel, const Scale& running, const std::vector<double>& ticks,
                double top) {
  const double plot_top = top + kPanelTitle;
  const double plot_bottom = plot_top + kPlotHeight;
  const Scale value = value_scale(panel, plot_top, plot_bottom);
  const bool logarithmic = value.kind() == Scale::Kind::logarithmic;
  drawing.text({20, top + 14},
               formatted("{}, {}{}", panel.title, panel.unit, logarithmic ? " (logarithmic)" : ""),
               {.size = 13, .bold = true});
  draw_x_axis(drawing, running, ticks, plot_top, plot_bottom, "running containers (logarithmic)");
  draw_y_axis(drawing, value,
              logarithmic ? logarithmic_ticks(value.low(), value.high()) : nice_ticks(0, value.high(), 5),
              kPlotLeft, kPlotRight);
  double shift = -2.0 * static_cast<double>(panel.curves.size() - 1);
  double y = plot_top + 12;
  for (const Curve& curve : panel.curves) {
    draw_curve(drawing, curve, running, value, shift);
    draw_curve_text(drawing, curve, panel.unit, y);
    shift += 4;
    y += 38;
  }
}

}  // namespace

std::optional<std::string> draw_density(const Results& results) {
  std::vector<Panel> panels;
  for (const auto& [group, title] : {std::pair("density_start", "Time to start one more container"),
                                     std::pair("density_list", "Time to list all containers")}) {
    Panel panel = panel_of(results, group, title);
    if (!panel.curves.empty()) panels.push_back(std::move(panel));
  }
  if (panels.empty()) return std::nullopt;
  const Scale running = running_scale(panels);
  const std::vector<double> ticks = running_ticks(panels);
  Drawing drawing(kWidth, kHeadingHeight + kPanelHeight * static_cast<double>(panels.size()),
                  "Start and list time against running containers");
  draw_heading(drawing, "With many containers running",
               "Dot: median. Broad line: from p10 to p90. " + host_text(results.host));
  double top = kHeadingHeight;
  for (const Panel& panel : panels) {
    draw_panel(drawing, panel, running, ticks, top);
    top += kPanelHeight;
  }
  return drawing.svg();
}

}  // namespace hutch::bench
