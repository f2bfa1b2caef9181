#include "bench/function_order.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::bench {

namespace {

constexpr std::string_view kHead = "Linker script and memory map";
constexpr std::string_view kOwnLibraries = "libhutch_";

std::optional<std::uint64_t> parse_hexadecimal(std::string_view word) {
  if (!word.starts_with("0x")) return std::nullopt;
  word.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// An input section is indented by one blank; an output section is not, what is in a section more.
bool begins_section(std::string_view line) {
  return line.starts_with(" .text");
}

// "0x1260 0x2f /usr/lib/libc.a(malloc.o)"
std::optional<CodePiece> read_place(std::string_view section, const std::vector<std::string_view>& words) {
  if (words.size() < 3) return std::nullopt;
  const auto address = parse_hexadecimal(words[0]);
  const auto size = parse_hexadecimal(words[1]);
  if (!address || !size || *address == 0 || *size == 0) return std::nullopt;
  return CodePiece{*address, *size, std::string(section), std::string(words[2])};
}

// "libc.a" and "malloc.o" of ".../libc.a(malloc.o)"; empty archive: an object of its own.
std::pair<std::string, std::string> archive_and_object(const std::string& file) {
  const std::string name = file.substr(file.rfind('/') + 1);
  const auto open = name.find('(');
  if (open == std::string::npos || !name.ends_with(')')) return {"", name};
  return {name.substr(0, open), name.substr(open + 1, name.size() - open - 2)};
}

// "libm-2.36.a" is "libm-*.a" on every host.
std::string without_version(const std::string& archive) {
  const auto dash = archive.rfind('-');
  const auto end = archive.rfind(".a");
  if (dash == std::string::npos || end == std::string::npos || end < dash) return archive;
  const std::string version = archive.substr(dash + 1, end - dash - 1);
  const bool numeric = std::all_of(version.begin(), version.end(),
                                   [](unsigned char c) { return c == '.' || std::isdigit(c) != 0; });
  return numeric ? archive.substr(0, dash + 1) + "*.a" : archive;
}

}  // namespace

std::vector<CodePiece> read_link_map(std::string_view text) {
  const auto head = text.find(kHead);
  if (head == std::string_view::npos) throw Error("cannot read a link map: it has no part 'memory map'");
  std::vector<CodePiece> pieces;
  std::string_view section;  // whose place the next line has, as long as its name
  for (const auto line : split(text.substr(head), '\n')) {
    auto words = split_blanks(line);
    if (begins_section(line) && !words.empty()) {
      section = words.front();
      words.erase(words.begin());
    } else if (section.empty()) {
      continue;
    }
    if (words.empty()) continue;
    if (auto piece = read_place(section, words)) pieces.push_back(std::move(*piece));
    section = {};
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const CodePiece& a, const CodePiece& b) { return a.address < b.address; });
  return pieces;
}

std::string input_pattern(const CodePiece& piece) {
  const auto [archive, object] = archive_and_object(piece.file);
  const bool named_alone = piece.section != ".text";
  if (archive.empty() || archive.starts_with(kOwnLibraries)) {
    return named_alone ? formatted("*({})", piece.section) : formatted("*{}({})", object, piece.section);
  }
  return formatted("*{}:{}({})", without_version(archive), object, piece.section);
}

std::vector<std::string> patterns_at(const std::vector<CodePiece>& pieces,
                                     const std::vector<std::uint64_t>& addresses) {
  std::vector<std::string> patterns;
  std::set<std::string> known;
  for (const auto address : addresses) {
    const auto after =
        std::upper_bound(pieces.begin(), pieces.end(), address,
                         [](std::uint64_t value, const CodePiece& piece) { return value < piece.address; });
    if (after == pieces.begin()) continue;
    const CodePiece& piece = *std::prev(after);
    if (address >= piece.address + piece.size) continue;
    std::string pattern = input_pattern(piece);
    if (known.insert(pattern).second) patterns.push_back(std::move(pattern));
  }
  return patterns;
}

std::string print_order(const std::vector<std::string>& patterns) {
  std::string script =
      "/* The code that a start runs, in the order in which it comes to it. Written by bench/order; what is\n"
      "   missing here lies behind it, what no longer exists does no harm. */\n"
      "SECTIONS\n{\n  .text.start :\n  {\n";
  for (const auto& pattern : patterns) script += formatted("    {}\n", pattern);
  return script + "  }\n}\nINSERT BEFORE .text;\n";
}

std::vector<std::string> read_order(std::string_view script) {
  std::vector<std::string> patterns;
  for (const auto line : split(script, '\n')) {
    const auto text = trim(line);
    if (text.starts_with('*') && text.ends_with(')')) patterns.emplace_back(text);
  }
  return patterns;
}

}  // namespace hutch::bench
