#include "bench/picture_variants.h"

#include <algorithm>

#include "base/format.h"
#include "bench/chart.h"
#include "bench/statistics.h"

namespace hutch::bench {
namespace {

constexpr double kWidth = 900;
constexpr double kPlotLeft = 190;
constexpr double kPlotRight = 820;
constexpr double kLegend = 26;
constexpr double kBar = 17;
constexpr double kGroupGap = 14;

struct Bar {
  std::string tool;
  double ratio = 0;
};

struct Group {
  std::string variant;
  bool of_base = false;  // measured against the floor of variant base
  std::vector<Bar> bars;
};

std::vector<Group> groups_of(const Results& results) {
  const Series* base = find_series(results, "start", "base", "floor");
  std::vector<Group> groups;
  for (const Series& series : results.series) {
    if (series.group != "start" || series.tool == "floor") continue;
    const Series* own = find_series(results, "start", series.variant, "floor");
    const Series* floor = own == nullptr ? base : own;
    if (floor == nullptr) continue;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& known) { return known.variant == series.variant; });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), Group{series.variant, own == nullptr, {}});
    }
    group->bars.push_back({series.tool, ratio({series.samples, floor->samples})});
  }
  return groups;
}

std::vector<std::string> tools_of(const std::vector<Group>& groups) {
  std::vector<std::string> tools;
  for (const Group& group : groups) {
    for (const Bar& bar : group.bars) {
      if (std::find(tools.begin(), tools.end(), bar.tool) == tools.end()) tools.push_back(bar.tool);
    }
  }
  return tools;
}

double height_of(const Group& group) {
  return kBar * static_cast<double>(group.bars.size()) + kGroupGap;
}

void draw_group(Drawing& drawing, const Group& group, const Scale& scale, double top) {
  const double middle = top + height_of(group) / 2;
  drawing.text({kPlotLeft - 10, middle + 4},
               fitted(group.variant + (group.of_base ? " *" : ""), kPlotLeft - 24), {.anchor = "end"});
  double y = top + kGroupGap / 2;
  for (const Bar& bar : group.bars) {
    const double end = scale.at(bar.ratio);
    drawing.rect(
        kPlotLeft, y + 1, end - kPlotLeft, kBar - 2,
        {.fill = tool_colour(bar.tool),
         .tooltip = formatted("{}, {}: {:.2f} × the floor", tool_label(bar.tool), group.variant, bar.ratio)});
    drawing.text({end + 5, y + kBar / 2 + 4}, formatted("{:.2f}", bar.ratio),
                 {.size = kSmallTextSize, .bold = bar.tool == "pct"});
    y += kBar;
  }
}

}  // namespace

std::optional<std::string> draw_start_variants(const Results& results) {
  const std::vector<Group> groups = groups_of(results);
  if (groups.empty()) return std::nullopt;
  double largest = 1;
  double bottom = kHeadingHeight + kLegend;
  bool any_of_base = false;
  for (const Group& group : groups) {
    for (const Bar& bar : group.bars) largest = std::max(largest, bar.ratio);
    bottom += height_of(group);
    any_of_base = any_of_base || group.of_base;
  }
  const Scale scale(Scale::Kind::linear, 0, largest * 1.02, kPlotLeft, kPlotRight);
  Drawing drawing(kWidth, bottom + kAxisHeight + (any_of_base ? 24 : 8),
                  "Start time by variant, to the floor");
  draw_heading(drawing, "Start time by variant, as a multiple of the floor",
               "Medians; dashed: the floor, the bare system calls. " + host_text(results.host));
  draw_legend(drawing, {kPlotLeft, kHeadingHeight + 12}, tools_of(groups));
  const double plot_top = kHeadingHeight + kLegend;
  draw_x_axis(drawing, scale, nice_ticks(0, largest, 8), plot_top, bottom, "× the floor's median");
  double top = plot_top;
  for (const Group& group : groups) {
    draw_group(drawing, group, scale, top);
    top += height_of(group);
  }
  drawing.line({scale.at(1), plot_top}, {scale.at(1), bottom},
               {.stroke = "#111111", .stroke_width = 1.25, .dashes = "4 3"});
  if (any_of_base) {
    drawing.text({20, bottom + kAxisHeight + 14},
                 "* to the floor of variant base: this variant has none of its own",
                 {.size = kSmallTextSize});
  }
  return drawing.svg();
}

}  // namespace hutch::bench
