#include "guest/marked_section.h"

#include "base/format.h"
#include "base/text.h"

namespace hutch::guest {

namespace {

// The line without blanks, compared with the marker without blanks.
bool matches(std::string_view line, std::string_view packed, bool any_case) {
  std::string text;
  for (const char c : line) {
    if (!is_blank(c)) text += c;
  }
  if (!any_case) return text == packed;
  return to_lower(text) == to_lower(packed);
}

struct Section {
  std::size_t begin;  // of the BEGIN line
  std::size_t end;    // behind the END line's newline
};

std::optional<Section> find_section(std::string_view content) {
  std::optional<std::size_t> begin;
  for (std::size_t at = 0; at < content.size();) {
    const auto newline = content.find('\n', at);
    const auto next = newline == std::string_view::npos ? content.size() : newline + 1;
    const auto line = content.substr(at, next - at);
    if (!begin && is_section_begin(line))
      begin = at;
    else if (begin && is_section_end(line))
      return Section{*begin, next};
    at = next;
  }
  return std::nullopt;
}

std::string section_text(std::string_view text) {
  return formatted("{}\n{}{}{}\n", kSectionBegin, text, text.empty() || text.ends_with('\n') ? "" : "\n",
                   kSectionEnd);
}

}  // namespace

bool is_section_begin(std::string_view line) {
  return matches(line, "#---BEGINPVE---", false);
}
bool is_section_end(std::string_view line) {
  return matches(line, "#---ENDPVE---", true);
}

std::string outside_section(std::string_view content) {
  const auto section = find_section(content);
  if (!section) return std::string(content);
  return std::string(content.substr(0, section->begin)) + std::string(content.substr(section->end));
}

std::optional<std::string> with_section(std::optional<std::string_view> content, std::string_view text,
                                        SectionPlace place, bool delete_empty) {
  if (!content) return text.empty() ? std::nullopt : std::optional(section_text(text));
  const auto section = find_section(*content);
  if (section) {
    const bool whole = section->begin == 0 && section->end == content->size();
    if (text.empty() && whole) return delete_empty ? std::nullopt : std::optional(std::string(*content));
    return std::string(content->substr(0, section->begin)) + section_text(text) +
           std::string(content->substr(section->end));
  }
  if (text.empty()) return std::string(*content);
  if (place == SectionPlace::replace) return section_text(text);
  if (place == SectionPlace::prepend) return section_text(text) + std::string(*content);
  const bool open_line = !content->empty() && !content->ends_with('\n');
  return std::string(*content) + (open_line ? "\n" : "") + section_text(text);
}

void write_section(const GuestRoot& root, const std::string& path, std::string_view text, SectionPlace place,
                   bool delete_empty, mode_t mode) {
  const auto content = root.read(path);
  const auto changed = with_section(content, text, place, delete_empty);
  if (changed && (!text.empty() || changed != content)) root.write(path, *changed, mode);
  if (!changed && content) root.remove(path);
}

}  // namespace hutch::guest
