#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace hutch {

// fmt's formatting behind one out-of-line function, so that fmt's implementation is compiled once
// (Debian ships no static libfmt) and no other file pays for it.
std::string format_values(fmt::string_view format, fmt::format_args args);

// Named so because argument-dependent lookup would find std::format beside a `format`.
template <typename... T>
std::string formatted(fmt::format_string<T...> text, T&&... args) {
  return format_values(text, fmt::make_format_args(args...));
}

}  // namespace hutch
