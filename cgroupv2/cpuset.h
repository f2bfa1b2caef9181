#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cgroupv2/layout.h"

namespace hutch::cgroupv2 {

// CPU numbers, ascending, each once.
using CpuList = std::vector<unsigned>;

// "0-3,8", as the kernel prints it (a final newline is fine); "" is the empty list. Throws EINVAL on other
// text, on a range that falls, and on numbers of 65536 or more.
CpuList parse_cpu_list(std::string_view text);
// The same in the kernel's form: ranges of two or more as "a-b".
std::string print_cpu_list(const CpuList& cpus);

// `count` of the `allowed`: members chosen by `seed` are removed until `count` remain; all of them when there
// are no more than `count`. Same arguments, same result.
CpuList choose_cpus(CpuList allowed, std::size_t count, std::uint64_t seed);

// `current`, changed to have `count` members (all of the `allowed` when they are fewer): members that are not
// allowed go, then the highest; what is missing is filled up with allowed ones from the lowest on
// (lxc-mapping 2.1).
CpuList resize_cpus(const CpuList& current, const CpuList& allowed, std::size_t count);

// CPUs that containers may use: the effective cpuset of `group` ("lxc"), of the root when that does not exist
// or is not set up yet. Throws when this host has no cpuset controller.
CpuList effective_cpus(const Layout& layout, const std::string& group = "lxc");

}  // namespace hutch::cgroupv2
