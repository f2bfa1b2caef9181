#pragma once

#include "tests/fuzz/target.h"

// The readers of other programs' files.
namespace hutch::fuzz {

// The classic LXC file, from its lines to a CT config.
Material lxc_material();
void run_lxc_reader(std::string_view input);

// libvirt's XML.
Material xml_material();
void run_xml_importer(std::string_view input);

}  // namespace hutch::fuzz
