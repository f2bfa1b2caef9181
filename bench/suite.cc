#include "bench/suite.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/files.h"
#include "base/format.h"

namespace hutch::bench {

bool Suite::wants(const std::string& group) const {
  return std::find(options.groups.begin(), options.groups.end(), group) != options.groups.end();
}

bool Suite::competes(const Tool& candidate) const {
  return !candidate.program.empty() &&
         std::find(options.tools.begin(), options.tools.end(), candidate.name) != options.tools.end();
}

const Tool* Suite::tool(const std::string& name) const {
  const auto found =
      std::find_if(tools.begin(), tools.end(), [&](const Tool& candidate) { return candidate.name == name; });
  return found == tools.end() || found->program.empty() ? nullptr : &*found;
}

void Suite::report_failure(const std::string& what, const std::string& reason, bool required) {
  std::cout.flush();
  std::cerr << "hutch-bench: " << what << " was left out: " << reason << '\n';
  if (required) complete = false;
}

void Suite::add_series(const std::string& group, const std::string& variant, const std::string& tool_name,
                       const std::string& unit, const std::vector<double>& samples,
                       const std::string& leaves_out) {
  if (!samples.empty()) results.series.push_back({group, variant, tool_name, unit, leaves_out, samples});
}

unsigned spare_vmid(const Arena& arena, unsigned index) {
  return arena.first_vmid + static_cast<unsigned>(variant_table().size()) * kMaxPlaces + index;
}

std::string debian_template() {
  const char* cache = std::getenv("HUTCH_CACHE");
  const std::string directory = cache != nullptr ? cache : "/var/cache/hutch-templates";
  for (const auto& name : list_directory(directory)) {
    if (name.starts_with("debian-") && name.ends_with(".tar.zst")) return formatted("{}/{}", directory, name);
  }
  return {};
}

}  // namespace hutch::bench
