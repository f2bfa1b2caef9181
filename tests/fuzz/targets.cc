#include <fcntl.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "tests/fuzz/config_targets.h"
#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/target.h"

namespace hutch::fuzz {

namespace {

constexpr Target kTargets[] = {
    {"config-reader", "read, written and read again it is the same", config_material, run_config_reader},
    {"property-string", "printed and read again it is the same; the command line's form can be stored",
     property_material, run_property_string},
    {"id-map", "a map that is taken has a root and only real ids", id_map_material, run_id_map},
    {"lxc-reader", "what is imported can be written and read", lxc_material, run_lxc_reader},
    {"xml-importer", "what is imported can be written and read", xml_material, run_xml_importer},
};

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

std::vector<std::string> corpus_texts() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("tests/config/corpus")) {
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const auto& path : paths) texts.push_back(read_file(AT_FDCWD, path));
  return texts;
}

}  // namespace hutch::fuzz
