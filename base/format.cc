#define FMT_HEADER_ONLY 1
// Numbers never follow a locale: fmt would link every locale facet of the C++ library for that.
#define FMT_STATIC_THOUSANDS_SEPARATOR ','
#include <fmt/format.h>

namespace hutch {

// Declared in base/format.h, which this file must not include: fmt/core.h there would be read
// without FMT_HEADER_ONLY.
std::string format_values(fmt::string_view format, fmt::format_args args);

std::string format_values(fmt::string_view format, fmt::format_args args) {
  return fmt::vformat(format, args);
}

}  // namespace hutch
