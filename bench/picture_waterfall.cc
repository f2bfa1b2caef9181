#include "bench/picture_waterfall.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "bench/chart.h"

namespace hutch::bench {
namespace {

constexpr double kWidth = 1000;
constexpr double kPlotLeft = 24;
constexpr double kPlotRight = 716;  // labels of the last steps reach beyond
constexpr double kLongestLabel = 400;
constexpr double kLaneTitle = 22;
constexpr double kBarHeight = 18;
constexpr double kLabelRow = 15;
constexpr double kLaneGap = 18;
constexpr double kLabelledPart = 0.01;  // of the whole: from here on a label is due
constexpr const char* kLaneColours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7"};
constexpr const char* kLeader = "#9ca3af";
constexpr const char* kFaintText = "#4b5563";

bool is_wait(const TraceStep& step) {
  return step.name.starts_with("wait for");
}

// A label hangs on a leader line that goes down from the begin of its bar; the text is right of the leader.
struct Label {
  double leader = 0;
  double width = 0;
  int row = 0;
  std::string text;
  int bar_row = 0;
  double left() const { return leader + 4; }
  double right() const { return left() + width; }
};

struct Bar {
  const TraceStep* step = nullptr;
  int row = 0;  // steps of one process that overlap are drawn below each other
};

struct Lane {
  std::string process;
  std::vector<Bar> bars;
  std::vector<Label> labels;
  int bar_rows = 0;
  int label_rows = 0;
  double height() const { return kLaneTitle + bar_rows * kBarHeight + label_rows * kLabelRow + kLaneGap; }
};

bool collides(const Label& one, const Label& other, double between_leaders) {
  if (std::abs(one.leader - other.leader) < between_leaders) return true;
  if (one.row == other.row) return one.left() < other.right() + 8 && other.left() < one.right() + 8;
  const Label& upper = one.row < other.row ? one : other;
  const Label& lower = one.row < other.row ? other : one;
  return lower.leader > upper.left() - 2 && lower.leader < upper.right() + 2;
}

// Puts the label into the highest free row below `rows`; false when there is none.
bool place(std::vector<Label>& placed, Label label, int rows, double between_leaders) {
  for (label.row = 0; label.row < rows; ++label.row) {
    const bool free = std::none_of(placed.begin(), placed.end(), [&](const Label& other) {
      return collides(label, other, between_leaders);
    });
    if (!free) continue;
    placed.push_back(label);
    return true;
  }
  return false;
}

Label label_of(const Bar& bar, const Scale& time) {
  const std::string duration = formatted(" · {:.2f} ms", bar.step->duration);
  Label label;
  label.leader = time.at(bar.step->begin) + 1;
  const double room = std::min(kLongestLabel, kWidth - 16 - label.left());
  label.text = fitted(bar.step->name, room - text_width(duration, kSmallTextSize), kSmallTextSize) + duration;
  label.width = text_width(label.text, kSmallTextSize);
  label.bar_row = bar.row;
  return label;
}

// From right to left, so that a row below all others is always free: no label placed before is crossed there.
void place_labels(Lane& lane, const Scale& time, double whole) {
  std::vector<Label> optional;
  for (auto bar = lane.bars.rbegin(); bar != lane.bars.rend(); ++bar) {
    Label label = label_of(*bar, time);
    if (bar->step->duration < whole * kLabelledPart) {
      optional.push_back(std::move(label));
    } else {
      place(lane.labels, std::move(label), static_cast<int>(lane.labels.size()) + 1, 0);
    }
  }
  for (const Label& label : lane.labels) lane.label_rows = std::max(lane.label_rows, label.row + 1);
  for (Label& label : optional) place(lane.labels, std::move(label), lane.label_rows, 4);
}

// A bar goes into the first row whose last bar has ended. Clocks are read twice per step; an overlap below a
// microsecond is their rounding.
void add_bar(Lane& lane, const TraceStep& step) {
  constexpr double kRounding = 0.001;
  Bar bar{&step, 0};
  const auto overlaps = [&](const Bar& other) {
    return other.row == bar.row && step.begin < other.step->begin + other.step->duration - kRounding;
  };
  while (std::any_of(lane.bars.begin(), lane.bars.end(), overlaps)) ++bar.row;
  lane.bar_rows = std::max(lane.bar_rows, bar.row + 1);
  lane.bars.push_back(bar);
}

std::vector<Lane> lanes_of(const Results& results) {
  std::vector<Lane> lanes;
  for (const TraceStep& step : results.trace) {
    auto lane = std::find_if(lanes.begin(), lanes.end(),
                             [&](const Lane& known) { return known.process == step.process; });
    if (lane == lanes.end()) lane = lanes.insert(lanes.end(), Lane{step.process, {}, {}, 0, 0});
    add_bar(*lane, step);
  }
  return lanes;
}

// How long at least one of the steps runs; they are in order of their begin.
double covered(const std::vector<Bar>& bars, bool with_waits) {
  double total = 0;
  double end = 0;
  for (const Bar& bar : bars) {
    if (is_wait(*bar.step) && !with_waits) continue;
    const double until = bar.step->begin + bar.step->duration;
    total += std::max(0.0, until - std::max(end, bar.step->begin));
    end = std::max(end, until);
  }
  return total;
}

// Time in which one thread works and another one waits is work.
std::string lane_summary(const Lane& lane) {
  const double work = covered(lane.bars, false);
  const double waiting = covered(lane.bars, true) - work;
  return formatted("{} {}, {:.2f} ms of work, {:.2f} ms of waiting", lane.bars.size(),
                   lane.bars.size() == 1 ? "step" : "steps", work, waiting);
}

void draw_bar(Drawing& drawing, const Bar& bar, const Scale& time, double top, const char* colour) {
  const double left = time.at(bar.step->begin);
  const double width = std::max(time.at(bar.step->begin + bar.step->duration) - left, 0.75);
  const double y = top + bar.row * kBarHeight;
  const std::string tooltip =
      formatted("{}: {:.3f} ms, from {:.3f} ms", bar.step->name, bar.step->duration, bar.step->begin);
  if (is_wait(*bar.step)) {
    // The stroke lies inside the step's time.
    const double inset = std::min(0.75, width / 2);
    drawing.rect(left + inset, y + 2.75, width - 2 * inset, kBarHeight - 5.5,
                 {.fill = "#ffffff", .stroke = colour, .stroke_width = 1.5, .tooltip = tooltip});
  } else {
    // A light edge between neighbours; a sliver would be all edge.
    drawing.rect(left, y + 2, width > 2.5 ? width - 0.75 : width, kBarHeight - 4,
                 {.fill = colour, .tooltip = tooltip});
  }
}

void draw_lane(Drawing& drawing, const Lane& lane, const Scale& time, double top, const char* colour) {
  drawing.text({kPlotLeft, top + 14}, lane.process, {.size = 13, .colour = colour, .bold = true});
  drawing.text({kPlotLeft + text_width(lane.process, 13) * 1.1 + 10, top + 14}, lane_summary(lane),
               {.size = kSmallTextSize, .colour = kFaintText});
  const double bars = top + kLaneTitle;
  const double labels = bars + lane.bar_rows * kBarHeight;
  for (const Label& label : lane.labels) {
    const double from = bars + (label.bar_row + 1) * kBarHeight - 2;
    drawing.line({label.leader, from}, {label.leader, labels + label.row * kLabelRow + 10},
                 {.stroke = kLeader});
  }
  for (const Bar& bar : lane.bars) draw_bar(drawing, bar, time, bars, colour);
  for (const Label& label : lane.labels) {
    drawing.text({label.left(), labels + label.row * kLabelRow + 12}, label.text, {.size = kSmallTextSize});
  }
}

}  // namespace

std::optional<std::string> draw_start_waterfall(const Results& results) {
  double whole = 0;
  for (const TraceStep& step : results.trace) whole = std::max(whole, step.begin + step.duration);
  if (whole <= 0) return std::nullopt;

  const Scale time(Scale::Kind::linear, 0, whole, kPlotLeft, kPlotRight);
  std::vector<Lane> lanes = lanes_of(results);
  double bottom = kHeadingHeight;
  for (Lane& lane : lanes) {
    place_labels(lane, time, whole);
    bottom += lane.height();
  }
  Drawing drawing(kWidth, bottom + kAxisHeight + 8, "One container start, step by step");
  draw_heading(drawing, formatted("One container start, step by step: {:.2f} ms", whole),
               "Filled: the process works. Hollow: it waits for another one. " + host_text(results.host));
  draw_x_axis(drawing, time, nice_ticks(0, whole, 8), kHeadingHeight, bottom, "ms since the start of pct");
  double top = kHeadingHeight;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    draw_lane(drawing, lanes[i], time, top, kLaneColours[i % std::size(kLaneColours)]);
    top += lanes[i].height();
  }
  return drawing.svg();
}

}  // namespace hutch::bench
