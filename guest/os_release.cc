#include "guest/os_release.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace hutch::guest {

namespace {

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string double_quoted(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      value += text[i];
      continue;
    }
    const char next = text[++i];
    switch (next) {
      case 'n': value += '\n'; break;
      case 't': value += '\t'; break;
      case '"':
      case '\'':
      case '`':
      case '$':
      case '\\': value += next; break;
      default: value += '\\'; value += next;
    }
  }
  return value;
}

std::string parse_value(std::string_view text) {
  if (text.starts_with('\'')) return std::string(text.substr(1, text.find('\'', 1) - 1));
  if (text.starts_with('"')) return double_quoted(text.substr(1));
  return std::string(text.substr(
      0, static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_blank) - text.begin())));
}

}  // namespace

std::map<std::string, std::string> parse_os_release(std::string_view text) {
  std::map<std::string, std::string> values;
  for (const auto raw : split(text, '\n')) {
    const auto line = trim(raw);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || !is_name(line.substr(0, equals))) continue;
    values[std::string(line.substr(0, equals))] = parse_value(line.substr(equals + 1));
  }
  return values;
}

}  // namespace hutch::guest
