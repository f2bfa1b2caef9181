#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hutch {

// Space, tab, CR, LF, FF and VT, whatever the locale.
bool is_blank(char c);
std::string_view trim(std::string_view text);

// Splits at every `separator`; "a,,b" gives three parts, "" gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
// Splits at runs of blanks; never gives empty parts.
std::vector<std::string_view> split_blanks(std::string_view text);
// The parts point into the text, so it must outlive them: a temporary string is refused.
template <std::same_as<std::string> T>
void split(T&& text, char separator) = delete;
template <std::same_as<std::string> T>
void split_blanks(T&& text) = delete;
std::string join(const std::vector<std::string>& parts, std::string_view separator);

std::string to_lower(std::string_view text);

// Length of the UTF-8 sequence at the beginning of `text` (Unicode 15, table 3-7), 0 when there is none; an
// empty text has the length 1.
std::size_t utf8_length(std::string_view text);

// The text for a message on a terminal: control characters (also those of C1, but not tabs), what changes the
// direction of writing, line separators and bytes that are no UTF-8 become "\x1b" and the like, byte by byte.
// What somebody else wrote into a file can then neither move the cursor nor begin a line. Other text stays as
// it is.
std::string terminal_safe(std::string_view text);
// The same for each line of a text of several lines, whose ends stay.
std::string terminal_safe_lines(std::string_view text);

// The whole text as a decimal number; nothing for signs, blanks, other characters, or overflow.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);
// Same with an optional leading '-'.
std::optional<std::int64_t> parse_signed(std::string_view text);
// The whole text as a finite decimal number in the C locale's form: "12", "0.5", "-1e3"; no blanks, no "inf",
// no hexadecimal. (Not std::from_chars: libstdc++'s for doubles makes a program load libm.)
std::optional<double> parse_double(std::string_view text);
// The whole text as an unsigned octal number.
std::optional<std::uint64_t> parse_octal(std::string_view text);

// FNV-1a, 64 bits: names cache files by content; not a cryptographic hash.
std::uint64_t fnv1a(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325ULL);

}  // namespace hutch
