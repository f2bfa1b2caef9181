#pragma once

#include <string>
#include <string_view>

// How descriptions are stored in comment lines (pct-conf 1: percent encoding).
namespace hutch::config {

// Every byte outside 0x20-0x24, 0x26-0x39 and 0x3b-0x7e becomes %XX: '%', ':', control and non-ASCII bytes.
std::string percent_encode(std::string_view text);
// Every %XX with two hex digits (any case) becomes that byte; anything else stays.
std::string percent_decode(std::string_view text);

}  // namespace hutch::config
