#include "config/formats/xml_document.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::config {

namespace {

constexpr int kMaxDepth = 64;

}  // namespace

XmlDocument::XmlDocument(std::string_view text, const std::string& source) : source_(source) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') newlines_.push_back(at);
  }
  // The bytes as they are: offsets would not fit the text after a conversion.
  const auto result =
      document_.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!result) {
    throw Error(formatted("'{}' is no well-formed XML: {}", source, to_lower(result.description())), 0,
                "the file may be cut off or damaged", {source, line_at(result.offset)});
  }
  if (!root()) throw Error(formatted("'{}' has no element", source), 0, {}, {source, 0});
  check_depth();
}

Origin XmlDocument::origin(const pugi::xml_node& node) const {
  return {source_, line_at(node.offset_debug())};
}

int XmlDocument::line_at(std::ptrdiff_t offset) const {
  if (offset < 0) return 0;
  const auto before = std::lower_bound(newlines_.begin(), newlines_.end(), static_cast<std::size_t>(offset));
  return static_cast<int>(before - newlines_.begin()) + 1;
}

// Without recursion: this is what the limit is for.
void XmlDocument::check_depth() const {
  int depth = 1;
  for (auto node = root(); node;) {
    if (depth > kMaxDepth) {
      throw Error(formatted("'{}': elements are nested deeper than {}", source_, kMaxDepth), 0, {},
                  origin(node));
    }
    if (const auto child = node.first_child()) {
      node = child;
      ++depth;
      continue;
    }
    while (node && node != root() && !node.next_sibling()) {
      node = node.parent();
      --depth;
    }
    if (!node || node == root()) return;
    node = node.next_sibling();
  }
}

std::string text_of(const pugi::xml_node& node) {
  return std::string(trim(node.child_value()));
}

std::string attribute(const pugi::xml_node& node, const char* name) {
  return node.attribute(name).value();
}

}  // namespace hutch::config
