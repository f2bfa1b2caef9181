#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <pugixml.hpp>

#include "base/origin.h"

namespace hutch::config {

// An XML text with the lines of its elements. Entities other than the five of XML itself are not expanded and
// a DOCTYPE is passed over, so a small text stays small.
class XmlDocument {
 public:
  // Throws Error with the line for a text that is not well-formed, or whose elements are nested deeper
  // than 64.
  XmlDocument(std::string_view text, const std::string& source);

  pugi::xml_node root() const { return document_.document_element(); }
  Origin origin(const pugi::xml_node& node) const;

 private:
  int line_at(std::ptrdiff_t offset) const;
  void check_depth() const;

  std::string source_;
  pugi::xml_document document_;
  std::vector<std::size_t> newlines_;  // their offsets
};

// The text of an element without blanks around it.
std::string text_of(const pugi::xml_node& node);
// "" when there is none.
std::string attribute(const pugi::xml_node& node, const char* name);

}  // namespace hutch::config
