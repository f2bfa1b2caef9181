#pragma once

#include <map>
#include <string>
#include <string_view>

namespace hutch::guest {

// The variables of an os-release file (os-release(5)), also of the same-shaped lsb-release.
// 'x' reads up to the closing quote; "x" resolves backslash before " ' ` n t $ \ ; an unquoted value reads up
// to the first blank (Proxmox stops at the first character outside [A-Za-z0-9], so that VERSION_ID=15.6 reads
// as 15 there; here it reads as 15.6, which every version check accepts wherever it accepted 15). Other lines
// are skipped; the last assignment of a name wins.
std::map<std::string, std::string> parse_os_release(std::string_view text);

}  // namespace hutch::guest
