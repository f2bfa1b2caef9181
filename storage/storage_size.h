#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Size arithmetic of volumes (pct-conf 7.3).
namespace hutch {

// SIZE of "STORAGE:SIZE": GiB, digits with an optional decimal part ("8", "0.5"), to bytes, rounded down to
// whole MiB. Nothing when the text is no such number or too large (above 8 EiB).
std::optional<std::uint64_t> parse_gib(std::string_view text);

// As `size=` records it: the largest of the units T, G, M, K that divides the size ("8G", "512M", "1536K"),
// plain bytes otherwise; "0T" for 0 as PVE writes it.
std::string size_text(std::uint64_t bytes);

// A disk-size ("8G", "512M", "1.5T", "4096", "2 GiB" is none): N[.N] with K, M, G, T or KiB ... TiB, powers
// of 1024; plain bytes without a unit. Rounded down to whole bytes. Nothing when it is no such text.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace hutch
