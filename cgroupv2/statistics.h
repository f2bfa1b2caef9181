#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cgroupv2/layout.h"

namespace hutch::cgroupv2 {

// Share of time in percent, averaged over 10 s (Documentation/accounting/psi.rst).
struct Pressure {
  double some = 0;
  double full = 0;
  bool operator==(const Pressure&) const = default;
};

// What a group uses now. Unset: this kernel or the group's tree does not count it.
struct Statistics {
  std::optional<std::uint64_t> memory_bytes;  // without the page cache
  std::optional<std::uint64_t> swap_bytes;
  // Since the group was made, over all devices. On a hybrid host only where the group is on the blkio
  // hierarchy, that is, when it has io limits.
  std::optional<std::uint64_t> io_read_bytes;
  std::optional<std::uint64_t> io_written_bytes;
  std::optional<Pressure> cpu;
  std::optional<Pressure> io;
  std::optional<Pressure> memory;
  bool operator==(const Statistics&) const = default;
};

// Of the group `path` ("lxc/100"). A group that does not exist gives no values. Throws on a file that cannot
// be read for another reason than being absent (ENOENT, ENODEV, or EOPNOTSUPP of a pressure file when PSI is
// off), or whose text is not in the documented form.
Statistics read_statistics(const Layout& layout, const std::string& path);

}  // namespace hutch::cgroupv2
