#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

// The only place that knows CLI11: apart, because its headers are large and its templates do not follow this
// project's warnings.
namespace hutch::cli {

// Parses canonical words with CLI11: option name -> its values in order. Only the options that occur are
// built. Throws ArgumentError.
std::map<std::string, std::vector<std::string>> collect_values(
    const std::vector<std::pair<std::string, std::string>>& canonical);

}  // namespace hutch::cli
