#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

// What `hutch-archive` tells its parent over --progress-fd: one line for each event.
//
//   progress <archive bytes consumed> <members made> <bytes of the tar stream>
//   warning <text>
//   failure <errno, 0 for none> <action> TAB <hint>
namespace hutch {

struct HelperProgress {
  std::uint64_t consumed = 0;
  std::uint64_t members = 0;
  std::uint64_t unpacked = 0;
  bool operator==(const HelperProgress&) const = default;
};

std::string progress_line(const HelperProgress& progress);
std::string warning_line(std::string_view text);
std::string failure_line(const Error& error);

// One of the three is set; none for a line of another form.
struct HelperEvent {
  std::optional<HelperProgress> progress;
  std::optional<std::string> warning;
  std::optional<Error> failure;
};
HelperEvent parse_helper_line(std::string_view line);

}  // namespace hutch
