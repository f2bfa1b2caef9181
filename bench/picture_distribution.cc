#include "bench/picture_distribution.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "bench/chart.h"
#include "bench/statistics.h"

namespace hutch::bench {
namespace {

constexpr double kWidth = 960;
constexpr double kPlotLeft = 150;
constexpr double kPlotRight = 660;
constexpr double kColumnHeads = 16;
constexpr double kRow = 44;
constexpr double kNoteLine = 16;
constexpr double kRight[] = {756, 846, 940};  // where the columns median, p90, ratio end
constexpr const char* kFaintText = "#4b5563";

std::vector<const Series*> rows_of(const Results& results) {
  std::vector<const Series*> rows;
  for (const Series& series : results.series) {
    if (series.group == "start" && series.variant == "base") rows.push_back(&series);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Series* a, const Series* b) { return median(a->samples) < median(b->samples); });
  return rows;
}

Scale time_scale(const std::vector<const Series*>& rows) {
  double low = rows.front()->samples.front();
  double high = low;
  for (const Series* row : rows) {
    low = std::min(low, quantile(row->samples, 0));
    high = std::max(high, quantile(row->samples, 1));
  }
  low = nice_floor(low);
  high = nice_ceiling(high);
  if (low == high) high = low * 2;
  return Scale(Scale::Kind::logarithmic, low, high, kPlotLeft, kPlotRight);
}

void draw_row(Drawing& drawing, const Series& row, const Scale& time, double middle) {
  const std::string colour = tool_colour(row.tool);
  drawing.text({kPlotLeft - 12, middle + 4}, fitted(tool_label(row.tool), kPlotLeft - 24),
               {.anchor = "end", .bold = row.tool == "pct"});
  // Golden-ratio steps spread the dots evenly over the row's height, the same way each time.
  double place = 0;
  for (const double sample : row.samples) {
    place += 0.6180339887;
    place -= std::floor(place);
    drawing.circle({time.at(sample), middle - 13 + 26 * place}, 1.8, {.fill = colour, .opacity = 0.3});
  }
  const double lower = time.at(quantile(row.samples, 0.25));
  const double upper = time.at(quantile(row.samples, 0.75));
  const double at_median = time.at(median(row.samples));
  const double at_p90 = time.at(quantile(row.samples, 0.9));
  drawing.rect(lower, middle - 8, std::max(upper - lower, 1.0), 16, {.stroke = colour, .stroke_width = 1.25});
  drawing.line({at_p90, middle - 12}, {at_p90, middle + 12},
               {.stroke = colour, .stroke_width = 1.5, .dashes = "3 2"});
  drawing.line({at_median, middle - 15}, {at_median, middle + 15}, {.stroke = colour, .stroke_width = 3.5});
}

void draw_numbers(Drawing& drawing, const Series& row, const Series* floor, double middle) {
  const bool bold = row.tool == "pct";
  const std::string ratio_text =
      floor == nullptr ? "–" : formatted("{:.2f} ×", ratio({row.samples, floor->samples}));
  const std::string texts[] = {formatted("{} {}", number_text(median(row.samples)), row.unit),
                               formatted("{} {}", number_text(quantile(row.samples, 0.9)), row.unit),
                               ratio_text};
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    drawing.text({kRight[i], middle + 4}, texts[i], {.anchor = "end", .bold = bold});
  }
}

std::vector<std::string> notes_of(const std::vector<const Series*>& rows) {
  std::vector<std::string> notes;
  for (const Series* row : rows) {
    if (row->leaves_out.empty()) continue;
    const std::string note = formatted("{} leaves out: {}", tool_label(row->tool), row->leaves_out);
    for (const std::string& line : wrapped(note, kWidth - 40, kSmallTextSize)) notes.push_back(line);
  }
  return notes;
}

}  // namespace

std::optional<std::string> draw_start_distribution(const Results& results) {
  const auto rows = rows_of(results);
  if (rows.empty()) return std::nullopt;
  const Series* floor = find_series(results, "start", "base", "floor");
  const Scale time = time_scale(rows);
  const auto notes = notes_of(rows);
  const double top = kHeadingHeight + kColumnHeads;
  const double bottom = top + kRow * static_cast<double>(rows.size()) + 4;
  const double height = bottom + kAxisHeight + 12 + kNoteLine * static_cast<double>(notes.size());

  Drawing drawing(kWidth, height, "How long a container start takes, by tool");
  draw_heading(drawing, "How long a container start takes",
               "Dot: one start. Box: the middle half. Thick line: median. Dashed line: p90. " +
                   host_text(results.host));
  const char* const heads[] = {"median", "p90", "to floor"};
  for (std::size_t i = 0; i < std::size(heads); ++i) {
    drawing.text({kRight[i], kHeadingHeight + 10}, heads[i],
                 {.size = kSmallTextSize, .anchor = "end", .colour = kFaintText});
  }
  draw_x_axis(drawing, time, logarithmic_ticks(time.low(), time.high()), top, bottom,
              rows.front()->unit + ", whole command from exec to exit (logarithmic)");
  double middle = top + kRow / 2 + 2;
  for (const Series* row : rows) {
    draw_row(drawing, *row, time, middle);
    draw_numbers(drawing, *row, floor, middle);
    middle += kRow;
  }
  double note = bottom + kAxisHeight + kNoteLine;
  for (const std::string& line : notes) {
    drawing.text({20, note}, line, {.size = kSmallTextSize, .colour = kFaintText});
    note += kNoteLine;
  }
  return drawing.svg();
}

}  // namespace hutch::bench
