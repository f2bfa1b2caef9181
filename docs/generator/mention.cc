#include "docs/generator/mention.h"

#include <cstddef>

namespace hutch::docs {

namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_.-";

char at(std::string_view text, std::size_t position) {
  return position < text.size() ? text[position] : '\0';
}

bool is_name_character(char c) {
  return c != '\0' && kNameCharacters.find(c) != std::string_view::npos;
}

std::string_view without_digits(std::string_view text) {
  const auto end = text.find_first_not_of(kDigits);
  return end == std::string_view::npos ? std::string_view() : text.substr(end);
}

// Takes `key` off the front of `text`, a number for every "[n]"; false when it does not stand there.
bool take_key(std::string_view& text, std::string_view key) {
  constexpr std::string_view number = "[n]";
  const auto open = key.find(number);
  if (open == std::string_view::npos) {
    if (!text.starts_with(key)) return false;
    text.remove_prefix(key.size());
    return true;
  }
  if (!text.starts_with(key.substr(0, open))) return false;
  text.remove_prefix(open);
  const auto rest = without_digits(text);
  if (rest.size() == text.size()) return false;
  text = rest;
  return take_key(text, key.substr(open + number.size()));
}

// Whether what stands before `position` can stand before a line of a config: its begin, or that of a C++
// string, or a line break in one.
bool begins_line(std::string_view text, std::size_t position) {
  if (position == 0) return true;
  const char before = text[position - 1];
  if (before == '\n' || before == '"' || before == '(') return true;
  return before == 'n' && position > 1 && text[position - 2] == '\\';
}

}  // namespace

bool mentions_raw_key(std::string_view text, std::string_view key) {
  const bool family = key.ends_with(".*");
  if (family) key.remove_suffix(1);
  for (auto found = text.find("lxc."); found != std::string_view::npos;
       found = text.find("lxc.", found + 1)) {
    auto rest = text.substr(found);
    if (take_key(rest, key) && is_name_character(at(rest, 0)) == family) return true;
  }
  return false;
}

bool mentions_option(std::string_view text, std::string_view name, bool indexed) {
  for (auto found = text.find(name); found != std::string_view::npos; found = text.find(name, found + 1)) {
    auto rest = text.substr(found + name.size());
    if (indexed) {
      const auto after = without_digits(rest);
      if (after.size() == rest.size()) continue;
      rest = after;
    }
    if (begins_line(text, found) && (rest.starts_with(": ") || rest.starts_with('"'))) return true;
    const bool dashes = found >= 2 && text.substr(found - 2, 2) == "--";
    if (dashes && !is_name_character(at(rest, 0))) return true;
  }
  return false;
}

bool mentions_sub_key(std::string_view text, std::string_view key) {
  for (auto found = text.find(key); found != std::string_view::npos; found = text.find(key, found + 1)) {
    const char before = found == 0 ? '\n' : text[found - 1];
    if (!is_name_character(before) && at(text, found + key.size()) == '=') return true;
  }
  return false;
}

}  // namespace hutch::docs
