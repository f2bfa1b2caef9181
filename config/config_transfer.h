#pragma once

#include <string>
#include <string_view>

#include "config/container_config.h"

// A config with its origins as a text, for handing it from one program to another: `hutch-import` reads
// foreign formats, `pct` plans them.
namespace hutch::config {

struct Transferred {
  ContainerConfig config;
  Diagnostics diagnostics;
};

// One record for each setting, in lines: main section, queued changes and snapshots. Sections whose header is
// not understood, which have no effect, are left out.
std::string write_transfer(const Transferred& transferred);
// Reads that back. Throws Error for a text that write_transfer() did not write.
Transferred read_transfer(std::string_view text);

}  // namespace hutch::config
