#pragma once

#include <string>
#include <vector>

namespace hutch::bench {

struct TableRow {
  std::string title;            // "pct start"
  std::vector<double> samples;  // none: `note` says why
  std::string note;             // last column
};

// Median, p90, p99 and the ratio of the medians to the row titled `reference` (a dash without one), as text
// for people. `last_column` heads the notes. Two decimals below 100, none above.
std::string print_table(const std::string& heading, const std::vector<TableRow>& rows,
                        const std::string& unit, const std::string& reference,
                        const std::string& last_column);

}  // namespace hutch::bench
