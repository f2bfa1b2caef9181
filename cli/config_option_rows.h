#pragma once

#include <vector>

#include "cli/option_row.h"

namespace hutch::cli {

// One row for each option of the config file that `create` takes (pct-cli.md §2: "all config options"),
// indexed ones once per index: "net0" ... "net31".
std::vector<OptionRow> config_option_rows();

}  // namespace hutch::cli
