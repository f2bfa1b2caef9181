#pragma once

#include "tests/fuzz/target.h"

// The parsers of PVE's config.
namespace hutch::fuzz {

Material config_material();
void run_config_reader(std::string_view input);

Material property_material();
void run_property_string(std::string_view input);

Material id_map_material();
void run_id_map(std::string_view input);

}  // namespace hutch::fuzz
