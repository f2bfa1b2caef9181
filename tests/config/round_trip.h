#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "config/container_config.h"
#include "config/property_formats.h"

// What has to hold for every text that is read as a config, whatever is in it: writing keeps all of it.
namespace hutch::config {

inline void forget_origins(Section& section) {
  for (auto& [key, value] : section.options) value.origin = {};
  for (auto& [key, lines] : section.superseded) {
    for (auto& line : lines) line.origin = {};
  }
  for (auto& variable : section.environment) variable.origin = {};
  for (auto& entry : section.raw) entry.origin = {};
  for (auto& line : section.unreadable) line.origin = {};
}

// The document alone: without the places where its parts stood.
inline ContainerConfig document_of(ContainerConfig config) {
  config.digest.clear();
  forget_origins(config.main);
  forget_origins(config.pending);
  for (auto& [name, section] : config.snapshots) forget_origins(section);
  return config;
}

inline void drop_what_is_not_written(Section& section) {
  // Empty lines at the end of a description.
  const auto last = section.description.find_last_not_of('\n');
  section.description.erase(last == std::string::npos ? 0 : last + 1);
  if (!section.description.empty()) section.description += '\n';
}

// Without what the format says is not written (pct-conf 3): the end of descriptions, and in the main section
// unused volumes that are used.
inline ContainerConfig as_written(ContainerConfig config, const ContainerConfig& read_again) {
  drop_what_is_not_written(config.main);
  drop_what_is_not_written(config.pending);
  for (auto& [name, section] : config.snapshots) drop_what_is_not_written(section);
  std::erase_if(config.main.options, [&read_again](const auto& option) {
    return option.first.starts_with("unused") && !read_again.main.has(option.first);
  });
  return config;
}

inline std::string complaint_about(const char* what, const std::string& first, const std::string& second) {
  return std::string(what) + "\n--- written first\n" + first + "--- written then\n" + second;
}

// Reads `text`, writes it and reads that; "" when nothing was lost or changed, else what was.
inline std::string round_trip_complaint(std::string_view text) {
  Diagnostics ignored;
  const auto read = read_config(text, "100.conf", 100, ignored);
  const std::string written = write_config(read);
  const auto read_again = read_config(written, "100.conf", 100, ignored);
  const std::string written_again = write_config(read_again);
  if (written_again != written) return complaint_about("writing is not stable", written, written_again);
  auto before = as_written(document_of(read), read_again);
  const auto after = document_of(read_again);
  if (before == after) return {};
  // A pending section that has nothing but an empty description is none.
  return complaint_about("the document changed", written, written_again);
}

}  // namespace hutch::config
