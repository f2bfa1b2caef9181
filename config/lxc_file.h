#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/container_config.h"

// The classic LXC file (lxc-keys 1.1): lines of `lxc.key = value`.
namespace hutch::config {

// A line that has something in it, without the blanks at its beginning.
struct LxcLine {
  std::string_view text;
  int number = 0;  // counts from 1
};

// Lines end at CR or LF; the text ends at the first NUL. The views point into `text`.
std::vector<LxcLine> lxc_lines(std::string_view text);

struct LxcKeyValue {
  std::string_view key;
  std::string_view value;  // may be empty
};
// Split at the first '=', without blanks around either part and without one pair of quotes around the value.
// Nothing when there is no '='.
std::optional<LxcKeyValue> split_lxc_line(std::string_view line);

// One pair of quotes around a value is LXC's, not the value's. No escapes.
std::string_view without_quotes(std::string_view value);

struct LxcFile {
  std::vector<RawEntry> entries;
  // What follows the '#', as it stands there.
  std::vector<Located<std::string>> comments;
  // Lines of other programs, which LXC skips.
  std::vector<Located<std::string>> foreign;
  // `lxc.` lines without '=', when they are kept.
  std::vector<Located<std::string>> malformed;
};

// What is done with `lxc.` lines without '='.
enum class MalformedLines {
  refuse,  // as LXC does
  keep,    // for a reader that tells about each of them
};

// `source` goes into the origins. Throws Error with the line's origin for the first malformed line when these
// are refused. Names of keys are not looked at. Never loops, linear in the size of the text; fit for fuzzing.
LxcFile read_lxc_file(std::string_view text, const std::string& source,
                      MalformedLines malformed = MalformedLines::refuse);
// That error, also for those who have kept the line.
Error malformed_line(const Located<std::string>& line);

}  // namespace hutch::config
