#include "bench/table.h"

#include <algorithm>

#include "base/format.h"
#include "bench/statistics.h"

namespace hutch::bench {

namespace {

std::string value_text(double value, const std::string& unit) {
  return value < 100 ? formatted("{:.2f} {}", value, unit) : formatted("{:.0f} {}", value, unit);
}

}  // namespace

std::string print_table(const std::string& heading, const std::vector<TableRow>& rows,
                        const std::string& unit, const std::string& reference,
                        const std::string& last_column) {
  const auto base = std::find_if(rows.begin(), rows.end(), [&](const TableRow& row) {
    return row.title == reference && !row.samples.empty();
  });
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.title.size());
  const std::string ratio_title = reference.empty() ? "" : "x " + reference;
  const std::size_t ratio_width = std::max<std::size_t>(ratio_title.size(), 7);
  std::string text = formatted("\n{}\n", heading);
  text += formatted("{:<{}} {:>11} {:>11} {:>11} {:>{}}  {}\n", "", width, "median", "p90", "p99",
                    ratio_title, ratio_width, last_column);
  for (const auto& row : rows) {
    if (row.samples.empty()) {
      text += formatted("{:<{}} {}\n", row.title, width, row.note);
      continue;
    }
    const std::string ratio =
        base == rows.end() ? "-" : formatted("{:.2f}", median(row.samples) / median(base->samples));
    text += formatted("{:<{}} {:>11} {:>11} {:>11} {:>{}}  {}\n", row.title, width,
                      value_text(median(row.samples), unit), value_text(quantile(row.samples, 0.9), unit),
                      value_text(quantile(row.samples, 0.99), unit), ratio, ratio_width, row.note);
  }
  return text;
}

}  // namespace hutch::bench
