#include "storage/helper_protocol.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace hutch {

namespace {

// Keeps a text on its line and out of the next field.
std::string one_field(std::string_view text) {
  std::string field(text);
  std::replace_if(
      field.begin(), field.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return field;
}

}  // namespace

std::string progress_line(const HelperProgress& progress) {
  return formatted("progress {} {} {}\n", progress.consumed, progress.members, progress.unpacked);
}

std::string warning_line(std::string_view text) {
  return formatted("warning {}\n", one_field(text));
}

std::string failure_line(const Error& error) {
  return formatted("failure {} {}\t{}\n", error.error_number(), one_field(error.action()),
                   one_field(error.hint()));
}

HelperEvent parse_helper_line(std::string_view line) {
  HelperEvent event;
  const auto blank = line.find(' ');
  const auto kind = line.substr(0, blank);
  if (blank == std::string_view::npos) return event;
  const auto rest = line.substr(blank + 1);
  if (kind == "warning") event.warning = std::string(rest);
  if (kind == "progress") {
    const auto words = split_blanks(rest);
    if (words.size() != 3) return event;
    event.progress =
        HelperProgress{parse_unsigned(words[0]).value_or(0), parse_unsigned(words[1]).value_or(0),
                       parse_unsigned(words[2]).value_or(0)};
  }
  if (kind == "failure") {
    const auto end = rest.find(' ');
    const auto number = parse_unsigned(rest.substr(0, end));
    if (!number || end == std::string_view::npos) return event;
    const auto text = rest.substr(end + 1);
    const auto tab = text.find('\t');
    event.failure = Error(std::string(text.substr(0, tab)), static_cast<int>(*number),
                          tab == std::string_view::npos ? std::string() : std::string(text.substr(tab + 1)));
  }
  return event;
}

}  // namespace hutch
