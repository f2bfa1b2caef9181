#include "config/lxc_file.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::config {

std::vector<LxcLine> lxc_lines(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  std::vector<LxcLine> lines;
  int number = 1;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of("\r\n"), text.size());
    auto line = text.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (!line.empty()) lines.push_back({line, number});
    text.remove_prefix(end);
    if (text.empty()) break;
    text.remove_prefix(text.starts_with("\r\n") ? 2 : 1);
    ++number;
  }
  return lines;
}

std::string_view without_quotes(std::string_view value) {
  const bool quoted =
      value.size() >= 2 && (value.front() == '\'' || value.front() == '"') && value.back() == value.front();
  return quoted ? value.substr(1, value.size() - 2) : value;
}

std::optional<LxcKeyValue> split_lxc_line(std::string_view line) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  return LxcKeyValue{trim(line.substr(0, equals)), without_quotes(trim(line.substr(equals + 1)))};
}

Error malformed_line(const Located<std::string>& line) {
  return Error(formatted("'{}': there is no '='", line.value), 0, "write lxc.<key> = <value>", line.origin);
}

LxcFile read_lxc_file(std::string_view text, const std::string& source, MalformedLines malformed) {
  LxcFile file;
  for (const auto& line : lxc_lines(text)) {
    Origin origin{source, line.number};
    if (line.text.front() == '#') {
      file.comments.push_back({std::string(line.text.substr(1)), std::move(origin)});
    } else if (!line.text.starts_with("lxc.")) {
      file.foreign.push_back({std::string(trim(line.text)), std::move(origin)});
    } else if (const auto pair = split_lxc_line(line.text)) {
      file.entries.push_back({std::string(pair->key), std::string(pair->value), std::move(origin)});
    } else {
      file.malformed.push_back({std::string(trim(line.text)), std::move(origin)});
      if (malformed == MalformedLines::refuse) throw malformed_line(file.malformed.front());
    }
  }
  return file;
}

}  // namespace hutch::config
