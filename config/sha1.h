#pragma once

#include <string>
#include <string_view>

namespace hutch::config {

// SHA-1 (FIPS 180-4) as 40 lower-case hex digits: the `digest` of a config file. Only compared for equality
// to notice a file that changed meanwhile; nothing's safety rests on it.
std::string sha1_hex(std::string_view data);

}  // namespace hutch::config
