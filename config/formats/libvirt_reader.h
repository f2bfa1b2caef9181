#pragma once

#include <string>

#include "config/formats/lxc_options.h"
#include "config/formats/xml_document.h"

// What the parts of the libvirt reader share; not for others. Elements become LXC lines where there are any,
// options where there are not (lxc_options.h does the rest).
namespace hutch::config {

struct LibvirtDraft {
  const XmlDocument& document;
  LxcDraft& lxc;
  unsigned interfaces = 0;  // so far
  unsigned mounts = 0;
  unsigned devices = 0;

  Origin origin(const pugi::xml_node& node) const { return document.origin(node); }
  void put(std::string key, std::string value, const pugi::xml_node& node) {
    lxc.entries.push_back({std::move(key), std::move(value), origin(node)});
  }
  // A value that the option does not take is told.
  void set(std::string_view option, const std::string& value, const pugi::xml_node& node);
  // Says that the element has no place in a CT config, and why.
  void not_carried(const pugi::xml_node& node, std::string_view why);
  // Runs `read`; the element that its Error is about is told, and has no effect any more.
  template <typename Read>
  void attempt(const pugi::xml_node& node, Read read) {
    try {
      read();
    } catch (const Error& error) {
      lxc.not_carried(error.origin().empty() ? origin(node) : error.origin(), reason_of(error));
    }
  }
  // The element's text or attribute as a number. Throws Error with its line.
  std::uint64_t number(const pugi::xml_node& node, const std::string& text) const;
  [[noreturn]] void bad(const pugi::xml_node& node, const std::string& text, std::string_view expects) const;
};

using ElementFunction = void (*)(LibvirtDraft& draft, const pugi::xml_node& node);
struct ElementRow {
  std::string_view name;
  ElementFunction read;
};
// Calls the row of each child element; what has none, and what cannot be read, is told.
void read_children(LibvirtDraft& draft, const pugi::xml_node& parent, const ElementRow* rows,
                   std::size_t count);

// A size of libvirt's in bytes: `unit` as in libvirt ("KiB" when empty). Nothing for libvirt's "unlimited".
std::optional<std::uint64_t> libvirt_bytes(const LibvirtDraft& draft, const pugi::xml_node& node,
                                           const std::string& text, const std::string& unit);

// `<memory>`, `<memtune>`, `<cputune>`, `<blkiotune>`, `<vcpu>`, `<numatune>`.
void read_tuning(LibvirtDraft& draft, const pugi::xml_node& domain);
// `<devices>` of today's XML.
void read_devices(LibvirtDraft& draft, const pugi::xml_node& devices);
void read_interface(LibvirtDraft& draft, const pugi::xml_node& node);
// <filesystem>, in both forms.
void read_filesystem(LibvirtDraft& draft, const pugi::xml_node& node);
// Both documents.
void read_domain(LibvirtDraft& draft, const pugi::xml_node& domain);
void read_domain_of_2008(LibvirtDraft& draft, const pugi::xml_node& domain);

}  // namespace hutch::config
